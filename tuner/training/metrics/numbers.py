"""Metrics of numbers: outputs and targets (…, V, M), weights (…, V) → (…). They equal scikit-learn's on each set."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuner.data.dataset import Dataset, Rows
from tuner.ranking import Floats, rank_correlation
from tuner.training.metrics.guesses import equal_scores, mean, median, quantile, relative_median, searched
from tuner.training.metrics.metric import Metric, mean_of

NUMBERS = ("regression",)
LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)  # of the pinball losses
LEAST = float(np.finfo(np.float64).eps)  # instead of a target of 0, as scikit-learn has it
RANKED = 3  # rows that a rank correlation needs: of two it is 1 or −1, whatever they are


def distance(outputs: Tensor, targets: Tensor) -> Tensor:
    """Absolute error, averaged over the outputs."""
    return (outputs.double() - targets.double()).abs().mean(-1)


def square(outputs: Tensor, targets: Tensor) -> Tensor:
    """Squared error, averaged over the outputs."""
    return (outputs.double() - targets.double()).square().mean(-1)


def relative(outputs: Tensor, targets: Tensor) -> Tensor:
    """Absolute error / |target|, averaged over the outputs."""
    targets = targets.double()
    return ((outputs.double() - targets).abs() / targets.abs().clamp(min=LEAST)).mean(-1)


def symmetric(outputs: Tensor, targets: Tensor) -> Tensor:
    """2 · absolute error / (|target| + |output|), averaged over the outputs; 0 where both are 0 (Makridakis 1993)."""
    outputs, targets = outputs.double(), targets.double()
    return (2 * (outputs - targets).abs() / (outputs.abs() + targets.abs()).clamp(min=LEAST)).mean(-1)


def pinball(level: float, outputs: Tensor, targets: Tensor) -> Tensor:
    """What is missing times the level, or what is too much times 1 − level, averaged over the outputs."""
    missing = targets.double() - outputs.double()
    return torch.maximum(level * missing, (level - 1) * missing).mean(-1)


def _mean_error(errors: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean over the rows of a set, per output: (…, V, M) → (…, M)."""
    weights = weights[..., None]
    return (errors.where(weights > 0, 0.0) * weights).sum(-2) / weights.sum(-2)


def rmse(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Root of the mean squared error per output, averaged over the outputs."""
    return _mean_error((outputs.double() - targets.double()).square(), weights).sqrt().mean(-1)


def r2(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """1 − squared error / variance per output, averaged; a constant target gives 1 if met exactly, else 0, and one row
    nan."""
    targets = targets.double()
    error = _mean_error((outputs.double() - targets).square(), weights)
    spread = _mean_error((targets - _mean_error(targets, weights)[..., None, :]).square(), weights)
    ratio = error / spread.where(spread > 0, 1.0)
    score = (1 - ratio.where(spread > 0, (error > 0).double())).mean(-1)
    return score.where((weights > 0).sum(-1) > 1, torch.nan)


def scaled_error(outputs: Tensor, targets: Tensor, weights: Tensor, naive: Tensor) -> Tensor:
    """Mean absolute error per output over that of the naive forecast, `naive` (…, M), averaged over the outputs."""
    return (_mean_error((outputs.double() - targets.double()).abs(), weights) / naive).mean(-1)


def naive_error(dataset: Dataset, rows: Rows) -> Floats:
    """The scale (M,) of MASE: mean absolute error of the seasonal-naive forecast of the next step, on these rows, which
    are training rows, of all series; the same for all steps of a column (Hyndman & Koehler 2006)."""
    assert dataset.naive is not None
    first = slice(dataset.outputs // dataset.horizon)  # the columns of the next step
    errors = np.abs(dataset.targets[rows, first].astype(np.float64) - dataset.naive[rows, first])
    weights = dataset.counts(rows)
    return np.tile((weights @ errors) / max(weights.sum(), LEAST), dataset.horizon)


def spearman(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Rank correlation per output, averaged over the outputs; 0 where the outputs are all the same."""
    sets = weights.shape[:-1]
    found = []
    for place in np.ndindex(*sets):
        own = weights[place].numpy()
        said, truth = (each[place].double().numpy()[own > 0] for each in (outputs, targets))
        pairs = zip(truth.T, said.T, strict=True)
        each = [rank_correlation(a, b, own[own > 0]) for a, b in pairs]
        found.append(np.mean([np.nan if value is None else value for value in each]))
    return torch.tensor(found, dtype=torch.double).view(sets)


def _constant(least: int, targets: NDArray[Any], needed: object) -> str | None:
    if len(targets) < least:
        return f"fewer than {least} rows count"
    return "a target is the same in all of them" if (np.ptp(targets, axis=0) == 0).any() else None


def _zero(targets: NDArray[Any], needed: object) -> str | None:
    return "it divides by the target, which is 0 in some of them" if (targets == 0).any() else None


def _exact(targets: NDArray[Any], needed: NDArray[Any] | None) -> str | None:
    exact = needed is not None and not (needed > 0).all()
    return "it divides by the error of the seasonal-naive forecast on the training rows, which is 0" if exact else None


def _symmetric(targets: Floats, constant: float) -> Floats:
    each = torch.from_numpy(targets[:, None])
    return symmetric(torch.full_like(each, constant), each).numpy()


METRICS = (
    Metric("rmse", NUMBERS, False, rmse, "root mean squared error, in the target's units", (0, None), mean),
    mean_of(square, "mse", NUMBERS, False, "mean squared error, in the square of the target's units", (0, None), mean),
    mean_of(distance, "mae", NUMBERS, False, "mean absolute error, in the target's units", (0, None), median),
    Metric("r2", NUMBERS, True, r2, "share of the target's variance explained", (None, 1), mean,
           undefined=partial(_constant, 2)),
    mean_of(relative, "mape", NUMBERS, False, "mean of absolute error / |target|: 0.1 is 10 %", (0, None),
            relative_median, _zero),
    mean_of(symmetric, "smape", NUMBERS, False, "mean of 2 · absolute error / (|target| + |prediction|): 0.1 is 10 %",
            (0, 2), searched(_symmetric)),
    Metric("mase", NUMBERS, False, scaled_error, "mean absolute error / that of the seasonal-naive forecast of the "
           "next step on the training rows (Hyndman & Koehler 2006)", (0, None), median, needs="naive",
           undefined=_exact),
    *(
        mean_of(partial(pinball, level), f"pinball_{level:g}", NUMBERS, False,
                f"pinball loss of the {level:g} quantile (Koenker & Bassett 1978)", (0, None), quantile(level))
        for level in LEVELS
    ),
    Metric("spearman", NUMBERS, True, spearman, "rank correlation of truth and prediction", (-1, 1), equal_scores,
           undefined=partial(_constant, RANKED)),
)  # fmt: skip
