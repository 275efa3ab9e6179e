"""Texts as dates and times of day: a column is read in the one format that fits all of it, or not at all."""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tuner.data.levels import Texts, levels_of
from tuner.errors import DataError
from tuner.sources.readers.numbers import MISSING

MONTH_NAME = r"[a-z]{3,9}\.?"
DATE = "|".join((
    r"\d{1,4}([-./])\d{1,2}\2\d{1,4}",  # 2024-03-25, 25.03.2024, 3/25/24
    rf"\d{{1,2}}[-./ ]{MONTH_NAME}[-./, ] ?\d{{2,4}}",  # 25-Mar-24, 25 March 2024
    rf"{MONTH_NAME} \d{{1,2}},? \d{{4}}",  # Mar 25, 2024
    rf"\d{{4}}[- /]{MONTH_NAME}(?:[- /]\d{{1,2}})?",  # 2024-Mar, 2024-Mar-25
    rf"{MONTH_NAME}[- /]\d{{2,4}}",  # Mar-2024, Mar-24
    r"(?:1[6-9]|2[01])\d{2}-\d{2}",  # 2024-03
    r"\d{8}",  # 20240325
))  # fmt: skip
CLOCK = r"(?P<hour>\d{1,2})(?::(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?)?"
ZONE = r"(?P<zone>z|utc|gmt|[+-]\d\d(?::?\d\d)?)?"
WRITTEN = rf"(?i)^(?P<date>{DATE})(?:(?:t|,? ) ?{CLOCK} ?(?P<half>[ap]\.?m\.?)? ?{ZONE})?$"
OTHERWISE = (  # ways to write a moment, and the way in which it is read here
    (r"\s+", " "),  # Mon Mar  5 13:05:00 2024
    (r"(?i)^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? (?=.)", ""),  # Fri, 25 Mar 2024
    (rf"(?i)^({MONTH_NAME} \d{{1,2}}) (\d\d?:\d\d(?::\d\d)?) (\d{{4}})$", r"\1 \3 \2"),  # Mar 25 13:05:00 2024
    (r"(?i)^(\d{8})t?(\d\d)(\d\d)(\d\d)?(?=\D|$)", r"\1T\2:\3:\4"),  # 20240325T130500
    (r"(\d\d:\d\d):(?=\D|$)", r"\1"),
)
FORMATS = (  # of dates whose separators are written as hyphens
    "%Y-%m-%d", "%d-%m-%Y", "%m-%d-%Y", "%d-%m-%y", "%m-%d-%y", "%y-%m-%d", "%d-%b-%Y", "%d-%B-%Y", "%d-%b-%y",
    "%b-%d-%Y", "%B-%d-%Y", "%Y-%b-%d", "%Y-%m", "%Y-%b", "%Y-%B", "%b-%Y", "%B-%Y", "%b-%y", "%b-%d", "%Y%m%d",
)  # fmt: skip
SOME = 20  # texts that say which formats to try
HALF_DAY = {"a": 0, "p": 12}
MONTH = re.compile(r"(1[6-9]|2[01])\d{2}-\d{2}")
COMPACT = {14: "%Y%m%d%H%M%S", 12: "%Y%m%d%H%M", 8: "%Y%m%d", 6: "%Y%m"}  # by their digits
PARTS = ("day", "month", "year")
ORDER = {
    True: ("%m-%d-%Y", "%m-%d-%y", "%y-%m-%d"),
    False: ("%d-%m-%Y", "%d-%m-%y", "%y-%m-%d"),
}  # formats that `day_first` excludes
FURTHEST = 18  # hours that a time zone can be from UTC
EARLIEST, LATEST = 1678, 2261  # years that nanoseconds can hold
YEARS = (1900, 2100)  # that whole numbers such as 20240325 are taken for
HINT = "write every date as 2024-03-25, or leave the column out with drop"
EITHER = "day_first: true or day_first: false, in a CSV; or write every date as 2024-03-25"


class Moments(NamedTuple):
    """Dates (N,), NaT where they are missing.

    Attributes:
        wall: as calendar and clock show them in their own time zone.
        instant: in UTC; the same, if no time zone is given.
    """

    wall: pd.DatetimeIndex
    instant: pd.DatetimeIndex

    def of(self, codes: NDArray[np.int64]) -> Moments:
        """The dates at these places; -1 is missing."""
        wall, instant = (np.append(each.to_numpy(), np.datetime64("NaT"))[codes] for each in self)
        return Moments(pd.DatetimeIndex(wall), pd.DatetimeIndex(instant))


