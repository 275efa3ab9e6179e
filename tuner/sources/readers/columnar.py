"""Files that store each column with its type: Parquet and Feather (Arrow)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tuner.data.dataset import as_float32
from tuner.data.precision import harmless
from tuner.sources.readers.header import column_names

UNNAMED = re.compile(r"__index_level_\d+__")
FORMATS = {".parquet": "parquet", ".pq": "parquet", ".feather": "feather", ".arrow": "feather"}


def read(path: Path, suffix: str, narrow: Callable[[str], bool] | None, rows: int | None = None) -> pd.DataFrame:
    """Its columns, one after another, without an index of pandas that has no name; a folder of parts counts as a file.
    Of its `rows` as many as are asked for, from the first.

    Raises `OSError` and `ValueError`."""
    import pyarrow
    import pyarrow.dataset

    try:
        parts = pyarrow.dataset.dataset(path, format=FORMATS[suffix], partitioning="hive")
        names = list(parts.schema.names)
        column_names(names, path.name)
        index = (parts.schema.pandas_metadata or {}).get("index_columns", [])
        found = {}
        for name in (each for each in names if each not in index or not UNNAMED.fullmatch(each)):
            only = {name: pyarrow.dataset.field((name,))}
            table = parts.to_table(columns=only) if rows is None else parts.head(rows, columns=only)
            column = _column(table.column(0), narrow is not None and narrow(name))
            found[name] = column if rows is None else column.copy()  # which does not keep the others behind it
        return pd.DataFrame(found, copy=False)
    except (pyarrow.ArrowException, TypeError) as error:
        raise ValueError(str(error)) from error


def narrowed(values: np.ndarray) -> np.ndarray:
    """A copy of numbers (N,): as float32, or as they are where that would round them too coarsely."""
    return as_float32(values).copy() if harmless(values) else values.copy()


def _column(values: Any, narrow: bool) -> pd.Series | np.ndarray:
    """A column as pandas has it; a decimal fraction as a number."""
    import pyarrow

    kind = pyarrow.types
    if kind.is_decimal(values.type):
        values = values.cast(pyarrow.float64())
    if narrow and (kind.is_floating(values.type) or kind.is_integer(values.type)):
        return narrowed(values.to_numpy())
    found: pd.Series = values.to_pandas()
    return found
