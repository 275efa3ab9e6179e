"""Times of a series: whether one follows the other at equal steps, calendar months too, and how many make a season."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tuner.data.inputs import Rows
from tuner.errors import DataError

NANOSECONDS = {"day": 86_400 * 10**9, "hour": 3_600 * 10**9, "minute": 60 * 10**9, "second": 10**9,
               "millisecond": 10**6, "microsecond": 10**3, "nanosecond": 1}  # fmt: skip
SEASONS = {("day", 1): 7, ("business day", 1): 5, ("day", 7): 52, ("hour", 1): 24, ("month", 1): 12, ("month", 3): 4}


@dataclass(frozen=True)
class Step:
    """The time from one row to the next: so many units."""

    size: float
    unit: str = ""

    @property
    def season(self) -> int:
        """Steps after which a series resembles itself, as far as its calendar tells; else 1."""
        return SEASONS.get((self.unit, int(self.size)), 1)

    def words(self) -> str:
        """ "1 day", "15 minutes"."""
        return f"{self.size:g} {self.unit}{'s' * (bool(self.unit) and self.size != 1)}".strip()


def equal_steps(column: pd.Series, when: NDArray[Any], rows: Rows, where: str) -> Step:
    """The constant time step of a series.

    Args:
        column: the time column, for errors.
        when: (N,), the same as numbers, from `instants`.
        rows: positions of one series, sorted by time.
        where: name of the series, for errors.

    Raises:
        DataError: two times are equal, or a step differs from the most frequent one.
    """
    same = np.flatnonzero(np.diff(when[rows]) == 0)
    if len(same):
        text = f"{where}: {_named(column, rows[same[0] : same[0] + 2])} are the same time"
        raise DataError(text, "one row for each step; series: the column that names the series of a row", "time")
    if len(rows) < 2:
        return Step(1)
    gaps, unit = _gaps(column, when[rows])
    values, counts = np.unique(gaps, return_counts=True)
    usual = values[counts.argmax()]
    if len(wrong := np.flatnonzero(np.abs(gaps - usual) > 1e-6 * usual)):
        text = f"{where}: {_named(column, rows[wrong[0] : wrong[0] + 2])} are {_step(gaps[wrong[0]], unit).words()}"
        hint = "fill the gap with rows, or without time: the rows are taken as equal steps"
        raise DataError(f"{text} apart, and others {_step(usual, unit).words()}", hint, "time")
    return _step(usual, unit)


def _gaps(column: pd.Series, when: NDArray[Any]) -> tuple[NDArray[np.float64], str]:
    """From each time to the next, in months where days of the month say so, business days where none
    is of a weekend, else nanoseconds or plain numbers."""
    if pd.api.types.is_numeric_dtype(column):
        return np.diff(when).astype(np.float64), ""
    moments = pd.DatetimeIndex(when)
    starts = moments.normalize() == moments
    if starts.all() and (len(set(moments.day)) == 1 or moments.is_month_end.all()):
        return np.diff(moments.year * 12 + moments.month).astype(np.float64), "month"
    days = moments.to_numpy().astype("datetime64[D]")
    if starts.all() and (moments.day_of_week < 5).all() and (np.diff(days) == np.timedelta64(1, "D")).any():
        return np.busday_count(days[:-1], days[1:]).astype(np.float64), "business day"
    return np.diff(when).astype(np.float64), "nanosecond"


def _step(gap: float, unit: str) -> Step:
    """A gap in the largest unit that divides it."""
    for name, size in NANOSECONDS.items() if unit == "nanosecond" else ():
        if round(gap) % size == 0:
            return Step(round(gap) / size, name)
    return Step(float(f"{gap:.6g}"), unit)  # differences of fractions differ in their last digits


def _named(column: pd.Series, rows: Sequence[int] | Rows) -> str:
    return " and ".join(f"{column.iloc[row]} (data row {row + 1})" for row in rows)
