"""The families of devices: what is particular to each, and what all of them answer."""
