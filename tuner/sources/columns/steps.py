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
from tuner.sources.columns.dates import Times

NANOSECONDS = {"day": 86_400 * 10**9, "hour": 3_600 * 10**9, "minute": 60 * 10**9, "second": 10**9,
               "millisecond": 10**6, "microsecond": 10**3, "nanosecond": 1}  # fmt: skip
SEASONS = {("day", 1): 7, ("business day", 1): 5, ("day", 7): 52, ("month", 1): 12, ("month", 3): 4}
MINUTES = {"hour": 60, "minute": 1}
DAY = 24 * 60
GAP = "fill the gap with rows, or without time: the rows are taken as equal steps"
OFFSETS = "; where clocks change in spring or autumn: write times in UTC, or with their offset from it"


@dataclass(frozen=True)
class Step:
    """The time from one row to the next: so many units."""

    size: float
    unit: str = ""

    @property
    def season(self) -> int:
        """Steps after which a series resembles itself, as far as its calendar tells, such as those of a day; else 1."""
        minutes = self.size * MINUTES.get(self.unit, DAY)
        if self.unit in MINUTES and DAY % minutes == 0:
            return int(DAY / minutes)
        return SEASONS.get((self.unit, int(self.size)), 1)

    def words(self) -> str:
        """ "1 day", "15 minutes"."""
        return f"{self.size:g} {self.unit}{'s' * (bool(self.unit) and self.size != 1)}".strip()


def equal_steps(column: pd.Series, times: Times, rows: Rows, where: str) -> Step:
    """The constant time step of a series.

    Args:
        column: the time column, for errors.
        times: the same as numbers, and in their own time zone.
        rows: positions of one series, sorted by time.
        where: name of the series, for errors.

    Raises:
        DataError: two times are equal, or a step differs from the most frequent one.
    """
    when, wall = times.values[rows], None if times.wall is None else times.wall[rows]
    same = np.flatnonzero(np.diff(when) == 0)
    if len(same):
        text = f"{where}: {_named(column, rows[same[0] : same[0] + 2])} are the same time"
        clock = wall is not None and wall[same[0]] != wall[same[0]].normalize()
        hint = "one row for each step; series: the column that names the series of a row"
        raise DataError(text, hint + OFFSETS * clock, "time")
    if len(rows) < 2:
        return Step(1)
    gaps, unit = _gaps(when, wall)
    usual, wrong = _unequal(gaps)
    if len(wrong):
        text = f"{where}: {_named(column, rows[wrong[0] : wrong[0] + 2])} are {_step(gaps[wrong[0]], unit).words()}"
        hourly = unit == "nanosecond" and usual < NANOSECONDS["day"]
        raise DataError(f"{text} apart, and others {_step(usual, unit).words()}", GAP + OFFSETS * hourly, "time")
    return _step(usual, unit)


def _unequal(gaps: NDArray[np.float64]) -> tuple[float, NDArray[np.int64]]:
    """The most frequent gap, and the places of those that differ from it."""
    values, counts = np.unique(gaps, return_counts=True)
    usual = values[counts.argmax()]
    return float(usual), np.flatnonzero(np.abs(gaps - usual) > 1e-6 * usual)


def _gaps(when: NDArray[Any], wall: pd.DatetimeIndex | None) -> tuple[NDArray[np.float64], str]:
    """From each time to the next, in months where days of the month say so, business days where none
    is of a weekend, else nanoseconds or plain numbers. A day has 24 hours, also where clocks change."""
    if wall is None:
        return np.diff(when).astype(np.float64), ""
    starts = wall.normalize() == wall
    if starts.all() and (len(set(wall.day)) == 1 or wall.is_month_end.all()):
        return np.diff(wall.year * 12 + wall.month).astype(np.float64), "month"
    days = wall.to_numpy().astype("datetime64[D]")
    if starts.all() and (wall.day_of_week < 5).all() and (np.diff(days) == np.timedelta64(1, "D")).any():
        return np.busday_count(days[:-1], days[1:]).astype(np.float64), "business day"
    both = [np.diff(each.as_unit("ns").asi8).astype(np.float64) for each in (pd.DatetimeIndex(when), wall)]
    return next((gaps for gaps in both if not len(_unequal(gaps)[1])), both[0]), "nanosecond"


def _step(gap: float, unit: str) -> Step:
    """A gap in the largest unit that divides it."""
    for name, size in NANOSECONDS.items() if unit == "nanosecond" else ():
        if round(gap) % size == 0:
            return Step(round(gap) / size, name)
    return Step(float(f"{gap:.6g}"), unit)  # differences of fractions differ in their last digits


def _named(column: pd.Series, rows: Sequence[int] | Rows) -> str:
    return " and ".join(f"{column.iloc[row]} (data row {row + 1})" for row in rows)
