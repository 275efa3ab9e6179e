"""What people would write by hand for the same answer; each runs as a script and prints its outer scores as JSON."""
