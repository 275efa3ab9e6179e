"""Texts as Python's own strings: NumPy string arrays would allocate the length of the longest text for every row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Texts = NDArray[np.object_]


def texts(values: Iterable[Any]) -> Texts:
    """The values (N,) as text; None stays None."""
    return np.array([None if value is None else str(value) for value in values], dtype=object)


def levels(column: Texts) -> tuple[Texts, NDArray[np.int64]]:
    """The different texts in alphabetical order, and the index of each row's text (N,) among them: -1 for None."""
    codes, found = pd.factorize(column, sort=True)
    return found, codes.astype(np.int64)


def levels_of(column: pd.Series) -> tuple[Texts, NDArray[np.int64]]:
    """The `levels` of the values of a column as text, of which missing ones are None."""
    return levels(texts(column.astype(object).where(column.notna(), None)))
