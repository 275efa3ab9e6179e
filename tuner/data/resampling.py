"""Plans all folds of an experiment: outer folds, each chain's inner folds, the final chain; checked and hashed."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tuner.data.cuts import PredefinedSplit, splitter_of
from tuner.data.dataset import Dataset, disjoint
from tuner.data.inputs import Rows
from tuner.errors import DataError
from tuner.experiment.sections import InnerFolds, OuterFolds, Resampling

FINAL = "final"


@dataclass(frozen=True, eq=False)
class Fold:
    """Training rows, and the rows on which the model is scored."""

    train: Rows
    validation: Rows


@dataclass(frozen=True, eq=False)
class ChainPlan:
    """The rows of one chain: its inner folds cut from `rows`, and its outer-test rows (none for `final`).

    `alone`: there are no outer folds, so only the validation rows give a score."""

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
        """A hash of its rows and its outer-test rows, equal if two studies can be compared fold by fold."""
        return _digest((self.rows, self.test))

    def check(self) -> None:
        """Check that train ∩ validation ∩ test = ∅ for every fold; anything else is a bug, and stops the search."""
        for fold in self.folds:
            disjoint(fold.train, fold.validation, self.test)
        disjoint(self.rows, self.test)


@dataclass(frozen=True, eq=False)
class NestedPlan:
    """All chains: those of the outer folds first, `final` last.

    `repeatable`: another seed cuts other outer folds; `units`: how many rows, or groups of them, are never parted."""

    chains: tuple[ChainPlan, ...]
    repeats: int = 1
    repeatable: bool = True
    units: int = 0

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
    """Plan all folds of an experiment; the same settings and data give the same plan. Raises `DataError`."""
    cutter = _Cutter(resampling, dataset)
    chains, rows = [], cutter.rows
    for number, (parts, index) in enumerate(cutter.outer_folds(), start=1):
        seen = cutter.cut.seen(parts, index)
        train = np.sort(np.concatenate(seen))
        chains.append(ChainPlan(f"outer-{number}", train, cutter.inner(train, number, seen), parts[index]))
    chains.append(ChainPlan(FINAL, rows, cutter.inner(rows, 0), rows[:0], alone=not chains))
    result = NestedPlan(tuple(chains), cutter.repeats, cutter.repeatable, cutter.cut.units(rows))
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
        self.cut, self.rows = splitter_of(resampling, dataset), np.arange(len(dataset))
        outer = resampling.outer
        self.repeats = outer.repeats if isinstance(outer, OuterFolds) else 1
        self.nested = outer != "none"
        self.folds = self.cut.count(_wanted(outer))
        self.inner_folds = self._inner_folds(resampling)

    def _inner_folds(self, resampling: Resampling) -> InnerFolds | None:
        """The inner folds that each chain cuts for itself; None if they are the parts of the outer split.

        A split column of one or two parts leaves none to share, and then the inner folds are cut at random."""
        if resampling.inner == "shared":
            alone = isinstance(self.cut, PredefinedSplit) and self.folds + self.cut.spare < 3
            return InnerFolds(folds=5) if alone else None
        return InnerFolds(folds=resampling.inner) if isinstance(resampling.inner, int) else resampling.inner

    @cached_property
    def outer_parts(self) -> list[list[Rows]]:
        """All rows in parts, once per repeat."""
        possible = self.cut.possible_outer(self.rows, self.folds)
        return self._different(self.rows, self._outer_draws(), self.repeats, "outer", possible)

    def _outer_draws(self) -> Iterator[list[Rows]]:
        return (self.cut.outer(self.rows, self.folds + self.cut.spare, seed) for seed in itertools.count())

    @property
    def repeatable(self) -> bool:
        """Whether more than one partition into outer folds exists."""
        possible = self.cut.possible_outer(self.rows, self.folds)
        if not self.nested or possible is not None:
            return self.nested and possible != 1
        return self.repeats > 1 or len(_distinct(self._outer_draws(), 2)) > 1

    def outer_folds(self) -> Iterator[tuple[list[Rows], int]]:
        """Each outer fold as (the parts of its repeat, its own part)."""
        for parts in self.outer_parts if self.nested else ():
            yield from ((parts, index) for index in range(self.cut.spare, len(parts)))

    def inner(self, rows: Rows, number: int, parts: list[Rows] | None = None) -> tuple[Fold, ...]:
        """A chain's inner folds: by default the parts of the outer cut that it may see, each validating once."""
        if self.inner_folds is None:
            return self._shared(self.outer_parts[0] if parts is None else parts)
        seed, lead = 1000 * (number + 1), self.cut.lead
        wanted, folds = self.inner_folds.repeats, (self.inner_folds.folds or 5) + lead
        if self.inner_folds.holdout is not None:
            holdouts = self.cut.holdouts(rows, self.inner_folds.holdout, seed)
            pairs = self._different(rows, ([test, train] for train, test in holdouts), wanted, "inner")
            return tuple(Fold(np.sort(train), np.sort(test)) for test, train in pairs)
        possible = self.cut.possible(rows, folds - lead)
        draws = (self.cut.parts(rows, folds, each) for each in itertools.count(seed))
        return tuple(
            fold
            for parts in self._different(rows, draws, wanted, "inner", possible)
            for fold in self._in_turn(parts, lead)
        )

    def _different(
        self, rows: Rows, draws: Iterable[list[Rows]], wanted: int, key: str, possible: int | None = None
    ) -> list[list[Rows]]:
        """The first so many different partitions of the draws; `possible`: how many exist, if that is known."""
        found = _distinct(draws, wanted) if possible is None or possible >= wanted else []
        if len(found) < wanted:
            most = possible or len(found)
            ways, words = f"{most} way{'' if most == 1 else 's'}", self.cut.words(rows)
            text = f"{words} can be cut in {ways} only" if possible else f"only {ways} to cut {words} were found"
            raise DataError(f"{text}, and repeats: {wanted} asks for {wanted} different ones", f"repeats: {most}", key)
        return found

    def _shared(self, parts: list[Rows]) -> tuple[Fold, ...]:
        lead = min(self.cut.spare, 1)
        if len(parts) < 2 and self.cut.lead:
            raise DataError("only one part lies before the first test part, so there is no inner fold",
                            "fewer outer folds, or a smaller gap or horizon")  # fmt: skip
        if len(parts) < 2:
            raise DataError("resampling.outer: 2 leaves one part for training, so inner: shared is not possible",
                            "set inner: 3, or more outer folds")  # fmt: skip
        return self._in_turn(parts, lead)

    def _in_turn(self, parts: list[Rows], lead: int) -> tuple[Fold, ...]:
        """Every part validates in turn, but for the first `lead` ones, which only train."""
        return tuple(
            Fold(np.sort(np.concatenate(self.cut.seen(parts, index))), np.sort(parts[index]))
            for index in range(lead, len(parts))
        )


