"""Metrics of many sets of rows at once: outputs (…, V, C), targets (…, V) or (…, V, M), mask (…, V) → (…).

They equal scikit-learn's of the same name on each set. Computed in float64 on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

Function = Callable[[Tensor, Tensor, Tensor], Tensor]
ByRow = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Metric:
    """A score: what it is called, the task it is for, whether more is better, and how it is computed.

    `by_row`: the scores of single rows (…, V), where their mean is the score of the set."""

    name: str
    task: str
    maximize: bool
    function: Function
    meaning: str
    bounds: tuple[float | None, float | None]  # what it can be at least and at most
    by_row: ByRow | None = None


def _counts(outputs: Tensor, targets: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Per class: rows hit, rows predicted, rows true; each (…, C)."""
    classes = outputs.shape[-1]
    true = F.one_hot(targets, classes) * mask[..., None]
    predicted = F.one_hot(outputs.argmax(dim=-1), classes) * mask[..., None]
    return (true * predicted).sum(-2).double(), predicted.sum(-2).double(), true.sum(-2).double()


def _mean_of(
    by_row: ByRow, name: str, task: str, maximize: bool, meaning: str, bounds: tuple[float | None, float | None]
) -> Metric:
    """The metric that is the mean of its rows' scores."""

    def mean(outputs: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        return by_row(outputs, targets).where(mask, 0.0).sum(-1) / mask.sum(-1)

    return Metric(name, task, maximize, mean, meaning, bounds, by_row)


def hit(outputs: Tensor, targets: Tensor) -> Tensor:
    """1 where the highest logit is the true class, else 0."""
    return (outputs.argmax(dim=-1) == targets).double()


def macro_f1(outputs: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """F1 per class, averaged over the classes that are true or predicted in the set."""
    hit, predicted, true = _counts(outputs, targets, mask)
    present = (predicted + true) > 0
    f1 = 2 * hit / (predicted + true).clamp(min=1)
    return (f1 * present).sum(-1) / present.sum(-1)


def balanced_accuracy(outputs: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Recall per class, averaged over the classes that are true in the set."""
    hit, _, true = _counts(outputs, targets, mask)
    return (hit / true.clamp(min=1)).sum(-1) / (true > 0).sum(-1)


def surprise(outputs: Tensor, targets: Tensor) -> Tensor:
    """−log probability of the true class."""
    return -outputs.double().log_softmax(dim=-1).gather(-1, targets[..., None])[..., 0]


def distance(outputs: Tensor, targets: Tensor) -> Tensor:
    """Absolute error, averaged over the outputs."""
    return (outputs.double() - targets.double()).abs().mean(-1)


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


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _mean_of(hit, "accuracy", "classification", True, "share of rows classified correctly", (0, 1)),
        Metric("macro_f1", "classification", True, macro_f1, "F1 per class, averaged over classes", (0, 1)),
        Metric("balanced_accuracy", "classification", True, balanced_accuracy, "recall per class, averaged", (0, 1)),
        _mean_of(surprise, "log_loss", "classification", False, "mean −log probability of the true class", (0, None)),
        Metric("rmse", "regression", False, rmse, "root mean squared error, in the target's units", (0, None)),
        _mean_of(distance, "mae", "regression", False, "mean absolute error, in the target's units", (0, None)),
        Metric("r2", "regression", True, r2, "share of the target's variance explained", (None, 1)),
    )
}
DEFAULT = {"classification": "accuracy", "regression": "rmse"}
