"""Diabetes progression (Efron et al. 2004): 442 rows, 10 measurements, one output."""

from tuner.sources._bundled import bundled

Settings, load = bundled("diabetes")
