"""Checkpoints: which are whole, what they hold, how their values come into a network and back."""

# The words that mean the networks which come with the project: for clean pictures, in two words,
# and for photographs that were compressed as JPEG.
PRETRAINED, CLEAN, PHOTO = SHIPPED = ("pretrained", "clean", "photo")
# The word that lets each picture decide between the two, see `automatic`.
AUTO = "auto"
