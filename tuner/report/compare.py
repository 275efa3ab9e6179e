"""Compares studies on the same outer folds, with paired and corrected tests."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from tuner.errors import UsageError
from tuner.report.results import Results
from tuner.report.statistics import (
    EquivalenceProbabilities,
    Interval,
    corrected_interval,
    corrected_p,
    correlated_bayes,
    differences,
    holm,
)

MARGIN = 0.01  # default: absolute for a metric with a largest and a smallest value, else relative to the mean score


@dataclass(frozen=True)
class ComparedStudy:
    """A study in the comparison, on the outer folds that are scored in all studies."""

    label: str
    results: Results
    scores: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean score over those folds."""
        return statistics.fmean(self.scores)


@dataclass(frozen=True)
class PairComparison:
    """Two studies, the better one first: the difference of their outer scores, positive where the first is better.

    `p` is that of the corrected resampled t-test, `adjusted` with Holm's correction for all pairs (the same for one).
    With one fold, or the same difference in all folds, there is no test: both, `equivalence` and the half
    width are None.
    """

    first: str
    second: str
    gain: Interval
    p: float | None
    adjusted: float | None
    equivalence: EquivalenceProbabilities | None


@dataclass(frozen=True)
class Comparison:
    """All studies, best first, and every pair of them; `folds` of `planned` outer folds are scored in all. `left_out`
    says which studies cannot be compared with these, and why."""

    studies: tuple[ComparedStudy, ...]
    pairs: tuple[PairComparison, ...]
    margin: float
    folds: int
    planned: int
    left_out: tuple[str, ...] = ()


def compare(named: Sequence[tuple[str, Results]], margin: float | None = None) -> Comparison:
    """Compare studies pairwise on the outer folds that all of them have scored; those that cannot be compared with the
    others are left out.

    Args:
        named: (label, results) of two or more studies.
        margin: region of practical equivalence, in units of the metric; None: 0.01, or 1 % of the mean score for
            metrics without bounds.

    Returns:
        Studies and pairs, best first, with p-values adjusted by Holm's method.

    Raises:
        UsageError: fewer than two studies, no common scored fold, or different metrics, targets or outer folds.
    """
    named, left_out = _comparable(named)
    _, some = named[0]
    common = [number for number in range(len(some.folds)) if all(r.folds[number].score is not None for _, r in named)]
    if not common:
        raise UsageError("no outer fold has been scored in all of the studies yet", "let them go on: tuner search")
    sign = 1 if some.maximize else -1
    studies = [ComparedStudy(label, r, tuple(r.folds[n].score or 0.0 for n in common)) for label, r in named]
    studies.sort(key=lambda study: -sign * study.mean)
    if margin is None:
        bounded = None not in some.header.bounds
        margin = MARGIN if bounded else MARGIN * statistics.fmean(abs(study.mean) for study in studies)
    pairs = [_compare_pair(a, b, sign, some, margin) for a, b in combinations(studies, 2)]
    tested = [index for index, pair in enumerate(pairs) if pair.p is not None]
    for index, p in zip(tested, holm([pair.p for pair in pairs if pair.p is not None]), strict=True):
        pairs[index] = replace(pairs[index], adjusted=p)
    return Comparison(tuple(studies), tuple(pairs), margin, len(common), len(some.folds), left_out)


def _compare_pair(
    first: ComparedStudy, second: ComparedStudy, sign: int, some: Results, margin: float
) -> PairComparison:
    better, worse = (first, second) if sign > 0 else (second, first)
    found, share, max_independent = differences(better.scores, worse.scores), some.test_share, some.max_independent
    gain = corrected_interval(found, share, max_independent=max_independent)
    p, equivalence = corrected_p(found, share, max_independent), correlated_bayes(found, share, margin, max_independent)
    return PairComparison(first.label, second.label, gain, p, None, equivalence)


def _comparable(named: Sequence[tuple[str, Results]]) -> tuple[list[tuple[str, Results]], tuple[str, ...]]:
    """The largest group of studies that can be compared with each other, and why the others are left out. Raises
    `UsageError` if no two can be compared."""
    if len(named) < 2:
        raise UsageError("there is only one study to compare", "name another file, or one that holds several")
    scored = [(label, results) for label, results in named if results.flat or results.scored]
    groups = [[(label, r) for label, r in scored if _difference(some, r) is None] for _, some in scored]
    group = max(groups, key=len, default=[])
    if len(group) < 2:
        (_, some), others = named[0], named[1:]
        found = ((other, _difference(some, results)) for other, results in others)
        for other, difference in found:
            if difference is not None:
                raise UsageError(f"'{named[0][0]}' and '{other}' {difference[0]}", difference[1])
        raise UsageError("no outer fold has been scored in all of the studies yet", "let them go on: tuner search")
    kept = {label for label, _ in group}
    return group, tuple(f"{label}: {_why(results, *group[0])}" for label, results in named if label not in kept)


def _why(results: Results, label: str, some: Results) -> str:
    difference = _difference(results, some)
    return "no outer fold is scored yet" if difference is None else f"it and '{label}' {difference[0]}"


def _difference(some: Results, results: Results) -> tuple[str, str] | None:
    """What forbids to compare two studies, and a hint; None if nothing does."""
    if results.flat or some.flat:
        return "cannot be compared: a flat search has no outer folds", "resampling: {outer: 5}"
    if results.metric != some.metric:
        return f"have different metrics, {some.metric} and {results.metric}", "search with the same metric"
    if results.header.dataset.truth != some.header.dataset.truth:
        return "are of different data: their targets differ", "search on the same rows"
    if [fold.digest for fold in some.folds] != [fold.digest for fold in results.folds]:
        hint = "the same resampling (outer, kind, stratify, seed) and dataset.groups, time or split in both files"
        return "have different outer folds, so they cannot be paired", hint
    return None
