"""A `Dataset` that the user's own loader returned, with arrays that torch can use."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.data.check import ARRAYS, check_arrays
from tuner.data.dataset import Dataset, parts_of, with_arrays
from tuner.errors import DataError


def checked_dataset(dataset: Dataset, name: str) -> Dataset:
    """The data set with arrays that torch can use. Raises `DataError` if something is not as the docstrings of its
    parts say; `name` is that of the loader."""
    exact: dict[str, NDArray[Any]] = {}
    for part, path in parts_of(dataset):
        for field in (field.name for field in fields(part) if (type(part).__name__, field.name) in ARRAYS):
            if isinstance(array := getattr(part, field), np.ndarray):
                kind, _ = ARRAYS[type(part).__name__, field]
                wide = array.astype(np.float64) if (kind, array.dtype) == ("float64", np.float32) else array
                exact[f"{path}{field}"] = np.require(wide, requirements=["C", "W"])
    whole = replace(with_arrays(dataset, exact), name=name)
    check_arrays(whole)
    return replace(whole, name=dataset.name)


def check_rows(rows: int, others: int, of: str, name: str) -> None:
    """Raise `DataError` unless both are the same number of rows."""
    if rows != others:
        raise DataError(f"{name}: {rows} rows of features but {others} of {of}")
