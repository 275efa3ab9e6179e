"""Cuts the rows once: outer folds, each chain's inner folds, the final chain; hashed, and checked to be disjoint."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold, StratifiedShuffleSplit

from tuner.data.dataset import Dataset, Rows, disjoint
from tuner.errors import DataError
from tuner.spec.sections import InnerFolds, OuterFolds, Resampling

FINAL = "final"


@dataclass(frozen=True, eq=False)
class Fold:
    """Training rows and the rows that score them."""

    train: Rows
    validation: Rows


@dataclass(frozen=True, eq=False)
class ChainPlan:
    """The rows of one chain: its inner folds cut from `rows`, and its outer-test rows (none for `final`)."""

    name: str
    rows: Rows
    folds: tuple[Fold, ...]
    test: Rows

    @property
    def share(self) -> float:
        """Validation rows per training row of the inner folds."""
        return sum(len(fold.validation) / len(fold.train) for fold in self.folds) / len(self.folds)

    def digest(self) -> str:
        """A hash of its rows and its outer-test rows: equal where two studies can be paired fold by fold."""
        return _digest((self.rows, self.test))

    def check(self) -> None:
        """Train ∩ validation ∩ test = ∅, for every fold; anything else is a bug, and stops the search."""
        for fold in self.folds:
            disjoint(fold.train, fold.validation, self.test)
        disjoint(self.rows, self.test)


@dataclass(frozen=True, eq=False)
class NestedPlan:
    """Every chain, outer ones first and `final` last."""

    chains: tuple[ChainPlan, ...]

    def digest(self) -> str:
        """A hash of every split."""
        return _digest(
            rows
            for chain in self.chains
            for rows in (
                chain.rows,
                chain.test,
                *(part for fold in chain.folds for part in (fold.train, fold.validation)),
            )
        )


def plan(resampling: Resampling, dataset: Dataset) -> NestedPlan:
    """The whole plan of an experiment: same settings and data, same plan."""
    cutter = _Cutter(resampling, dataset)
    rows = np.arange(len(dataset))
    chains = []
    for number, (parts, index) in enumerate(cutter.outer_folds(rows), start=1):
        train = np.sort(np.concatenate([p for i, p in enumerate(parts) if i != index]))
        inner = cutter.inner(train, number, [p for i, p in enumerate(parts) if i != index])
        chains.append(ChainPlan(f"outer-{number}", train, inner, parts[index]))
    chains.append(ChainPlan(FINAL, rows, cutter.inner(rows, 0), rows[:0]))
    result = NestedPlan(tuple(chains))
    for chain in result.chains:
        chain.check()
    return result


class _Cutter:
    """Splits by scikit-learn, stratified for classes; `number` 0 is the first cut of all rows."""

    def __init__(self, resampling: Resampling, dataset: Dataset) -> None:
        self.seed = resampling.seed
        self.dataset = dataset
        self.stratify = dataset.task == "classification" if resampling.stratify == "auto" else resampling.stratify
        if self.stratify and dataset.task != "classification":
            raise DataError("resampling.stratify needs classes, and this is a regression", "leave stratify out")
        outer = resampling.outer
        self.outer = OuterFolds(folds=outer) if isinstance(outer, int) else outer
        inner = resampling.inner
        self.inner_folds = InnerFolds(folds=inner) if isinstance(inner, int) else inner
        self.final_folds = self.outer.folds if isinstance(self.outer, OuterFolds) else 5

    def outer_folds(self, rows: Rows) -> Iterator[tuple[list[Rows], int]]:
        """Each outer fold as (the parts of its repeat, its own part)."""
        if isinstance(self.outer, OuterFolds):
            for repeat in range(self.outer.repeats):
                parts = self.parts(rows, self.outer.folds, repeat)
                yield from ((parts, index) for index in range(len(parts)))

    def parts(self, rows: Rows, folds: int, seed: int) -> list[Rows]:
        """The rows cut into `folds` parts, sorted inside each."""
        self._check(rows, folds)
        kind = StratifiedKFold if self.stratify else KFold
        splitter = kind(folds, shuffle=True, random_state=(self.seed + seed) % 2**32)
        return [rows[test] for _, test in splitter.split(rows, self._labels(rows))]

    def inner(self, rows: Rows, number: int, parts: list[Rows] | None = None) -> tuple[Fold, ...]:
        """A chain's inner folds: by default the parts of the outer cut that it may see, each validating once."""
        if not isinstance(self.inner_folds, InnerFolds):
            parts = self.parts(rows, self.final_folds, 0) if parts is None else parts
            if len(parts) < 2:
                raise DataError("resampling: outer: 2 leaves one part, so the inner folds cannot share the partition",
                                "set inner: 3, or more outer folds")  # fmt: skip
            return _one_against_rest(parts)
        seed = 1000 * (number + 1)
        if self.inner_folds.holdout is not None:
            return self._holdout(rows, self.inner_folds, seed)
        folds = self.inner_folds.folds or 5
        repeats = [self.parts(rows, folds, seed + r) for r in range(self.inner_folds.repeats)]
        return tuple(fold for repeat in repeats for fold in _one_against_rest(repeat))

    def _holdout(self, rows: Rows, wish: InnerFolds, seed: int) -> tuple[Fold, ...]:
        kind = StratifiedShuffleSplit if self.stratify else ShuffleSplit
        try:
            splitter = kind(wish.repeats, test_size=wish.holdout, random_state=(self.seed + seed) % 2**32)
            splits = list(splitter.split(rows, self._labels(rows)))
        except ValueError as error:
            raise DataError(f"inner holdout {wish.holdout}: {error}", "take a larger share, or folds") from error
        return tuple(Fold(np.sort(rows[train]), np.sort(rows[test])) for train, test in splits)

    def _labels(self, rows: Rows) -> Rows | None:
        return self.dataset.targets[rows].astype(np.int64) if self.stratify else None

    def _check(self, rows: Rows, folds: int) -> None:
        if len(rows) < folds:
            raise DataError(f"{len(rows)} rows cannot be cut into {folds} folds", "fewer folds, or more rows")
        if self.stratify:
            counts = np.bincount(self.dataset.targets[rows].astype(np.int64), minlength=self.dataset.outputs)
            least = int(counts.argmin())
            if counts[least] < folds:
                text = f"class '{self.dataset.classes[least]}' has {counts[least]} rows, fewer than {folds} folds"
                raise DataError(text, "fewer folds, merge rare classes, or stratify: false")


def _digest(groups: Iterable[Rows]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for rows in groups:
        digest.update(f"{len(rows)} ".encode())
        digest.update(rows.astype("<i8").tobytes())
    return digest.hexdigest()


def _one_against_rest(parts: list[Rows]) -> tuple[Fold, ...]:
    rest = [np.sort(np.concatenate(parts[:i] + parts[i + 1 :])) for i in range(len(parts))]
    return tuple(Fold(train, np.sort(part)) for train, part in zip(rest, parts, strict=True))
