"""Which source reads a file, and what is kept of what took long to load."""
