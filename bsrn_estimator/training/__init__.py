"""Training: from the start, or the newest checkpoint, to the last step."""
