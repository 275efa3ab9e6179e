"""What columns mean: features, dates, roles, steps and tokens."""
