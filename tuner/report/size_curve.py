"""What a learning curve over training size says: bias, variance, and what more data would give."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.report.results import Results
from tuner.report.tables import Table

EXPONENTS = np.linspace(0.05, 2.0, 40)
RESAMPLES = 200
VARIANCE = 0.5  # high variance: the training error is less than this share of the validation error
BIAS = 0.9  # high bias: it is more than this share, and more data changes less than a hundredth of it …
HARD = 0.1  # … and the validation error is more than this share of the dummy's
WORTH = 0.01  # more data would help: twice the rows take at least this share off the error


@dataclass(frozen=True)
class Point:
    """Training rows, and the scores of every fold on validation and training rows."""

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
class Outlook:
    """The validation error now and with twice the rows, the latter with a 95 % interval over resampled folds."""

    now: float
    doubled: float
    low: float
    high: float


def points(results: Results) -> list[Point]:
    """The stored curve; folds whose training broke are left out."""
    found = []
    for raw in (results.study.curve or {}).get("points", ()):
        pairs = [
            (v, t) for v, t in zip(raw["validation"], raw["training"], strict=True) if v is not None and t is not None
        ]
        if pairs:
            found.append(Point(raw["rows"], tuple(v for v, _ in pairs), tuple(t for _, t in pairs)))
    return found


def error(results: Results, score: float) -> float:
    """A score as an error, smaller is better: what is missing to the best possible one."""
    if not results.maximize:
        return score
    most: Any = results.header["bounds"][1]
    return (1.0 if most is None else most) - score


def fit(rows: Sequence[int], errors: Sequence[float]) -> PowerLaw:
    """The power law of least squares: for every exponent the best floor and scale that are not negative."""
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


def outlook(results: Results, curve: Sequence[Point]) -> Outlook:
    """Extrapolated to twice the rows; folds are drawn with replacement for the interval."""
    rows, count = [point.rows for point in curve], min(len(point.validation) for point in curve)
    errors: NDArray[np.float64] = np.array(
        [[error(results, score) for score in point.validation[:count]] for point in curve]
    )
    twice, rng = 2 * rows[-1], np.random.default_rng(0)
    drawn = [fit(rows, errors[:, rng.integers(0, count, count)].mean(axis=1)).at(twice) for _ in range(RESAMPLES)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Outlook(float(errors[-1].mean()), fit(rows, errors.mean(axis=1).tolist()).at(twice), float(low), float(high))


def verdict(results: Results, curve: Sequence[Point]) -> list[str]:
    """In words: variance, bias, more data, or enough."""
    ahead, last = outlook(results, curve), curve[-1]
    learned = statistics.fmean(error(results, score) for score in last.training)
    said = []
    if learned < VARIANCE * ahead.now:
        said.append(
            f"high variance: the error on training rows, {learned:.3g}, is far below the {ahead.now:.3g} on others; "
            "regularise, or get more data"
        )
    helps = ahead.now - ahead.doubled > WORTH * ahead.now and ahead.high < ahead.now
    if helps:
        said.append(f"more data would help: twice the rows would give an error of about {ahead.doubled:.3g} "
                    f"({ahead.low:.3g} … {ahead.high:.3g}) instead of {ahead.now:.3g}, by a power law")  # fmt: skip
    if not helps and learned > BIAS * ahead.now > BIAS * HARD * _dummy(results):
        said.append(
            f"high bias: the error on training rows, {learned:.3g}, is nearly that on others, {ahead.now:.3g}, and "
            "more data changes little; a larger model or other features, or it is as good as it gets"
        )
    return said or [
        f"enough: twice the rows would give an error of about {ahead.doubled:.3g} instead of {ahead.now:.3g}"
    ]


def _dummy(results: Results) -> float:
    """The error of ignoring the features; 0 in a flat search, which has none."""
    scores = [fold.dummy for fold in results.folds if fold.dummy is not None]
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


def broken(curve: Sequence[Point]) -> bool:
    """Whether too few points are left to say anything."""
    return len(curve) < 3 or any(math.isnan(score) for point in curve for score in point.validation)
