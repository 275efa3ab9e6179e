"""One model family per file: `Settings`, `LAYOUTS`, and `build(settings, shapes, lanes)`."""
