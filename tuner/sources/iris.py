"""Iris flowers (Fisher 1936): 150 rows, 4 measurements, 3 species."""

from tuner.sources._bundled import bundled

Settings, load = bundled("iris")
