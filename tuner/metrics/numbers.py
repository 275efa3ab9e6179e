"""Metrics of numbers, from outputs and targets (V, M). They equal scikit-learn's."""

from __future__ import annotations

from functools import partial

import numpy as np

from tuner.metrics.parts.baselines import equal_scores, mean, median, quantile, relative_median, searched
from tuner.metrics.parts.metric import Metric, OfSums, mean_of
from tuner.metrics.parts.metric import mean as mean_of_totals
from tuner.metrics.parts.order import rank_correlation
from tuner.metrics.parts.sums import Array, Floats, Sums

NUMBERS = ("regression",)
LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)  # of the pinball losses
LEAST = float(np.finfo(np.float64).eps)  # instead of a target of 0, as scikit-learn has it
RANKED = 3  # rows that a rank correlation needs: of two it is 1 or −1, whatever they are
ROUNDING = 4 * LEAST  # a share of squares that is rounding


def distance(outputs: Array, targets: Array) -> Floats:
    """Absolute error, averaged over the outputs."""
    return np.asarray(_absolute(outputs, targets).mean(axis=-1))


def square(outputs: Array, targets: Array) -> Floats:
    """Squared error, averaged over the outputs."""
    return np.asarray(np.square(_absolute(outputs, targets)).mean(axis=-1))


def relative(outputs: Array, targets: Array) -> Floats:
    """Absolute error / |target|, averaged over the outputs."""
    return np.asarray((_absolute(outputs, targets) / np.maximum(np.abs(targets), LEAST)).mean(axis=-1))


def symmetric(outputs: Array, targets: Array) -> Floats:
    """2 · absolute error / (|target| + |output|), averaged over the outputs; 0 where both are 0 (Makridakis 1993)."""
    sizes = np.abs(outputs.astype(np.float64)) + np.abs(targets)
    return np.asarray((2 * _absolute(outputs, targets) / np.maximum(sizes, LEAST)).mean(axis=-1))


def pinball(level: float, outputs: Array, targets: Array) -> Floats:
    """Pinball loss of the `level` quantile, averaged over the outputs (Koenker & Bassett 1978)."""
    missing = targets.astype(np.float64) - outputs
    return np.asarray(np.maximum(level * missing, (level - 1) * missing).mean(axis=-1))


def _absolute(outputs: Array, targets: Array) -> Floats:
    """The absolute error of each output (V, M)."""
    return np.abs(outputs.astype(np.float64) - targets)


def _squares(outputs: Array, targets: Array, sums: Sums) -> Floats:
    """The weight, and the squared errors of each output (G, 1 + M)."""
    errors = np.square(_absolute(outputs, targets))
    return sums.of(np.concatenate([np.ones((len(errors), 1)), errors], axis=1))


def rmse(totals: Floats) -> Floats:
    """Root of the mean squared error per output, averaged over the outputs; of totals (…, 1 + M)."""
    return np.asarray(np.sqrt(totals[..., 1:] / totals[..., :1]).mean(axis=-1))


def _spreads(outputs: Array, targets: Array, sums: Sums) -> Floats:
    """Rows that count, their weight, and per output the sums of deviations from the mean, of their squares, and of
    squared errors (G, 2 + 3M).

    The deviations are from the mean of all groups: squares of numbers far from 0 would lose the digits that matter."""
    known = sums.weights > 0
    mean = np.average(targets[known], axis=0, weights=sums.weights[known]) if known.any() else targets[:1]
    mean = np.clip(mean, targets.min(axis=0), targets.max(axis=0))  # of equal numbers it is that number
    deviations = targets - mean
    parts = [np.ones((len(targets), 1)), deviations, deviations**2, np.square(_absolute(outputs, targets))]
    rows = Sums(known.astype(np.float64), sums.groups, sums.group).of(parts[0])
    return np.concatenate([rows, sums.of(np.concatenate(parts, axis=1))], axis=1)


def r2(totals: Floats) -> Floats:
    """1 − squared error / variance per output, averaged; a constant target gives 1 if met exactly, else 0, and one row
    nan. Of totals (…, 2 + 3M)."""
    rows, weight = totals[..., 0], totals[..., 1:2]
    deviation, squares, error = np.split(totals[..., 2:], 3, axis=-1)
    spread = squares - deviation**2 / weight
    varied = spread > ROUNDING * squares
    ratio = np.where(varied, error / np.where(varied, spread, 1.0), error > 0)
    return np.where(rows > 1, (1 - ratio).mean(axis=-1), np.nan)