class _Texts(NamedTuple):
    """Texts that look like dates, as columns (N,): the date, its separator, and the times since its midnight."""

    dates: pd.Series
    separators: pd.Series
    clock: pd.Series  # NaT if it is no time of day
    offset: pd.Series  # from UTC; NaT without one
    timed: pd.Series  # whether there is a time of day


def in_order(frame: pd.DataFrame, labels: Collection[str | None], *, day_first: bool) -> pd.DataFrame:
    """The frame of which dates such as 10/03/2004, where day and month cannot be told apart, are read with the day
    first, or with the month; other dates, and columns of `labels`, stay texts."""
    found = {}
    for name in (each for each in frame.columns if each not in labels and frame[each].dtype.kind == "O"):
        column = levels_of(frame[name])
        try:
            moments(*column, "")
        except DataError:
            with suppress(DataError):
                dates = moments(*column, "", day_first)
                if dates is not None and dates.wall.equals(dates.instant):
                    found[name] = dates.wall
    return frame.assign(**found) if found else frame


def moments(levels: Texts, codes: NDArray[np.int64], where: str, day_first: bool | None = None) -> Moments | None:
    """The dates of a column of texts, given as its different `levels` and the index of each row's text (N,) among them,
    -1 where it is missing. None if its texts are no dates. Where they can be read with the day first and with the
    month first, `day_first` says which it is.

    Raises:
        DataError: most texts are dates and some are not; day, month and year cannot be told apart; or some times have
            an offset from UTC and others do not.
    """
    counts = np.bincount(codes[codes >= 0], minlength=len(levels))
    plain = pd.Series([level.strip() for level in levels], dtype=object)
    absent = plain.str.lower().isin(MISSING).to_numpy()
    total = counts[~absent].sum()
    if not total:
        return None

    def shown(wrong: NDArray[np.bool_]) -> str:
        index = int(np.flatnonzero((codes >= 0) & wrong[codes])[0])
        return f"'{levels[codes[index]]}' in data row {index + 1}"

    read = _split(plain.where(~absent, None))
    midnight, ways = _dates(read, day_first)
    clock = read.clock.fillna(pd.Timedelta(0))
    if not midnight.dropna().dt.year.between(EARLIEST, LATEST).all() or not clock.dt.nanoseconds.any():
        clock = clock.dt.as_unit("us")
    wall = (midnight + clock).where(read.clock.notna() | ~read.timed)
    fine = wall.notna().to_numpy()
    if 2 * counts[fine].sum() <= total:
        return None
    if not fine[~absent].all():
        wrong = shown(~(fine | absent))
        raise DataError(f"{where} mixes date formats: {wrong}, but '{levels[fine.argmax()]}'", HINT)
    if ways:
        raise DataError(f"{where} holds dates whose {ways} cannot be told apart: {shown(fine)}", EITHER)
    zoned = read.offset.notna().to_numpy()
    if zoned.any() and (mixed := fine & ~zoned).any():
        text = f"{where} has times with an offset from UTC and times without: {shown(zoned)}, {shown(mixed)}"
        raise DataError(text, "write all with their offset, or all without")
    instant = wall - read.offset.fillna(pd.Timedelta(0))
    return Moments(pd.DatetimeIndex(wall), pd.DatetimeIndex(instant)).of(codes)


def compact(values: NDArray[Any], *, months: bool = False) -> Moments | None:
    """Whole numbers such as 20240325 or 20240325130500 as dates, and with `months` also 202403; None unless all of them
    (NaN is missing) are dates of one form, and not all the same."""
    if values.dtype.kind not in "iuf":
        return None
    known = values[~np.isnan(values)]
    if len(known) == 0 or not np.isfinite(known).all() or (known != np.round(known)).any():
        return None
    digits = len(str(int(known.max())))
    form = COMPACT.get(digits) if months or digits > 6 else None
    scale = 10 ** (digits - 4)
    if form is None or known.min() < YEARS[0] * scale or known.max() >= (YEARS[1] + 1) * scale:
        return None
    levels, codes = np.unique(known, return_inverse=True)
    dates = pd.to_datetime(pd.Series(levels.astype(np.int64)).astype(str), format=form, errors="coerce")
    if dates.isna().any() or len(levels) < 2:
        return None
    places = np.full(len(values), -1)
    places[~np.isnan(values)] = codes
    found = pd.DatetimeIndex(dates)
    return Moments(found, found).of(places)


