"""One model family per file: `Settings`, `LAYOUTS`, `TASKS`, and `build(settings, shapes, lanes)`."""
