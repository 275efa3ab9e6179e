"""Data: sources, the one `Dataset` type, preparation per lane, and splits."""
