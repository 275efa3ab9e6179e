"""Splits forward in time: each part is tested by a model that was trained on the parts before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from tuner.data.dataset import Dataset, Pair
from tuner.data.inputs import Rows
from tuner.errors import DataError
from tuner.experiment.sections import Resampling


class TimeSeriesSplit:
    """Each part is the test set of a model trained on all earlier parts, without rows whose targets overlap the test
    period and without the `gap` rows just before it.

    Rows of one time are never parted. Nothing comes before the first part, and the second is spare so that the first
    outer fold has an inner one too.
    """

    spare, lead = 2, 1

    def __init__(self, resampling: Resampling, dataset: Dataset) -> None:
        self._gap = resampling.gap
        rows = np.arange(len(dataset))
        order = rows if dataset.roles.order is None else np.argsort(dataset.roles.order, kind="stable")
        self._place = np.empty(len(rows), dtype=np.int64)
        self._place[order] = rows
        self._time = rows if dataset.roles.order is None else dataset.roles.order
        self._until = self._time if dataset.roles.until is None else dataset.roles.until
        if resampling.stratify is True:
            raise DataError("resampling.stratify: true would mix past and future", "leave stratify out")

    def count(self, wanted: int | None) -> int:
        """How many parts are tested."""
        return 5 if wanted is None else wanted

    def units(self, rows: Rows) -> int:
        """The number of different times."""
        return len(np.unique(self._time[rows]))

    def words(self, rows: Rows) -> str:
        """The units in words, such as "61 rows"."""
        return f"{len(rows):,} rows in their order of time"

    def possible(self, rows: Rows, folds: int) -> int | None:
        """One: time has one order."""
        return 1

    possible_outer = possible

    def outer(self, rows: Rows, folds: int, seed: int) -> list[Rows]:
        """All rows in parts; the spare ones are never tested."""
        return self.parts(rows, folds, seed)

    def parts(self, rows: Rows, folds: int, seed: int) -> list[Rows]:
        """Parts of nearly equal size, one after another in time. Raises `DataError`."""
        ordered = self._in_time(rows)
        ends = np.cumsum([len(part) for part in np.array_split(ordered, folds)]).tolist()
        starts = [0, *(self._change(ordered, end) for end in ends[:-1]), len(rows)]
        parts = [np.sort(ordered[start:stop]) for start, stop in pairwise(starts)]
        if not all(map(len, parts)):
            text = f"{len(rows)} rows of {self.units(rows)} different times cannot be cut into {folds} parts"
            raise DataError(text, "fewer folds, or more rows")
        return parts

    def _change(self, ordered: Rows, index: int) -> int:
        """The first position, from this one on, at which a later time begins."""
        times = self._time[ordered]
        later = np.flatnonzero(times[index:] != times[index - 1]) if index else np.zeros(1, dtype=np.int64)
        return index + int(later[0]) if len(later) else len(ordered)

    def seen(self, parts: Sequence[Rows], index: int) -> list[Rows]:
        """The parts before part `index`, less what reaches into it, less the gap. Raises `DataError`."""
        kept = self._before(np.concatenate(parts[:index]), parts[index])
        if not len(kept):
            text = f"a gap of {self._gap} rows" if self._gap else "targets that reach into the rows that test"
            raise DataError(f"{text} leaves nothing to train on", "a smaller gap or horizon, or fewer folds")
        seen = (part[np.isin(part, kept)] for part in parts[:index])
        return [part for part in seen if len(part)]

    def _before(self, rows: Rows, test: Rows) -> Rows:
        """The rows in time whose targets are known before the first of `test` begins, less the gap."""
        known = self._in_time(rows[self._until[rows] < self._time[test].min()])
        return known[: max(0, len(known) - self._gap)]

    def holdouts(self, rows: Rows, share: float, seed: int) -> Iterator[Pair]:
        """The only such split: the last share of the rows is scored. Raises `DataError`."""
        order = self._in_time(rows)
        first = self._change(order, len(order) - max(1, round(share * len(order))))
        train = self._before(order[:first], order[first:]) if first < len(order) else order[:0]
        if not len(train):
            raise DataError(f"inner holdout {share} forward in time leaves nothing to train on", "a smaller share")
        yield np.sort(train), np.sort(order[first:])

    def _in_time(self, rows: Rows) -> Rows:
        return rows[np.argsort(self._place[rows], kind="stable")]
