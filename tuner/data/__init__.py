"""Values only: the one `Dataset` type, its targets, preparation per lane, and splits."""
