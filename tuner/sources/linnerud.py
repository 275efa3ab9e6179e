"""Exercise and body (Tenenhaus 1998): 20 rows, 3 exercises, 3 outputs."""

from tuner.sources._bundled import bundled

Settings, load = bundled("linnerud")
