"""Losses per row or per labelled position; `Stack` averages them over the batch.

Classes: logits (K, B, *positions, C) and codes (K, B, *positions) → (K, B, *positions), which `by_row` averages.
Numbers, and labels of 0 and 1: both (K, B, M) → (K, B).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from tuner.experiment.settings import Settings
from tuner.metrics.parts.sums import IGNORED

Loss = Callable[[Tensor, Tensor], Tensor]


class CrossEntropy(Settings):
    """−log softmax of the true class.

    A class weight counts for the whole row, with smoothed labels too; torch's `nn.CrossEntropyLoss` weighs the share of
    each class by itself."""

    name: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of the truth given to all classes alike")

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of logits and codes."""
        losses = F.cross_entropy(
            outputs.flatten(0, -2), targets.flatten(), ignore_index=IGNORED, reduction="none",
            label_smoothing=self.label_smoothing,
        )  # fmt: skip
        return losses.view_as(targets)


class BinaryCrossEntropy(Settings):
    """Binary cross-entropy, averaged over the labels; or over the classes, each against the rest."""

    name: Literal["binary_cross_entropy"] = "binary_cross_entropy"

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of logits and codes, or labels (K, B, L) of 0 and 1."""
        truth = targets if targets.is_floating_point() else _one_hot(targets, outputs)
        return F.binary_cross_entropy_with_logits(outputs, truth, reduction="none").mean(dim=-1)


class Focal(Settings):
    """Cross-entropy times (1 − p)^gamma, p that of the true class: easy rows count less (Lin et al. 2017)."""

    name: Literal["focal"] = "focal"
    gamma: float = Field(2.0, ge=0, le=100, description="how much less; 0 is cross-entropy")

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of logits and codes."""
        log_p = outputs.log_softmax(dim=-1).gather(-1, targets.clamp(min=0)[..., None])[..., 0]
        return -((1 - log_p.exp()).clamp(min=TINY) ** self.gamma) * log_p  # at 0 a root has no gradient


class Dice(Settings):
    """1 − (2 Σ p t + 1) / (Σ p + Σ t + 1) over a row's pixels, averaged over classes (after Milletari et al. 2016)."""

    name: Literal["dice"] = "dice"

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of logits and codes, row by row: (K, B)."""
        counts = (targets != IGNORED)[..., None]
        p, t = (
            each.where(counts, 0.0).flatten(2, -2) for each in (outputs.softmax(dim=-1), _one_hot(targets, outputs))
        )
        overlap = (2 * (p * t).sum(dim=2) + 1) / (p.sum(dim=2) + t.sum(dim=2) + 1)
        return 1 - overlap.mean(dim=-1)


class DiceCrossEntropy(Settings):
    """Dice and cross-entropy, added (as in nnU-Net, Isensee et al. 2021)."""

    name: Literal["dice_cross_entropy"] = "dice_cross_entropy"

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of logits and codes, row by row: (K, B)."""
        return Dice()(outputs, targets) + by_row(CrossEntropy()(outputs, targets), label_mask(targets))


class Mse(Settings):
    """Squared error."""

    name: Literal["mse"] = "mse"

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Averaged over the M outputs; both (K, B, M)."""
        return (outputs - targets).square().mean(dim=-1)


class Mae(Settings):
    """Absolute error."""

    name: Literal["mae"] = "mae"

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Averaged over the M outputs; both (K, B, M)."""
        return (outputs - targets).abs().mean(dim=-1)


class Huber(Settings):
    """Squared error up to delta, absolute beyond (Huber 1964); of targets that are scaled to unit variance."""

    name: Literal["huber"] = "huber"
    delta: float = Field(
        1.0,
        gt=0,
        le=1e6,
        description="error at which the loss changes from squared to absolute, in standard deviations",
    )

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Averaged over the M outputs; both (K, B, M)."""
        return F.huber_loss(outputs, targets, reduction="none", delta=self.delta).mean(dim=-1)


class Quantile(Settings):
    """Pinball loss: under-prediction is weighted by the quantile, over-prediction by 1 − quantile (Koenker & Bassett
    1978)."""

    name: Literal["quantile"] = "quantile"
    quantile: float = Field(0.5, gt=0, lt=1, description="share of the targets that are to lie below the prediction")

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Averaged over the M outputs; both (K, B, M)."""
        missing = targets - outputs
        return torch.maximum(self.quantile * missing, (self.quantile - 1) * missing).mean(dim=-1)


@runtime_checkable
class ReadsBatch(Protocol):
    """A loss that reads the batch of a lane as a whole."""

    def read(self, counts: Tensor, *, training: bool) -> None:
        """Before a call: which rows are not padding (K, B), and whether the lanes are trained on them."""


def prepare_loss(loss: Loss, counts: Tensor, *, training: bool) -> None:
    """Tell a loss that reads batches as a whole about the next one."""
    if isinstance(loss, ReadsBatch):
        loss.read(counts, training=training)


def label_mask(targets: Tensor) -> Tensor | None:
    """1 at every labelled position (K, B, …), 0 where the label is `IGNORED`; None for one label a row or numbers."""
    if targets.ndim == 2 or targets.is_floating_point():
        return None
    return (targets != IGNORED).float()


def by_row(losses: Tensor, mask: Tensor | None) -> Tensor:
    """Losses (K, B, *positions) as row means (K, B) over positions, weighted by `mask`; (K, B) as they are."""
    if losses.ndim == 2 or mask is None:
        return losses
    return (losses * mask).flatten(2).sum(dim=2) / mask.flatten(2).sum(dim=2).clamp(min=TINY)


def _one_hot(targets: Tensor, outputs: Tensor) -> Tensor:
    return torch.zeros_like(outputs).scatter_(-1, targets.clamp(min=0)[..., None], 1.0)


TINY = 1e-12  # avoids a division by zero for padding rows, which have no labelled position
AnyLoss = CrossEntropy | BinaryCrossEntropy | Focal | Dice | DiceCrossEntropy | Mse | Mae | Huber | Quantile
_OF_CLASSES: dict[str, Loss] = {loss().name: loss() for loss in (CrossEntropy, BinaryCrossEntropy, Focal)}
WEIGHTED = (None, *_OF_CLASSES)  # losses per position, which support class weights
BY_TASK: dict[str, dict[str, Loss]] = {  # the first is the default
    "classification": _OF_CLASSES,
    "multilabel": {BinaryCrossEntropy().name: BinaryCrossEntropy()},
    "tagging": _OF_CLASSES,
    "language": _OF_CLASSES,
    "translation": _OF_CLASSES,
    "segmentation": {**_OF_CLASSES, **{loss().name: loss() for loss in (Dice, DiceCrossEntropy)}},
    "regression": {loss().name: loss() for loss in (Mse, Mae, Huber, Quantile)},
}
