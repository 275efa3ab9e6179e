"""Experiments, search spaces and the records of results, as frozen values."""
