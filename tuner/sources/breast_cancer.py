"""Breast tumours (Wisconsin, UCI): 569 rows, 30 measurements, benign or malignant."""

from tuner.sources._bundled import bundled

Settings, load = bundled("breast_cancer")
