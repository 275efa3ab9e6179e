"""Time series to forecast: windows of the past and the steps that follow, from a CSV, TSV or Parquet file."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from tuner.data.dataset import Dataset
from tuner.data.inputs import Rows
from tuner.data.precision import Narrowed, as_numbers, narrow
from tuner.data.roles import Roles
from tuner.data.settings import NumberSettings
from tuner.data.target import Amounts, NaiveForecast
from tuner.errors import DataError
from tuner.sources.columns.dates import as_order, times
from tuner.sources.columns.moments import EARLIEST, LATEST
from tuner.sources.columns.standing import check_standing, held_times
from tuner.sources.columns.steps import Step, equal_steps
from tuner.sources.columns.written import as_written
from tuner.sources.loading.head import Head
from tuner.sources.readers.files import located
from tuner.sources.readers.frames import check_columns, check_complete, listed, read_frame
from tuner.sources.readers.numbers import numbers_of, typed
from tuner.sources.readers.settings import DelimitedSettings
from tuner.sources.table import Names

HISTORY = 12
STEPS = 10  # that a table must have to look like a series
LARGEST = 2**30  # numbers in all windows of all series


class Settings(NumberSettings, DelimitedSettings):
    name: Literal["forecast"] = "forecast"
    path: str = Field(description="the file, relative to the experiment file")
    target: Names = Field(description="the column to forecast, or a list that is forecast together")
    time: str | None = Field(None, description="column of numbers or dates at equal steps; default: as the rows stand")
    series: str | None = Field(None, description="column that names the series of a row, where there are several")
    features: str | tuple[str, ...] = Field((), description="further columns whose past is read too")
    history: int | None = Field(None, ge=1, le=100_000, description=f"steps that are read; default {HISTORY}")
    lags: tuple[int, ...] = Field((), description="steps back that are read, 1 the last, in the place of history")
    horizon: int = Field(1, ge=1, le=10_000, description="steps that are forecast")
    stride: int = Field(1, ge=1, le=100_000, description="steps from one window to the next")
    layout: Literal["flat", "sequence"] = Field("flat", description="flat: a row of numbers; sequence: of steps")
    season: int | None = Field(
        None, ge=1, le=1_000_000, description="steps of a season, which a dummy repeats; null: as the dates say, or 1"
    )


@dataclass(frozen=True, eq=False)
class Series:
    """One series in time: what is forecast (T, M), what is read (T, D), its times (T,), its step and its name."""

    targets: NDArray[np.float64]
    read: Narrowed
    when: NDArray[np.float64]
    step: Step
    name: str


@dataclass(frozen=True, eq=False)
class Windows:
    """Forecast windows of all series.

    Attributes:
        read: (N, lags, D), inputs.
        targets: (N, horizon · M), targets, step by step.
        naive: (N, horizon · M), the seasonal-naive forecast.
        last: (N, horizon · M), the last known values.
        order, until: (N,), time of the first and of the last target step.
    """

    read: NDArray[np.float32]
    targets: NDArray[np.float64]
    naive: NDArray[np.float64]
    last: NDArray[np.float64]
    order: NDArray[np.float64]
    until: NDArray[np.float64]


def load(settings: Settings, folder: Path) -> Dataset:
    """Windows, series after series: the steps up to t, and as targets (N, horizon · M) those after t, step by step."""
    path = located(folder, settings.path)
    frame = read_frame(path, settings, labels=(settings.series,))
    targets, features = listed(settings.target), listed(settings.features)
    _check(settings, frame, targets, features, path.name)
    frame, written = as_written(frame, [*targets, *features], path.name, settings)
    lags = _lags(settings, path.name)
    several = [*_series(settings, frame, targets, features, path.name)]
    windows = _windows(several, lags, settings, path.name)
    unused = [str(name) for name in frame.columns if name not in (*targets, *features)]
    names = [f"{column} {_at(1 - lag)}" for lag in lags for column in (*targets, *features)]
    flat, season = settings.layout == "flat", _season(several[0], settings)
    repeated = len(lags) if flat else 1
    read = Narrowed(
        windows.read.reshape(len(windows.read), -1) if flat else windows.read,
        np.tile(several[0].read.offsets, repeated),
        np.tile(several[0].read.coarse, repeated),
    )
    return Dataset(
        name=path.name,
        inputs=as_numbers(read, settings, names if flat else (*targets, *features)),
        target=Amounts(
            windows.targets,
            tuple(f"{column} {_at(k)}" for k in range(1, settings.horizon + 1) for column in targets),
            NaiveForecast(windows.naive, windows.last if season > 1 else None, season, settings.horizon),
        ),
        roles=Roles(order=windows.order, until=windows.until),
        notes=(*written, *(check_standing(frame, unused, path.name) if settings.time is None else ())),
    )


def _at(step: int) -> str:
    """ "t", "t-11" or "t+1"."""
    return f"t{step:+d}" if step else "t"


def _check(settings: Settings, frame: pd.DataFrame, targets: list[str], features: list[str], where: str) -> None:
    roles = [(key, getattr(settings, key)) for key in ("time", "series") if getattr(settings, key) is not None]
    named = [*(("target", c) for c in targets), *(("features", c) for c in features), *roles]
    if not targets:
        raise DataError(f"{where}: target names no column", "the column to forecast", "target")
    check_columns(frame, named, where)
    if settings.series is not None:
        check_complete(frame[settings.series], where, "series")
        if settings.time is None:
            text = f"{where}: several series can only be aligned by a time column"
            raise DataError(text, "time: the column of numbers or dates", "time")


def _lags(settings: Settings, where: str) -> list[int]:
    """Steps back, from the first to the last; 1 is the last that is known."""
    if not settings.lags:
        return list(range(settings.history or HISTORY, 0, -1))
    lags = sorted(set(settings.lags), reverse=True)
    if lags[-1] < 1 or len(lags) < len(settings.lags):
        raise DataError(f"lags are steps back from 1 up, each once, not {list(settings.lags)}", "lags: [1, 12]", "lags")
    if settings.history is not None:
        raise DataError("lags are in the place of history, and both are given", "leave one of them out", "lags")
    if settings.layout == "sequence":
        raise DataError("lags are not a sequence of equal steps", "layout: flat, or history", "lags")
    return lags


def _series(
    settings: Settings, frame: pd.DataFrame, targets: list[str], features: list[str], where: str
) -> Iterator[Series]:
    """Each series in time, in the order in which they first appear; all have the same step."""
    hint = "numbers only; another column to forecast?"
    for column in targets:
        numbers_of(frame[column], where, "target", hint)
        check_complete(frame[column], where, "target")
    both = [*(("target", c) for c in targets), *(("features", c) for c in features)]
    values = np.stack([numbers_of(frame[c], where, key, hint) for key, c in both], axis=1)
    read = narrow(values)
    when = None if settings.time is None else times(frame[settings.time], where)
    order = None if when is None else as_order(when.values)
    codes = np.zeros(len(frame), dtype=np.int64) if settings.series is None else pd.factorize(frame[settings.series])[0]
    by_series: Rows = np.argsort(codes, kind="stable")
    first: Series | None = None
    for rows in np.split(by_series, np.flatnonzero(np.diff(codes[by_series])) + 1):
        name = where if settings.series is None else f"{where}, series '{frame[settings.series].iloc[rows[0]]}'"
        step = Step(1)
        if when is not None:
            rows = rows[np.argsort(when.values[rows], kind="stable")]
            step = equal_steps(frame[settings.time], when, rows, name)
        at = np.arange(len(rows), dtype=np.float64) if order is None else order[rows]
        each = Series(values[rows, : len(targets)], replace(read, values=read.values[rows]), at, step, name)
        first = (first or each) if len(rows) > 1 else first
        if first is not None and len(rows) > 1 and step != first.step:
            text = f"{name} goes in steps of {step.words()}, and {first.name.partition(', ')[2]} of"
            raise DataError(f"{text} {first.step.words()}", "one step in a file", "time")
        yield each


def _windows(several: Sequence[Series], lags: list[int], settings: Settings, where: str) -> Windows:
    """Fill preallocated arrays lag by lag: with a million windows of a hundred steps there is no memory for a second
    copy."""
    last = [_last_known(series, lags, settings) for series in several]
    horizon, ends = settings.horizon, np.cumsum([len(now) for now in last]).tolist()
    count, width, outputs = ends[-1], several[0].read.values.shape[1], several[0].targets.shape[1]
    if count * (len(lags) * width + 2 * horizon * outputs) > LARGEST:
        text = f"{where} gives {count:,} windows of {len(lags):,} steps, too much for memory"
        raise DataError(text, "a larger stride, or fewer steps", "stride")
    read = np.empty((count, len(lags), width), dtype=np.float32)
    targets, naive, known = (np.empty((count, horizon, outputs)) for _ in range(3))
    order, until = np.empty(count), np.empty(count)
    for series, now, end in zip(several, last, ends, strict=True):
        rows = slice(end - len(now), end)
        season = _season(series, settings)
        for column, lag in enumerate(lags):
            read[rows, column] = series.read.values[now + 1 - lag]
        for ahead in range(1, horizon + 1):
            source = now + ahead - season * -(-ahead // season)
            targets[rows, ahead - 1] = series.targets[now + ahead]
            naive[rows, ahead - 1] = series.targets[np.where(source < 0, now, source)]
            known[rows, ahead - 1] = series.targets[now]
        order[rows], until[rows] = series.when[now + 1], series.when[now + horizon]
    return Windows(read, targets.reshape(count, -1), naive.reshape(count, -1), known.reshape(count, -1), order, until)


def _season(series: Series, settings: Settings) -> int:
    """Steps of a season: as the file says, or the dates; the same in all series, which have one step."""
    return series.step.season if settings.season is None else settings.season


def _last_known(series: Series, lags: list[int], settings: Settings) -> Rows:
    """The last step that each window knows, by its place in the series."""
    horizon, count = settings.horizon, len(series.when)
    if count < lags[0] + horizon:
        what = f"lags up to {lags[0]}" if settings.lags else f"history {lags[0]}"
        text = f"{series.name} has {count} steps, and {what} and horizon {horizon} need {lags[0] + horizon}"
        fits = count - horizon
        hint = f"history: {fits} or less" if fits > 0 else f"history: 1 and horizon: {count - 1} or less"
        raise DataError(text, hint if count > 1 else "drop that series", "lags" if settings.lags else "history")
    return np.arange(lags[0] - 1, count - horizon, settings.stride)


def as_series(table: dict[str, Any], head: Head) -> dict[str, Any] | None:
    """The settings of this source for the file of a `table`, which begins so; None unless its target is numeric, and
    another column has increasing times in equal steps in its first rows."""
    path, target, decimal = Path(table["path"]), table["target"], table.get("decimal", ".")
    frame = head.headed
    if target not in frame or not pd.api.types.is_numeric_dtype(typed(frame[target], decimal)):
        return None
    for column in (frame[name] for name in frame.columns if name != target):
        when = held_times(typed(column))
        if when is not None and when.wall is not None and not when.wall.year.isin(range(EARLIEST, LATEST + 1)).all():
            continue  # as the loader refuses them
        if when is None or len(when.values) < STEPS or not (when.values[1:] > when.values[:-1]).all():
            continue
        with suppress(DataError):
            equal_steps(typed(column), when, np.arange(len(when.values)), path.name)
            return {**table, "name": "forecast", "time": column.name}
    return None