def _scaled_errors(outputs: Array, targets: Array, sums: Sums, naive: Floats) -> Floats:
    """The weight, and the absolute error over that of the naive forecast (V, M), averaged over the outputs (G, 2)."""
    return sums.of_mean((_absolute(outputs, targets) / naive).mean(axis=-1))


def naive_error(targets: Floats, naive: Floats, weights: Floats, horizon: int) -> Floats:
    """The scale (M,) of MASE: mean absolute error of the seasonal-naive forecast of the next step, on training rows of
    all series; the same for all steps of a column (Hyndman & Koehler 2006).

    Args:
        targets, naive: (N, M), the true and the forecast values of `horizon` steps, step after step.
        weights: (N,), how much each row counts.
    """
    first = slice(targets.shape[1] // horizon)  # the columns of the next step
    errors = np.abs(targets[:, first] - naive[:, first])
    return np.tile((weights @ errors) / max(weights.sum(), LEAST), horizon)


def spearman(outputs: Array, targets: Array, weights: Floats) -> float:
    """Rank correlation per output, averaged over the outputs; 0 where the outputs are all the same."""
    counts = weights > 0
    pairs = zip(targets[counts].T.astype(np.float64), outputs[counts].T.astype(np.float64), strict=True)
    found = [rank_correlation(true, predicted, weights[counts]) for true, predicted in pairs]
    return float(np.mean([np.nan if value is None else value for value in found]))


def _constant(least: int, targets: Array, needed: object) -> str | None:
    if len(targets) < least:
        return f"fewer than {least} rows count"
    return "a target is the same in all of them" if (np.ptp(targets, axis=0) == 0).any() else None


def _zero(targets: Array, needed: object) -> str | None:
    return "it divides by the target, which is 0 in some of them" if (targets == 0).any() else None


def _exact(targets: Array, naive: Array | None) -> str | None:
    exact = naive is not None and not (naive > 0).all()
    return "it divides by the error of the seasonal-naive forecast on the training rows, which is 0" if exact else None


def _symmetric(targets: Floats, constant: float) -> Floats:
    return symmetric(np.full((len(targets), 1), constant), targets[:, None])


METRICS = (
    Metric(name="rmse", tasks=NUMBERS, maximize=False, compute=OfSums(_squares, rmse), bounds=(0, None), baselines=mean,
           meaning="root mean squared error, in the target's units"),
    mean_of(square, name="mse", tasks=NUMBERS, maximize=False, bounds=(0, None), baselines=mean,
            meaning="mean squared error, in the square of the target's units"),
    mean_of(distance, name="mae", tasks=NUMBERS, maximize=False, bounds=(0, None), baselines=median,
            meaning="mean absolute error, in the target's units"),
    Metric(name="r2", tasks=NUMBERS, maximize=True, compute=OfSums(_spreads, r2), bounds=(None, 1), baselines=mean,
           meaning="share of the target's variance explained", undefined=partial(_constant, 2)),
    mean_of(relative, name="mape", tasks=NUMBERS, maximize=False, bounds=(0, None), baselines=relative_median,
            meaning="mean of absolute error / |target|: 0.1 is 10 %", undefined=_zero),
    mean_of(symmetric, name="smape", tasks=NUMBERS, maximize=False, bounds=(0, 2), baselines=searched(_symmetric),
            meaning="mean of 2 · absolute error / (|target| + |prediction|): 0.1 is 10 %"),
    Metric(name="mase", tasks=NUMBERS, maximize=False, compute=OfSums(_scaled_errors, mean_of_totals),
           bounds=(0, None), baselines=median, needs="naive", undefined=_exact,
           meaning="mean absolute error / that of the seasonal-naive forecast of the next step on the training rows "
                   "(Hyndman & Koehler 2006)"),
    *(
        mean_of(partial(pinball, level), name=f"pinball_{level:g}", tasks=NUMBERS, maximize=False, bounds=(0, None),
                baselines=quantile(level),
                meaning=f"pinball loss of the {level:g} quantile (Koenker & Bassett 1978)")
        for level in LEVELS
    ),
    Metric(name="spearman", tasks=NUMBERS, maximize=True, compute=spearman, bounds=(-1, 1), baselines=equal_scores,
           meaning="rank correlation of truth and prediction", undefined=partial(_constant, RANKED)),
)  # fmt: skip
