"""The statistics of the report, each with its source."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from scipy.special import stdtr, stdtrit

from tuner.experiment.selection import corrected_error

ALPHA = 0.05  # a difference with a smaller p-value is distinguishable from 0
ROUNDING = 1e-8  # relative: differences below it are those of rounding


@dataclass(frozen=True)
class Interval:
    """A mean and its two-sided confidence interval.

    Attributes:
        half: half width; None for a single value or equal values, which allow no interval.
        lowest, highest: limits of the quantity, which bound the interval: an accuracy is at most 1.
        independent: the interval is as narrow as that of independent rows.
    """

    mean: float
    half: float | None
    lowest: float = -math.inf
    highest: float = math.inf
    independent: bool = False

    @property
    def low(self) -> float | None:
        """Lower bound."""
        return None if self.half is None else max(self.mean - self.half, self.lowest)

    @property
    def high(self) -> float | None:
        """Upper bound."""
        return None if self.half is None else min(self.mean + self.half, self.highest)

    def within(self, lowest: float | None, highest: float | None) -> Interval:
        """This interval of a quantity that has these limits; None: no limit."""
        return replace(
            self,
            lowest=-math.inf if lowest is None else lowest,
            highest=math.inf if highest is None else highest,
        )


def corrected_interval(
    scores: Sequence[float], test_share: float, confidence: float = 0.95, *, max_independent: int | None = None
) -> Interval:
    """Mean of resampled test scores with the corrected resampled t interval (Nadeau & Bengio 2003).

    mean ± t(J−1) · √((1/J + n_test/n_train) · s²): the training sets overlap, so sd/√J would be far too narrow.

    Args:
        scores: J outer-test scores.
        test_share: n_test/n_train.
        confidence: coverage, 0 … 1.
        max_independent: count at most this many scores in J; None: all. Repeated splits of few groups are not more
            evidence (simulated in `benchmarks/intervals.py`).

    Returns:
        The interval; its half width is None with fewer than 2 scores, or equal ones.
    """
    mean, count = statistics.fmean(scores), min(len(scores), max_independent or len(scores))
    if count < 2:
        return Interval(mean, None)
    error = corrected_error(scores, test_share, max_independent)
    if error == 0:  # equal scores give no estimate of the error, and 0 would claim certainty
        return Interval(mean, None)
    return Interval(mean, float(stdtrit(count - 1, 0.5 + confidence / 2)) * error)


def prediction_interval(scores: Sequence[float], confidence: float = 0.95) -> Interval:
    """Mean of scores with the prediction interval of one more score of the same normal distribution: mean ± t(J−1) ·
    √((1 + 1/J) · s²)."""
    return corrected_interval(scores, 1.0, confidence)


def worsening_p(scores: Sequence[float], maximize: bool) -> float:
    """One-sided p-value of Kendall's (1938) test that scores get worse in the given order.

    Exact: the share of all orders with at least as many pairs whose later score is the worse one. A tie is half a pair.
    """
    sign, count = (-1 if maximize else 1), len(scores)
    pairs = [sign * (later - earlier) for earlier, later in combinations(scores, 2)]
    falling = sum((difference > 0) + (difference == 0) / 2 for difference in pairs)
    ways = [1]  # orders by their number of such pairs: the next score stands below any number of the earlier ones
    for size in range(2, count + 1):
        ways = [sum(ways[max(0, k - size + 1) : k + 1]) for k in range(len(ways) + size - 1)]
    return sum(ways[int(falling) :]) / math.factorial(count)


def expected_half_width(scores: Sequence[float], test_share: float, repeats: int) -> float:
    """The expected half width of the corrected interval with `repeats` times as many scores, given the present
    variance:
    more scores lower t and 1/J, but not n_test/n_train."""
    count = repeats * len(scores)
    error = math.sqrt((1 / count + test_share) * statistics.variance(scores))
    return float(stdtrit(count - 1, 0.975)) * error


def differences(first: Sequence[float], second: Sequence[float]) -> list[float]:
    """First minus second, fold by fold. Differences that are equal up to rounding become exactly equal."""
    found = [a - b for a, b in zip(first, second, strict=True)]
    rounding = ROUNDING * max((abs(value) for value in (*first, *second)), default=0.0)
    if not found or max(found) - min(found) > rounding:
        return found
    mean = statistics.fmean(found)
    return [mean if abs(mean) > rounding else 0.0] * len(found)


def corrected_p(differences: Sequence[float], test_share: float, max_independent: int | None = None) -> float | None:
    """Two-sided p-value of the corrected resampled t-test (Nadeau & Bengio 2003) that the mean difference is 0.

    Args:
        differences: one per outer fold.
        test_share: n_test/n_train.
        max_independent: count at most this many differences as independent evidence; None: all.

    Returns:
        The p-value; None with fewer than two folds, or the same difference in all.
    """
    error = corrected_error(differences, test_share, max_independent) if len(differences) > 1 else 0.0
    if error == 0:
        return None
    freedom = min(len(differences), max_independent or len(differences)) - 1
    return 2 * float(stdtr(freedom, -abs(statistics.fmean(differences)) / error))


@dataclass(frozen=True)
class EquivalenceProbabilities:
    """Probabilities that a difference lies below, within and above a region of practical equivalence."""

    worse: float
    equivalent: float
    better: float


def correlated_bayes(
    differences: Sequence[float], test_share: float, margin: float, max_independent: int | None = None
) -> EquivalenceProbabilities | None:
    """The correlated Bayesian t-test (Corani & Benavoli 2015; Benavoli, Corani, Demšar & Zaffalon 2017).

    The posterior of the mean difference is Student's t with J−1 degrees of freedom, around the mean of the differences,
    with scale √((1/J + ρ/(1−ρ)) · s²), where ρ = n_test/(n_test + n_train), so ρ/(1−ρ) is `test_share`.

    Args:
        differences: J differences, one per outer fold.
        test_share: n_test/n_train.
        margin: the region of practical equivalence is ± `margin`.
        max_independent: count at most this many differences in J; None: all.

    Returns:
        The probabilities; None if `corrected_p` is None, because then the posterior has no scale.
    """
    error = corrected_error(differences, test_share, max_independent) if len(differences) > 1 else 0.0
    if error == 0:
        return None
    mean, freedom = statistics.fmean(differences), min(len(differences), max_independent or len(differences)) - 1
    worse = float(stdtr(freedom, -(margin + mean) / error))
    better = float(stdtr(freedom, -(margin - mean) / error))
    return EquivalenceProbabilities(worse, 1 - worse - better, better)


def tibshirani(errors: Sequence[Sequence[float]]) -> float:
    """Estimated bias of the smallest cross-validation error of a flat search (Tibshirani & Tibshirani 2009).

    Given errors (configurations, folds): the mean over folds of the difference between the error of the chosen
    configuration and the smallest error in that fold. Add it to the error of the chosen configuration.
    """
    chosen = min(errors, key=statistics.fmean)
    return statistics.fmean(own - min(fold) for own, fold in zip(chosen, zip(*errors, strict=True), strict=True))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for their number (Holm 1979): the i-th smallest times the number of those that are not
    smaller, at most 1, and never below the one before it."""
    adjusted, floor = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        floor = max(floor, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = floor
    return adjusted
