"""Italian wines (UCI): 178 rows, 13 chemical measurements, 3 growers."""

from tuner.sources._bundled import bundled

Settings, load = bundled("wine")
