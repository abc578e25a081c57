"""Pictures in files and in memory: decoding, names, bicubic resizing, tiles, PNG."""
