"""Records: their format, their order, and the batches made of them."""
