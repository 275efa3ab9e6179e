"""L1 penalty and gradient clipping, applied per lane between the backward pass and the optimizer step."""

from __future__ import annotations

import torch
from torch import Tensor

EPS = 1e-6  # torch's, beside the norm


@torch.no_grad()
def add_l1(gradients: Tensor, weights: Tensor, strength: float) -> None:
    """Add the gradient of strength · Σ|w|, in place; both (K, P)."""
    gradients.add_(weights.sign(), alpha=strength)


@torch.no_grad()
def clip_norm(gradients: Tensor, limit: float) -> None:
    """Scale each lane's gradient (K, P) to a norm of at most `limit`, in place (Pascanu, Mikolov & Bengio 2013)."""
    norms = gradients.norm(dim=1, keepdim=True)
    gradients.mul_((limit / (norms + EPS)).clamp(max=1.0))


@torch.no_grad()
def clip_value(gradients: Tensor, limit: float) -> None:
    """Cut every number to ± `limit`, in place."""
    gradients.clamp_(-limit, limit)