def _wanted(outer: int | str | OuterFolds | None) -> int | None:
    """The number of outer folds, if the experiment file has one."""
    if isinstance(outer, OuterFolds):
        return outer.folds if "folds" in outer.model_fields_set else None
    return outer if isinstance(outer, int) else None


def _distinct(draws: Iterable[list[Rows]], wanted: int) -> list[list[Rows]]:
    """The first so many partitions of the draws that differ in more than the order of their parts, or fewer.

    Drawing ends when nothing new has come for 20 times as many draws as there are partitions: one of equal probability
    is missed with a chance of 2e-9."""
    found: dict[frozenset[bytes], list[Rows]] = {}
    misses = 0
    for parts in draws:
        new = _partition(parts)
        misses = misses + 1 if new in found else 0
        found.setdefault(new, parts)
        if len(found) == wanted or misses > 20 * (len(found) + 1):
            break
    return list(found.values())


def _partition(parts: list[Rows]) -> frozenset[bytes]:
    """A key that is equal for the same parts in any order."""
    return frozenset(np.sort(part).tobytes() for part in parts)


def _digest(groups: Iterable[Rows]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for rows in groups:
        digest.update(f"{len(rows)} ".encode())
        digest.update(rows.astype("<i8").tobytes())
    return digest.hexdigest()
