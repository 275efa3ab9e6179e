"""Losses row by row: outputs (K, B, …), targets (K, B, …) → (K, B). The mean over a batch is the stack's affair."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from tuner.spec.settings import Settings

Loss = Callable[[Tensor, Tensor], Tensor]


class CrossEntropy(Settings):
    """−log softmax of the true class."""

    name: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of the truth given to all classes alike")

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of logits (K, B, C) and codes (K, B)."""
        losses = F.cross_entropy(
            outputs.flatten(0, 1), targets.flatten(), reduction="none", label_smoothing=self.label_smoothing
        )
        return losses.view_as(targets)


class BinaryCrossEntropy(Settings):
    """One against the rest: −log sigmoid of the true class, −log(1 − sigmoid) of the others, averaged over classes."""

    name: Literal["binary_cross_entropy"] = "binary_cross_entropy"

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of logits (K, B, C) and codes (K, B)."""
        truth = F.one_hot(targets, outputs.shape[-1]).to(outputs.dtype)
        return F.binary_cross_entropy_with_logits(outputs, truth, reduction="none").mean(dim=-1)


class Focal(Settings):
    """Cross-entropy times (1 − p)^gamma, p that of the true class: easy rows count less (Lin et al. 2017)."""

    name: Literal["focal"] = "focal"
    gamma: float = Field(2.0, ge=0, le=100, description="how much less; 0 is cross-entropy")

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of logits (K, B, C) and codes (K, B)."""
        log_p = outputs.log_softmax(dim=-1).gather(-1, targets[..., None])[..., 0]
        return -((1 - log_p.exp()) ** self.gamma) * log_p


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
    delta: float = Field(1.0, gt=0, le=1e6, description="where the one becomes the other, in standard deviations")

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Averaged over the M outputs; both (K, B, M)."""
        return F.huber_loss(outputs, targets, reduction="none", delta=self.delta).mean(dim=-1)


AnyLoss = CrossEntropy | BinaryCrossEntropy | Focal | Mse | Mae | Huber
BY_TASK: dict[str, dict[str, Loss]] = {  # the first is the default
    "classification": {loss().name: loss() for loss in (CrossEntropy, BinaryCrossEntropy, Focal)},
    "regression": {loss().name: loss() for loss in (Mse, Mae, Huber)},
}
