"""Cuts the rows once: outer folds, each chain's inner folds, the final chain; hashed, and checked to be disjoint."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from tuner.data.cuts import cut_of
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
    """The rows of one chain: its inner folds cut from `rows`, and its outer-test rows (none for `final`).

    `alone`: there are no outer folds, so its validation rows tell all that will be known."""

    name: str
    rows: Rows
    folds: tuple[Fold, ...]
    test: Rows
    alone: bool = False

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
    repeats: int = 1

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
        seen = cutter.cut.seen(parts, index)
        train = np.sort(np.concatenate(seen))
        chains.append(ChainPlan(f"outer-{number}", train, cutter.inner(train, number, seen), parts[index]))
    chains.append(ChainPlan(FINAL, rows, cutter.inner(rows, 0), rows[:0], alone=not chains))
    result = NestedPlan(tuple(chains), cutter.repeats)
    for chain in result.chains:
        chain.check()
        for train in (chain.rows, *(fold.train for fold in chain.folds)):
            if dataset.training_weights is not None and not dataset.training_weights[train].any():
                text = f"all {len(train)} rows that train a fold of {chain.name} weigh 0"
                raise DataError(text, "other weights, or fewer folds")
    return result


class _Cutter:
    """Outer and inner folds by one way to cut; `number` 0 is the first cut of all rows."""

    def __init__(self, resampling: Resampling, dataset: Dataset) -> None:
        self.cut = cut_of(resampling, dataset)
        inner, outer = resampling.inner, resampling.outer
        self.inner_folds = InnerFolds(folds=inner) if isinstance(inner, int) else inner
        self.repeats = outer.repeats if isinstance(outer, OuterFolds) else 1
        self.nested = outer != "none"
        asked = outer if isinstance(outer, int) else outer.folds if isinstance(outer, OuterFolds) else None
        self.final_folds = self.cut.count(asked)
        if self.repeats > 1 and not self.cut.repeatable:
            raise DataError("there is only one way to cut forward in time, or as told", "leave repeats out")

    def outer_folds(self, rows: Rows) -> Iterator[tuple[list[Rows], int]]:
        """Each outer fold as (the parts of its repeat, its own part)."""
        if self.nested:
            for repeat in range(self.repeats):
                parts = self._first_parts(rows, repeat)
                yield from ((parts, index) for index in range(self.cut.spare, len(parts)))

    def _first_parts(self, rows: Rows, repeat: int) -> list[Rows]:
        return self.cut.outer(rows, self.final_folds + self.cut.spare, repeat)

    def inner(self, rows: Rows, number: int, parts: list[Rows] | None = None) -> tuple[Fold, ...]:
        """A chain's inner folds: by default the parts of the outer cut that it may see, each validating once."""
        if not isinstance(self.inner_folds, InnerFolds):
            parts = self._first_parts(rows, 0) if parts is None else parts
            if len(parts) < 2 and self.cut.spare:
                raise DataError("what is left before the first test is one part, so it leaves no inner fold",
                                "fewer outer folds, or a smaller gap or horizon")  # fmt: skip
            if len(parts) < 2:
                raise DataError("resampling: outer: 2 leaves one part, so the inner folds cannot share the partition",
                                "set inner: 3, or more outer folds")  # fmt: skip
            return self._in_turn(parts)
        seed = 1000 * (number + 1)
        if self.inner_folds.holdout is not None:
            pairs = self.cut.holdout(rows, self.inner_folds.holdout, self.inner_folds.repeats, seed)
            return tuple(Fold(np.sort(train), np.sort(test)) for train, test in pairs)
        folds = (self.inner_folds.folds or 5) + min(self.cut.spare, 1)
        repeats = [self.cut.parts(rows, folds, seed + r) for r in range(self.inner_folds.repeats)]
        return tuple(fold for repeat in repeats for fold in self._in_turn(repeat))

    def _in_turn(self, parts: list[Rows]) -> tuple[Fold, ...]:
        """Every part validates in turn, but for one that nothing may train for."""
        return tuple(
            Fold(np.sort(np.concatenate(self.cut.seen(parts, index))), np.sort(parts[index]))
            for index in range(min(self.cut.spare, 1), len(parts))
        )


def _digest(groups: Iterable[Rows]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for rows in groups:
        digest.update(f"{len(rows)} ".encode())
        digest.update(rows.astype("<i8").tobytes())
    return digest.hexdigest()
