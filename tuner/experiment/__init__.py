"""What was asked and what came out, as frozen values: experiment, search space, records."""
