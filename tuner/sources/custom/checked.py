"""A `Dataset` that the user's own loader returned, with arrays that torch can use."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.data.arrays import check_arrays, declared_arrays
from tuner.data.dataset import Dataset, with_arrays
from tuner.errors import DataError


def checked_dataset(dataset: Dataset, name: str) -> Dataset:
    """The data set with NumPy arrays. Raises `DataError` if something is not as the docstrings of its parts say, and
    calls it `name`."""
    exact: dict[str, NDArray[Any]] = {}
    for array in declared_arrays(dataset):
        if hasattr(array.value, "__array__") and not isinstance(array.value, np.ma.MaskedArray):
            value = np.asarray(array.value)
            wide = value.astype(np.float64) if array.kind == "float64" and value.dtype == np.float32 else value
            exact[array.path] = np.require(wide, requirements=["C", "W"])
    whole = with_arrays(dataset, exact)
    check_arrays(whole, name)
    return whole


def check_rows(rows: int, others: int, of: str, name: str) -> None:
    """Raise `DataError` unless both are the same number of rows."""
    if rows != others:
        raise DataError(f"{name}: {rows} rows of features but {others} of {of}")
