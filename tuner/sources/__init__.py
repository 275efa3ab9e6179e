"""One data source per file: `Settings`, and `load(settings, folder) -> Dataset`."""
