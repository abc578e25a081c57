"""The networks: what they compute, what they learn from, what they cost."""
