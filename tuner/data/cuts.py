"""Splitters, which cut rows into parts: at random, in whole groups, or as a column names them."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
)

from tuner.data.dataset import Dataset, Pair
from tuner.data.forward import TimeSeriesSplit
from tuner.data.inputs import Rows
from tuner.data.roles import NEVER_TESTED
from tuner.data.strata import STRATIFIED, strata
from tuner.errors import DataError, either
from tuner.experiment.sections import Resampling

ENDLESS = 10**6  # number of random splits to offer: practically unlimited
MANY = 20  # units: more can be cut into fewer folds in over 100 ways, and no more repeats can be asked for


class Splitter(Protocol):
    """Splits rows into outer and inner folds.

    `spare`: leading outer parts that are only trained on; `lead`: the same of inner parts. `units`: how many sets of
    rows are kept together, and `words` for them. `possible`: how many partitions into so many parts exist,
    `possible_outer` into outer folds; None if unknown. `holdouts`: endless random splits, or the only one there is."""

    spare: int
    lead: int

    def __init__(self, resampling: Resampling, dataset: Dataset) -> None: ...
    def count(self, wanted: int | None) -> int: ...
    def units(self, rows: Rows) -> int: ...
    def words(self, rows: Rows) -> str: ...
    def possible(self, rows: Rows, folds: int) -> int | None: ...
    def possible_outer(self, rows: Rows, folds: int) -> int | None: ...
    def outer(self, rows: Rows, folds: int, seed: int) -> list[Rows]: ...
    def parts(self, rows: Rows, folds: int, seed: int) -> list[Rows]: ...
    def seen(self, parts: Sequence[Rows], index: int) -> list[Rows]: ...
    def holdouts(self, rows: Rows, share: float, seed: int) -> Iterator[Pair]: ...


def splitter_of(resampling: Resampling, dataset: Dataset) -> Splitter:
    """The splitter that the settings ask for. Raises `DataError` if the data cannot be split in that way."""
    kind = kind_of(resampling, dataset)
    if dataset.roles.until is not None and kind != "time":
        text = f"forecast windows overlap, so a {kind} split would leak targets of test windows into training windows"
        raise DataError(text, "leave resampling.kind out: the default is time")
    cuts: dict[str, type[Splitter]] = {
        "split": PredefinedSplit,
        "time": TimeSeriesSplit,
        "random": RandomSplit,
        "groups": GroupSplit,
    }
    return cuts[kind](resampling, dataset)


def kind_of(resampling: Resampling, dataset: Dataset) -> str:
    """The kind of split: as the settings say, or with `auto` as the data suggests. Raises `DataError`."""
    if resampling.kind != "auto":
        return resampling.kind
    columns = {"split": dataset.roles.split, "time": dataset.roles.order, "groups": dataset.roles.groups}
    given = [kind for kind, column in columns.items() if column is not None]
    if len(given) > 1:
        text = f"the dataset names {' and '.join(given)}, and rows can be cut by one of them only"
        raise DataError(text, f"resampling.kind: {either(given)}; or leave the others out", "kind")
    return given[0] if given else "random"


class RandomSplit:
    """Splits rows at random; with `stratify`, each part has the same share of every class (scikit-learn's K-folds)."""

    spare = lead = 0

    def __init__(self, resampling: Resampling, dataset: Dataset) -> None:
        self._seed, self._dataset = resampling.seed, dataset
        requested = resampling.stratify
        self._stratify = dataset.task in STRATIFIED if requested == "auto" else requested
        if self._stratify and dataset.task not in STRATIFIED:
            text = f"resampling.stratify needs classes or labels, and {dataset.name} is a {dataset.task} task"
            raise DataError(text, "leave stratify out")

    def count(self, wanted: int | None) -> int:
        """How many parts are tested."""
        return 5 if wanted is None else wanted

    def units(self, rows: Rows) -> int:
        """The number of rows."""
        return len(rows)

    def words(self, rows: Rows) -> str:
        """The units in words, such as "61 rows"."""
        return f"{len(rows):,} rows"

    def possible(self, rows: Rows, folds: int) -> int | None:
        """Unknown where class shares restrict it, unless every part is one unit."""
        units = self.units(rows)
        return None if self._stratify and units > folds else partitions(units, folds)

    def possible_outer(self, rows: Rows, folds: int) -> int | None:
        """As for inner folds."""
        return self.possible(rows, folds)

    def outer(self, rows: Rows, folds: int, seed: int) -> list[Rows]:
        """All rows, in the parts that the outer folds test."""
        return self.parts(rows, folds, seed)

    def parts(self, rows: Rows, folds: int, seed: int) -> list[Rows]:
        """The rows in `folds` parts, each sorted."""
        self._check(rows, folds)
        kind = StratifiedKFold if self._stratify else KFold
        splitter = kind(folds, shuffle=True, random_state=self._state(seed))
        return [rows[test] for _, test in splitter.split(rows, self._strata(rows, folds))]

    def seen(self, parts: Sequence[Rows], index: int) -> list[Rows]:
        """The parts that may be trained on if part `index` is tested."""
        return [part for position, part in enumerate(parts) if position != index]

    def holdouts(self, rows: Rows, share: float, seed: int) -> Iterator[Pair]:
        """Splits of the rows, of which `share` is scored. Raises `DataError`."""
        kind = StratifiedShuffleSplit if self._stratify else ShuffleSplit
        try:
            splitter = kind(ENDLESS, test_size=share, random_state=self._state(seed))
            for train, test in splitter.split(rows, self._strata(rows, 2)):
                yield rows[train], rows[test]
        except ValueError as error:
            raise DataError(f"inner holdout {share}: {error}", "take a larger share, or folds") from error

    def _state(self, seed: int) -> int:
        return (self._seed + seed) % 2**32

    def _strata(self, rows: Rows, folds: int) -> Rows | None:
        return strata(self._dataset, rows, folds) if self._stratify else None

    def _check(self, rows: Rows, folds: int) -> None:
        if len(rows) < folds:
            raise DataError(f"{len(rows)} rows cannot be cut into {folds} folds", "fewer folds, or more rows")
        if self._stratify and self._dataset.classes:
            dataset = self._dataset
            counts = np.bincount(dataset.targets[rows].astype(np.int64), minlength=dataset.outputs)
            least = int(counts.argmin())
            if counts[least] < folds:
                text = f"class '{dataset.classes[least]}' has {counts[least]} rows, fewer than {folds} folds"
                raise DataError(text, "fewer folds, merge rare classes, or resampling.stratify: false")


class GroupSplit(RandomSplit):
    """Keeps the rows of a group together; with `stratify`, class shares are as equal as whole groups allow."""

    def __init__(self, resampling: Resampling, dataset: Dataset) -> None:
        super().__init__(resampling, dataset)
        self._groups = _present(dataset.roles.groups, "groups", "dataset.groups names the column")

    def units(self, rows: Rows) -> int:
        """The number of groups."""
        return len(np.unique(self._groups[rows]))

    def words(self, rows: Rows) -> str:
        """The units in words, such as "5 groups"."""
        return f"{self.units(rows):,} groups"

    def parts(self, rows: Rows, folds: int, seed: int) -> list[Rows]:
        """Parts of whole groups, nearly equal in size, by `stratify` also in their classes. Raises `DataError`."""
        groups = self._groups[rows]
        found = self.units(rows)
        if found < folds:
            raise DataError(f"{found} groups cannot be cut into {folds} folds", "fewer folds, or more groups")
        labels = self._strata(rows, folds)
        if labels is not None and folds < found and np.bincount(labels - labels.min()).max() >= folds:
            splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=self._state(seed))
        else:  # nothing to balance: each group is a fold, or no class has a row for each fold
            splitter = GroupKFold(folds, shuffle=True, random_state=self._state(seed))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)  # as equal as groups allow
            parts = [rows[test] for _, test in splitter.split(rows, labels, groups)]
        if min(map(len, parts)) == 0:
            raise DataError(f"the groups are too unequal for {folds} folds: one is empty", "fewer folds")
        return parts

    def holdouts(self, rows: Rows, share: float, seed: int) -> Iterator[Pair]:
        """As whole groups; the share is of groups, by `stratify` one of so many parts as fit it. Raises `DataError`."""
        if self._stratify:
            folds = max(2, round(1 / share))
            for repeat in range(ENDLESS):
                parts = self.parts(rows, folds, seed + repeat)
                yield np.concatenate(self.seen(parts, 0)), parts[0]
        try:
            splitter = GroupShuffleSplit(ENDLESS, test_size=share, random_state=self._state(seed))
            for train, test in splitter.split(rows, None, self._groups[rows]):
                yield rows[train], rows[test]
        except ValueError as error:
            raise DataError(f"inner holdout {share}: {error}", "take a larger share, or folds") from error


