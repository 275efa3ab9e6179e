"""The small data sets that come with scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import create_model

from tuner.data.dataset import Dataset, as_float32
from tuner.data.inputs import Numbers
from tuner.data.precision import as_numbers, narrow
from tuner.data.settings import NumberSettings
from tuner.data.target import Amounts, Classes


def bundled(name: str) -> tuple[type[NumberSettings], Callable[[NumberSettings, Path], Dataset]]:
    """`Settings` and `load` of a source that reads scikit-learn's `load_NAME` as flat rows."""
    kind: Any = Literal[name]
    settings = create_model("Settings", __base__=NumberSettings, __module__=f"tuner.sources.{name}", name=(kind, name))
    return settings, lambda settings, folder: read(name, settings)


def read(name: str, settings: NumberSettings, shape: tuple[int, ...] | None = None) -> Dataset:
    """scikit-learn's `load_NAME`; `shape` is one row's shape where it is not flat."""
    import sklearn.datasets  # takes a second: not for the settings alone

    bunch = getattr(sklearn.datasets, f"load_{name}")()
    values = np.asarray(bunch.target)
    if values.ndim == 1 and "target_names" in bunch:
        target: Classes | Amounts = Classes(values.astype(np.int64), tuple(map(str, bunch.target_names)))
    else:
        names = tuple(map(str, bunch.target_names)) if values.ndim == 2 else ("target",)
        target = Amounts(values.astype(np.float64).reshape(len(values), -1), names)
    if shape is not None:
        pixels = as_float32(bunch.data).reshape(-1, *shape)
        return Dataset(name, Numbers(pixels, scale=settings.scale, impute=settings.impute), target)
    return Dataset(name, as_numbers(narrow(bunch.data), settings, tuple(map(str, bunch.feature_names))), target)
