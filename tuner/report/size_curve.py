"""Interprets a learning curve over training size: bias, variance, and the benefit of more data."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuner.report.results import Results
from tuner.report.tables import Table

EXPONENTS = np.linspace(0.05, 2.0, 40)
RESAMPLES = 200
VARIANCE = 0.5  # high variance: the training error is less than this share of the validation error …
BIAS = 0.9  # high bias: it is more than this share, more data would not help …
HARD = 0.1  # … and the validation error is more than this share of the dummy's
WORTH = 0.01  # more data would help: twice the rows reduce the error by more than this share
UNCLEAR = 0.1  # cannot tell: twice the rows may reduce the error by more than this share, or not at all


@dataclass(frozen=True)
class Point:
    """Number of training rows, and validation and training scores of the folds that have a score at every size."""

    rows: int
    validation: tuple[float, ...]
    training: tuple[float, ...]


@dataclass(frozen=True)
class PowerLaw:
    """error(n) = floor + scale · n^−exponent (Hestness et al. 2017), none of them negative."""

    floor: float
    scale: float
    exponent: float

    def at(self, rows: float) -> float:
        """The error with that many training rows."""
        return self.floor + self.scale * math.pow(rows, -self.exponent)


@dataclass(frozen=True)
class Extrapolation:
    """The extrapolation to twice the training rows.

    Attributes:
        now: validation error at the present size, by the power law.
        gain: reduction of the error with twice the rows.
        low, high: 95 % interval of the gain over resampled folds.
    """

    now: float
    gain: float
    low: float
    high: float


def points(results: Results) -> list[Point]:
    """The stored curve; a fold whose training failed at one size is left out at all sizes."""
    stored = results.study.curve.points if results.study.curve else ()
    folds = range(min((len(point.validation) for point in stored), default=0))
    whole = [f for f in folds if all(p.validation[f] is not None and p.training[f] is not None for p in stored)]
    return [
        Point(p.rows, tuple(p.validation[f] or 0.0 for f in whole), tuple(p.training[f] or 0.0 for f in whole))
        for p in stored
        if whole
    ]


def error(results: Results, score: float) -> float:
    """A score as an error, smaller is better: its distance from the best possible score."""
    if not results.maximize:
        return score
    highest = results.header.bounds[1]
    return (1.0 if highest is None else highest) - score


def fit(rows: Sequence[int], errors: Sequence[float]) -> PowerLaw:
    """Fit a power law by least squares: for each exponent, the best non-negative floor and scale."""
    from scipy.optimize import nnls

    wanted = np.asarray(errors)
    best: tuple[float, PowerLaw] | None = None
    for exponent in EXPONENTS:
        columns = np.column_stack([np.ones(len(wanted)), np.asarray(rows, dtype=float) ** -exponent])
        (floor, scale), left = nnls(columns, wanted)
        if best is None or left < best[0]:
            best = left, PowerLaw(float(floor), float(scale), float(exponent))
    assert best is not None
    return best[1]


def law(results: Results, curve: Sequence[Point]) -> PowerLaw:
    """The power law of the mean validation errors."""
    errors = [statistics.fmean(error(results, score) for score in point.validation) for point in curve]
    return fit([point.rows for point in curve], errors)


def extrapolate(results: Results, curve: Sequence[Point]) -> Extrapolation:
    """Extrapolate the validation error to twice the training rows by a power law.

    Args:
        results: the results, for the metric of the scores.
        curve: the learning curve over training size, smallest size first.

    Returns:
        The fitted error now, its expected reduction, and the reduction's 95 % bootstrap interval, in units of the
        metric. Whole folds are drawn with replacement, so that the gain is paired.
    """
    rows, highest = [point.rows for point in curve], curve[-1].rows
    errors = np.array([[error(results, score) for score in point.validation] for point in curve])
    rng, count = np.random.default_rng(0), errors.shape[1]

    def gain(of_folds: NDArray[np.float64]) -> tuple[float, float]:
        law = fit(rows, of_folds.mean(axis=1).tolist())
        return law.at(highest), law.at(highest) - law.at(2 * highest)

    drawn = [gain(errors[:, rng.integers(0, count, count)])[1] for _ in range(RESAMPLES)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Extrapolation(*gain(errors), float(low), float(high))


def verdict(results: Results, curve: Sequence[Point]) -> list[str]:
    """Sentences on the curve: high variance, high bias, whether more data would help, or enough data."""
    ahead, last = extrapolate(results, curve), curve[-1]
    learned = statistics.fmean(error(results, score) for score in last.training)
    now = statistics.fmean(error(results, score) for score in last.validation)
    hard = now > HARD * _dummy(results)
    helps = ahead.gain > WORTH * ahead.now and ahead.low > 0
    sign, last_score = -1 if results.maximize else 1, statistics.fmean(last.validation)
    low, high = results.header.bounds
    bounds = (-math.inf if low is None else low, math.inf if high is None else high)
    at = [float(np.clip(last_score - sign * gain, *bounds)) for gain in (ahead.gain, ahead.low, ahead.high)]
    taken = (f"with twice the rows expect {results.metric} about {at[0]:.3g} ({min(at[1:]):.3g} to {max(at[1:]):.3g}) "
             f"instead of {last_score:.3g}")  # fmt: skip
    text = []
    if learned < VARIANCE * now and hard:
        hint = "regularise, or get more data" if helps else "regularise"
        text.append(f"high variance: the error on training rows, {learned:.3g}, is far below the {now:.3g} on others; "
                    f"{hint}")  # fmt: skip
    if helps:
        text.append(f"more data would help: {taken}")
    elif ahead.high > UNCLEAR * ahead.now:
        text.append(f"cannot tell whether more data would help: {taken}")
    elif learned > BIAS * now and hard and now > 0:
        text.append(
            f"high bias: the error on training rows, {learned:.3g}, is nearly that on others, {now:.3g}, and {taken}; "
            "a larger model or other features, or it is as good as it gets"
        )
    else:
        text.append(f"enough data: {taken}" if text else f"enough: {taken}")
    return text


NOTE = (
    "The configuration was chosen on these validation rows, so the scores are optimistic and only the shape is "
    "meaningful; every size trained for as many steps."
)


def _dummy(results: Results) -> float:
    """The error of ignoring the features; 0 in a flat search, which has none."""
    scores = [fold.dummy.score for fold in results.folds if fold.dummy.score is not None]
    return error(results, statistics.fmean(scores)) if scores else 0.0


def table(results: Results, curve: Sequence[Point]) -> Table:
    """Mean scores with the range of the folds."""

    def band(scores: Sequence[float]) -> str:
        return f"{min(scores):.4g} … {max(scores):.4g}"

    rows = tuple(
        (p.rows, statistics.fmean(p.training), band(p.training), statistics.fmean(p.validation), band(p.validation))
        for p in curve
    )
    columns = ("training rows", f"{results.metric}, training", "range", f"{results.metric}, validation", "range ")
    return Table("Learning curve over training size", columns, rows, len(columns))