class PredefinedSplit(RandomSplit):
    """The outer parts are named, one per value of `split`; inner folds that share nothing are cut at random, or in
    whole groups where the data has groups.

    Rows that are never tested are a spare part: they train in every outer fold."""

    def __init__(self, resampling: Resampling, dataset: Dataset) -> None:
        super().__init__(resampling, dataset)
        self._split = _present(dataset.roles.split, "split", "dataset.split names the column")
        self.spare = int((self._split == NEVER_TESTED).any())
        self._inner = GroupSplit(resampling, dataset) if dataset.roles.groups is not None else None

    def parts(self, rows: Rows, folds: int, seed: int) -> list[Rows]:
        """As for a random split, or one by groups."""
        return self._inner.parts(rows, folds, seed) if self._inner else super().parts(rows, folds, seed)

    def holdouts(self, rows: Rows, share: float, seed: int) -> Iterator[Pair]:
        """As for a random split, or one by groups."""
        return self._inner.holdouts(rows, share, seed) if self._inner else super().holdouts(rows, share, seed)

    def possible(self, rows: Rows, folds: int) -> int | None:
        """As for a random split, or one by groups."""
        return self._inner.possible(rows, folds) if self._inner else super().possible(rows, folds)

    def count(self, wanted: int | None) -> int:
        """The number of outer folds that the column names; `wanted` must be that or None. Raises `DataError`."""
        found = len(np.unique(self._split)) - self.spare
        if found + self.spare < 2:
            text = "the split column has the same value in every row, so that no row can train for another"
            raise DataError(text, "name at least two parts, or leave dataset.split out")
        if wanted not in (None, found):
            text = (
                f"the split column names {found} outer fold{'' if found == 1 else 's'}, and resampling.outer {wanted}"
            )
            raise DataError(text, "leave resampling.outer out", "outer")
        return found

    def words(self, rows: Rows) -> str:
        """The units in words, such as "61 rows"."""
        return f"{len(rows):,} rows with a split column"

    def possible_outer(self, rows: Rows, folds: int) -> int | None:
        """The split that the column names."""
        return 1

    def outer(self, rows: Rows, folds: int, seed: int) -> list[Rows]:
        """One part per value of the split, whatever the seed; those that are never tested come first."""
        return [rows[self._split[rows] == value] for value in np.unique(self._split)]


def partitions(units: int, folds: int) -> int | None:
    """The number of partitions of `units` units into `folds` unordered folds of nearly equal size: exact up to `MANY`
    units, or with one unit per fold, else `ENDLESS`. None if there are fewer units than folds."""
    if units < folds:
        return None
    if units > max(folds, MANY):
        return ENDLESS
    sizes = [units // folds + (fold < units % folds) for fold in range(folds)]
    orders = math.prod(math.factorial(size) for size in sizes)
    return math.factorial(units) // (orders * math.prod(map(math.factorial, Counter(sizes).values())))


def _present(values: NDArray[np.int64] | None, what: str, hint: str) -> NDArray[np.int64]:
    if values is None:
        raise DataError(f"resampling.kind: {what} needs {what}, and the data has none", hint)
    return values
