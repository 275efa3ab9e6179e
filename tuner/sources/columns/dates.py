"""Dates as numbers, where they can be read in one way only."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tuner.data.levels import Texts, levels, texts
from tuner.errors import DataError, at
from tuner.sources.readers.frames import check_complete
from tuner.sources.readers.numbers import MISSING

MONTH = re.compile(r"(1[6-9]|2[01])\d{2}-\d{2}")
ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)?)?")
ORDERS = (("%d", "%m", "%Y"), ("%m", "%d", "%Y"), ("%Y", "%m", "%d"))
DATES = (
    *(sign.join(order) for sign in "./-" for order in ORDERS),
    "%d/%m/%y", "%m/%d/%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y",
)  # fmt: skip
FORMATS = tuple(f"{date}{time}" for date in DATES for time in ("", " %H:%M", " %H:%M:%S", " %I:%M %p"))
SOME = 20  # texts that say which formats to try
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
PARTS = ("days", "month", "weekday")
HINT = "write every date as 2024-03-25, or leave the column out with drop"


def parts(moments: pd.DatetimeIndex) -> NDArray[np.float64]:
    """Dates (N,) as numbers (N, 3): days since 1970-01-01, month from 1, weekday from 0, which is Monday."""
    moments = moments.tz_localize(None)
    # by its own unit: nanoseconds would end in 2262
    days = np.where(moments.isna(), np.nan, moments.asi8 / (86_400 * PER_SECOND[moments.unit]))
    return np.stack([days, moments.month, moments.day_of_week], axis=1).astype(np.float64)


def instants(column: pd.Series, where: str, unit: Literal["ns", "us"] = "ns") -> NDArray[Any]:
    """A column of times (N,) to the last digit: numbers as they are, dates as nanoseconds or microseconds in int64.
    Raises `DataError`, also for dates that this unit cannot hold: nanoseconds end in 2262."""
    check_complete(column, where, "time")
    if pd.api.types.is_integer_dtype(column):
        return column.to_numpy(dtype=np.uint64 if pd.api.types.is_unsigned_integer_dtype(column) else np.int64)
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=np.float64)
    with at("time"), suppress(pd.errors.OutOfBoundsDatetime):
        dates = _dates(column, f"{where}: column '{column.name}'")
        if dates is not None and not dates.hasnans:
            return np.asarray(dates.as_unit(unit).asi8)
    raise _no_time(column, where)


def _dates(column: pd.Series, where: str) -> pd.DatetimeIndex | None:
    if pd.api.types.is_datetime64_any_dtype(column):
        return pd.DatetimeIndex(column)
    with suppress(ValueError, TypeError):
        return pd.DatetimeIndex(pd.to_datetime(column, format="ISO8601", utc=True))
    found, codes = levels(texts(column))
    return moments(found, codes, where)


def as_order(moments: NDArray[Any]) -> NDArray[np.float64]:
    """The times as float64 (N,); or their ranks, if float64 would make different times equal, as with nanoseconds."""
    with np.errstate(invalid="ignore"):
        numbers = moments.astype(np.float64)
        exact = np.array_equal(numbers.astype(moments.dtype), moments, equal_nan=moments.dtype.kind == "f")
    return numbers if exact else np.unique(moments, return_inverse=True)[1].astype(np.float64)


def moments(levels: Texts, codes: NDArray[np.int64], where: str) -> pd.DatetimeIndex | None:
    """The dates (N,) of a column of texts, given as its different `levels` and the place of each row's (N,) among
    them, -1 where it is missing. None if its texts are no dates; times with an offset are taken to UTC.

    A format other than ISO 8601 is read where it is the only one that fits all. Raises `DataError` where most are dates
    and some are not, or day and month cannot be told apart."""
    counts = np.bincount(codes[codes >= 0], minlength=len(levels))
    absent = np.array([level.strip().lower() in MISSING for level in levels])
    forms = (ISO,) if _seasons(levels) else (ISO, MONTH)
    texts = [text if any(form.fullmatch(text) for form in forms) else None for text in map(str.strip, levels)]
    read = pd.to_datetime(pd.Series(texts, dtype=object), format="ISO8601", utc=True, errors="coerce")
    dates = read.dt.tz_localize(None).to_numpy()
    fine = ~np.isnat(dates)
    total = counts[~absent].sum()
    if not total:
        return None
    other = fine
    if not fine[~absent].all():
        theirs, other = _other(levels, absent | fine, codes, where)
        dates, fine = (dates, fine) if fine.any() else (theirs, other)
    if fine[~absent].all():
        return pd.DatetimeIndex(np.append(dates, np.datetime64("NaT"))[codes])
    if counts[fine | other].sum() * 2 <= total:
        return None
    index = int(np.flatnonzero((codes >= 0) & ~(fine | absent)[codes])[0])
    wrong = f"'{levels[codes[index]]}' in data row {index + 1}"
    raise DataError(f"{where} mixes date formats: {wrong}, but '{levels[fine.argmax()]}'", HINT)


def _no_time(column: pd.Series, where: str) -> DataError:
    """The error for a column of texts that are not dates, with the first of them."""
    written = column.astype(str)
    numbers = pd.to_numeric(written, errors="coerce").notna()
    dates = pd.to_datetime(written, format="ISO8601", utc=True, errors="coerce").dt.year.between(1678, 2261)
    fine = (numbers if numbers.sum() > dates.sum() else dates).to_numpy()
    row = int(fine.argmin())  # of all that are fine, the first
    value = column.iloc[row]
    if str(value).strip().lower() in MISSING:
        return DataError(f"{where}: '{column.name}' of data row {row + 1} is missing ({value!r})",
                         "drop that row, or fill it in", "time")  # fmt: skip
    text = f"{where}: column '{column.name}' holds neither numbers nor dates such as 2024-03-25"
    text = f"{text}: {str(value)[:60]!r} in data row {row + 1}"
    return DataError(text, "write its dates like that, from 1678 to 2261; or as numbers that grow with time", "time")


def _seasons(levels: Texts) -> bool:
    """Whether what could be months are years and the next ones, as 2010-11 and 2011-12 are."""
    months = [level.strip() for level in levels if MONTH.fullmatch(level.strip())]
    return all((int(month[:4]) + 1) % 100 == int(month[5:]) for month in months)


def _other(
    levels: Texts, absent: NDArray[np.bool_], codes: NDArray[np.int64], where: str
) -> tuple[NDArray[np.datetime64], NDArray[np.bool_]]:
    """Dates in the format that fits most of the levels, and which of them it fits."""
    texts = pd.Series([level.strip() for level in levels], dtype=object).where(~absent, None)
    known = texts[~absent & texts.str.contains(r"\d", na=False)]
    some = known.iloc[:: max(1, len(known) // SOME)]  # in order of the alphabet, so of every kind as many as there are
    forms = FORMATS if len(some) else ()
    fitting = [form for form in forms if pd.to_datetime(some, format=form, errors="coerce").notna().any()]
    read = [pd.to_datetime(texts, format=form, errors="coerce").to_numpy() for form in fitting]
    if not read:
        return np.full(len(levels), np.datetime64("NaT")), np.zeros(len(levels), dtype=bool)
    best = max((~np.isnat(each)).sum() for each in read)
    ways = [each for each in read if (~np.isnat(each)).sum() == best]
    if best == (~absent).sum() and any(not np.array_equal(ways[0], way, equal_nan=True) for way in ways[1:]):
        index = int(np.flatnonzero((codes >= 0) & ~absent[codes])[0])
        text = f"'{levels[codes[index]]}' in data row {index + 1}"
        raise DataError(f"{where} holds dates whose day and month cannot be told apart: {text}", HINT)
    return ways[0], ~np.isnat(ways[0])
