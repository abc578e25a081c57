"""Evaluation: the protocol, the figures, and what is written of them."""
