"""Checkpoints: which are whole, what they hold, how their values come into a network and back."""

# The words that mean the networks which come with the project: for clean pictures, and for
# photographs that were compressed as JPEG.
PRETRAINED, PHOTO = SHIPPED = ("pretrained", "photo")
