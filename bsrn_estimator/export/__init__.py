"""Exports: a trained network in one file or folder, written and read back."""
