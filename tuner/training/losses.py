"""Losses row by row: outputs (K, B, …), targets (K, B, …) → (K, B). The mean over a batch is the stack's affair."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """−log softmax of the true class; outputs are logits (K, B, C), targets codes (K, B)."""
    return F.cross_entropy(outputs.flatten(0, 1), targets.flatten(), reduction="none").view_as(targets)


def mse(outputs: Tensor, targets: Tensor) -> Tensor:
    """Squared error, averaged over the M outputs; both (K, B, M)."""
    return (outputs - targets).square().mean(dim=-1)


BY_TASK: dict[str, Loss] = {"classification": cross_entropy, "regression": mse}
