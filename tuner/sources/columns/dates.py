"""Dates and times in columns, where they can be read in one way only."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tuner.data.levels import levels_of
from tuner.errors import DataError, at
from tuner.sources.columns.moments import EARLIEST, LATEST, Moments, compact, moments
from tuner.sources.readers.frames import check_complete
from tuner.sources.readers.numbers import MISSING

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
PARTS = ("days", "month", "weekday")
AS_NUMBERS = f"write its dates like that, from {EARLIEST} to {LATEST}; or as numbers that grow with time"


class Times(NamedTuple):
    """A column of times.

    Attributes:
        values: (N,), numbers that grow with time: as they are, or dates as int64 nanoseconds or microseconds in UTC.
        wall: (N,), for dates, the calendar and clock of their own time zone; None for numbers.
    """

    values: NDArray[Any]
    wall: pd.DatetimeIndex | None = None


def parts(moments: Moments) -> NDArray[np.float64]:
    """Dates (N,) as numbers (N, 3): days since 1970-01-01 in UTC; and the month from 1 and the weekday from 0, which is
    Monday, in their own time zone."""
    wall, instant = moments
    # by its own unit: nanoseconds would end in 2262
    days = np.where(instant.isna(), np.nan, instant.asi8 / (86_400 * PER_SECOND[instant.unit]))
    return np.stack([days, wall.month, wall.day_of_week], axis=1).astype(np.float64)


def times(column: pd.Series, where: str, unit: Literal["ns", "us"] = "ns") -> Times:
    """A column of times to the last digit: numbers, or dates, also as the numbers 20240325 or 202403. Raises
    `DataError`, also for dates that this unit cannot hold: nanoseconds end in 2262."""
    check_complete(column, where, "time")
    numeric = pd.api.types.is_numeric_dtype(column)
    found = None
    with at("time"):
        found = compact(column.to_numpy(), months=True) if numeric else read(column, f"{where}: column '{column.name}'")
    if found is not None and not found.instant.hasnans:
        with suppress(pd.errors.OutOfBoundsDatetime):
            return Times(np.asarray(found.instant.as_unit(unit).asi8), found.wall)
    if pd.api.types.is_integer_dtype(column):
        unsigned = pd.api.types.is_unsigned_integer_dtype(column)
        return Times(column.to_numpy(dtype=np.uint64 if unsigned else np.int64))
    if numeric:
        return Times(column.to_numpy(dtype=np.float64))
    raise _no_time(column, found, where)


def read(column: pd.Series, where: str) -> Moments | None:
    """The dates of a column of dates or of texts; None if it holds something else. Raises `DataError` where most of its
    texts are dates and some are not, or if they can be read in two ways."""
    if pd.api.types.is_datetime64_any_dtype(column):
        dates = pd.DatetimeIndex(column)
        return Moments(dates.tz_localize(None), dates.tz_convert(None) if dates.tz else dates)
    if column.dtype == object and pd.api.types.infer_dtype(column).startswith("date"):
        stamps = [pd.Timestamp(value) for value in column]
        instants = [stamp.tz_convert(None) if stamp.tz else stamp for stamp in stamps]
        return Moments(pd.DatetimeIndex([stamp.tz_localize(None) for stamp in stamps]), pd.DatetimeIndex(instants))
    found, codes = levels_of(column)
    return moments(found, codes, where)


def as_order(values: NDArray[Any]) -> NDArray[np.float64]:
    """The times as float64 (N,); or their ranks, if float64 would make different times equal, as with nanoseconds."""
    with np.errstate(invalid="ignore"):
        numbers = values.astype(np.float64)
        exact = np.array_equal(numbers.astype(values.dtype), values, equal_nan=values.dtype.kind == "f")
    return numbers if exact else np.unique(values, return_inverse=True)[1].astype(np.float64)


def _no_time(column: pd.Series, found: Moments | None, where: str) -> DataError:
    """The error for a column of texts of which some are not dates that can be times, with the first of these."""
    written = column.astype(str)
    numbers = pd.to_numeric(written, errors="coerce").notna()
    read = (
        found.instant
        if found
        else pd.to_datetime(written, format="ISO8601", utc=True, errors="coerce").dt.tz_convert(None)
    )
    dates = pd.Series(read).dt.year.between(EARLIEST, LATEST)
    fine = (numbers if numbers.sum() > dates.sum() else dates).to_numpy()
    row = int(fine.argmin())  # of all that are fine, the first
    value = column.iloc[row]
    if str(value).strip().lower() in MISSING:
        return DataError(f"{where}: '{column.name}' of data row {row + 1} is missing ({value!r})",
                         "drop that row, or fill it in", "time")  # fmt: skip
    text = f"{where}: column '{column.name}' holds neither numbers nor dates such as 2024-03-25"
    return DataError(f"{text}: {str(value)[:60]!r} in data row {row + 1}", AS_NUMBERS, "time")
