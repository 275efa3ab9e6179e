"""Values only: the type `Dataset`, its targets, its preparation per lane, and its splits."""
