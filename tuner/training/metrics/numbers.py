"""Metrics of numbers: outputs and targets (…, V, M), mask (…, V) → (…). They equal scikit-learn's on each set."""

from __future__ import annotations

from torch import Tensor

from tuner.training.metrics.metric import Metric, mean_of

NUMBERS = ("regression",)


def distance(outputs: Tensor, targets: Tensor) -> Tensor:
    """Absolute error, averaged over the outputs."""
    return (outputs.double() - targets.double()).abs().mean(-1)


def square(outputs: Tensor, targets: Tensor) -> Tensor:
    """Squared error, averaged over the outputs."""
    return (outputs.double() - targets.double()).square().mean(-1)


def _mean_error(errors: Tensor, mask: Tensor) -> Tensor:
    """Mean over the rows of a set, per output: (…, V, M) → (…, M)."""
    return errors.where(mask[..., None], 0.0).sum(-2) / mask.sum(-1)[..., None]


def rmse(outputs: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Root of the mean squared error per output, averaged over the outputs."""
    return _mean_error((outputs.double() - targets.double()).square(), mask).sqrt().mean(-1)


def r2(outputs: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """1 − squared error / variance per output, averaged; a constant target gives 1 if met exactly, else 0."""
    targets = targets.double()
    error = _mean_error((outputs.double() - targets).square(), mask)
    spread = _mean_error((targets - _mean_error(targets, mask)[..., None, :]).square(), mask)
    ratio = error / spread.where(spread > 0, 1.0)
    return (1 - ratio.where(spread > 0, (error > 0).double())).mean(-1)


METRICS = (
    Metric("rmse", NUMBERS, False, rmse, "root mean squared error, in the target's units", (0, None)),
    mean_of(square, "mse", NUMBERS, False, "mean squared error, in the square of the target's units", (0, None)),
    mean_of(distance, "mae", NUMBERS, False, "mean absolute error, in the target's units", (0, None)),
    Metric("r2", NUMBERS, True, r2, "share of the target's variance explained", (None, 1)),
)
