"""Checks on rows without a time column: which unused columns may hold times, or name the series of a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tuner.data.inputs import Rows
from tuner.errors import DataError
from tuner.sources.columns.dates import Times, times
from tuner.sources.columns.roles import is_role_name, is_time_name


def check_standing(frame: pd.DataFrame, unused: Iterable[str], where: str) -> Iterator[str]:
    """Notes about `unused` columns that may be the time of a series. Raises `DataError` if one goes back in time."""
    for column in unused:
        held, values = held_times(frame[column]), frame[column].nunique()
        when = None if held is None else held.values
        if values < 2:
            continue
        if when is None and is_time_name(column):
            yield f"column '{column}' looks like time and cannot be read as such: rows are taken as they stand"
        elif when is None:
            yield from _series(frame[column], values)
        elif values == len(frame):
            _check_forward(frame[column], when, where, f"dataset.time: {column}")
            yield f"column '{column}' holds times: dataset.time: {column} checks that its steps are equal"
        else:
            apart = f"dataset.time: {column}, with dataset.series: the column that names the series of a row"
            cycle = pd.api.types.is_numeric_dtype(frame[column]) and (when[1:] > when[:-1]).any()  # months of years
            if not cycle:
                _check_forward(frame[column], when, where, apart)
            yield f"column '{column}' looks like time and repeats; if rows are of several series, {apart}"


def unused_times(frame: pd.DataFrame, unused: Iterable[str], order: Rows, lengths: Rows, where: str) -> Iterator[str]:
    """Notes about `unused` columns that could order the steps of sequences.

    Args:
        order: (ΣT,), the rows sequence by sequence.
        lengths: (N,), the steps of each sequence.
    """
    of = np.repeat(np.arange(len(lengths)), lengths)
    for column in unused:
        held = held_times(frame[column])
        if held is None or len(of) == len(lengths):
            continue
        when = held.values[order]
        if pd.DataFrame({"of": of, "when": when}).duplicated().any():
            continue
        back = np.flatnonzero((when[1:] < when[:-1]) & (of[1:] == of[:-1]))
        told = f"goes back at data row {order[back[0] + 1] + 1} of {where}" if len(back) else "looks like time"
        yield f"column '{column}' {told}, and steps are taken as they stand: dataset.time: {column} orders them"


def held_times(column: pd.Series) -> Times | None:
    """The times of the column (N,), if it holds dates, or has a name of times and holds numbers."""
    if pd.api.types.is_numeric_dtype(column) and not is_time_name(str(column.name)):
        return None
    with suppress(DataError):
        return times(column, "")
    with suppress(DataError):
        return times(column, "", "us")
    return None


def _check_forward(column: pd.Series, when: NDArray[Any], where: str, hint: str) -> None:
    back = np.flatnonzero(when[1:] < when[:-1])
    if len(back):
        first, second = (f"{column.iloc[row]} (data row {row + 1})" for row in (back[0], back[0] + 1))
        text = f"{where}: '{column.name}' goes back from {first} to {second}, and rows are taken as they stand"
        raise DataError(text, f"{hint}; or sort the rows, the oldest first", "time")


def _series(column: pd.Series, values: int) -> Iterator[str]:
    """A note about a column that may name the series of each row: its texts repeat, or equal numbers stand together."""
    numeric, name = pd.api.types.is_numeric_dtype(column), str(column.name)
    together = pd.api.types.is_integer_dtype(column) and (column.diff().iloc[1:] != 0).sum() == values - 1
    if values <= len(column) / 2 and (together or is_role_name(name) or not numeric):
        yield (f"column '{name}' has {values} values in {len(column):,} rows; if they name series, dataset.series: "
               f"{name}, with dataset.time, keeps each window in one")  # fmt: skip
