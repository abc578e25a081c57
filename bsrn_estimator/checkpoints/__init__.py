"""Checkpoints: which are whole, what they hold, how their values come into a network and back."""

# The word that means the network which comes with the project.
PRETRAINED = "pretrained"