def _split(plain: pd.Series) -> _Texts:
    for pattern, replacement in OTHERWISE:
        plain = plain.str.replace(pattern, replacement, regex=True)
    found = plain.str.extract(WRITTEN)
    whole = {name: pd.to_numeric(found[name].fillna("0")) for name in ("hour", "minute", "second")}
    hour, half = whole["hour"], found["half"].str.lower().str[0]
    hour = hour.where(half.isna(), hour % 12 + half.map(HALF_DAY).fillna(0))
    valid = (hour < 24) & (whole["minute"] < 60) & (whole["second"] < 60)
    valid &= half.isna() | whole["hour"].between(1, 12)
    nanoseconds = pd.to_numeric(found["fraction"].fillna("0").str[:9].str.ljust(9, "0"))
    seconds = (hour * 60 + whole["minute"]) * 60 + whole["second"]
    clock = pd.to_timedelta(seconds * 10**9 + nanoseconds, unit="ns")
    zone = found["zone"].str.lower().str.replace(":", "").replace({"z": "+0000", "utc": "+0000", "gmt": "+0000"})
    hours, rest = pd.to_numeric(zone.str[1:3]), pd.to_numeric(zone.str[3:5].replace("", "0"))
    valid &= zone.isna() | ((hours <= FURTHEST) & (rest < 60))
    minutes = hours * 60 + rest
    offset = pd.to_timedelta(minutes.where(zone.str[0] != "-", -minutes), unit="m")
    separators = found["date"].str.extract(r"(\W)")[0].fillna("").where(found["date"].notna())
    return _Texts(found["date"], separators, clock.where(valid), offset, found["hour"].notna())


def _dates(read: _Texts, day_first: bool | None) -> tuple[pd.Series, str]:
    """The dates of the texts in the format that fits most of them, NaT for others; and what cannot be told apart if
    another format fits as many: "day and month"."""
    nothing = pd.Series(pd.NaT, index=read.dates.index, dtype="datetime64[us]")
    usual = read.separators.mode()
    plain = read.dates.str.replace(r"[^\w]+", "-", regex=True).where(read.separators.isin(usual[:1]))
    known = plain.dropna().drop_duplicates()
    if known.empty:
        return nothing, ""
    some = known.iloc[:: max(1, len(known) // SOME)]  # in order of the alphabet, so of every kind as many as there are
    forms = [form for form in FORMATS if pd.to_datetime(some, format=form, errors="coerce").notna().any()]
    unusual = {"%Y-%m"} if _are_seasons(read.dates.dropna()) else set()
    unusual |= {"%y-%m-%d"} if usual[0] != "-" else set()
    if usual[0] == "." and not known.str.fullmatch(r"\d\d-\d\d-\d\d").all():
        unusual |= {"%d-%m-%y", "%m-%d-%y"}  # versions, such as 3.8.10
    forms = [form for form in forms if form not in unusual]
    by_form = {form: pd.to_datetime(plain, format=form, errors="coerce") for form in forms}
    if "%Y-%m-%d" in forms and "%Y-%m" in forms:  # both are of ISO 8601
        by_form["%Y-%m-%d"] = by_form["%Y-%m-%d"].fillna(by_form["%Y-%m"])
    if not by_form:
        return nothing, ""
    best = max(each.notna().sum() for each in by_form.values())
    fitting = {form: each for form, each in by_form.items() if each.notna().sum() == best}
    excluded = () if day_first is None else ORDER[day_first]
    first, *others = [each for form, each in fitting.items() if form not in excluded] or [*fitting.values()]
    differ = {
        part for each in others for part in PARTS
        if not getattr(first.dt, part).equals(getattr(each.dt, part))
    }  # fmt: skip
    parts = [part for part in PARTS if part in differ]
    return first, " and ".join([", ".join(parts[:-1]), *parts[-1:]]) if len(parts) > 1 else "".join(parts)


def _are_seasons(dates: pd.Series) -> bool:
    """Whether what could be months are years and the next ones, as 2010-11 and 2011-12 are."""
    months = [date for date in dates if MONTH.fullmatch(date)]
    return all((int(month[:4]) + 1) % 100 == int(month[5:]) for month in months)
