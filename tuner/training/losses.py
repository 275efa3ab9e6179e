"""Losses as a weighted mean per lane: outputs (K, B, …), targets (K, B, …), weights (K, B) that sum to 1 → (K,)."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def cross_entropy(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """−log softmax of the true class; outputs are logits (K, B, C), targets codes (K, B)."""
    losses = F.cross_entropy(outputs.flatten(0, 1), targets.flatten(), reduction="none")
    return (losses.view_as(weights) * weights).sum(dim=1)


def mse(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Squared error, averaged over the M outputs; both (K, B, M)."""
    return ((outputs - targets).square().mean(dim=-1) * weights).sum(dim=1)


BY_TASK: dict[str, Loss] = {"classification": cross_entropy, "regression": mse}
