"""From the states of all steps to one vector: last, mean, max, or additive attention (Bahdanau, Cho & Bengio 2015)."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from tuner.models.layers.lanes import Lanes
from tuner.models.layers.linear import Linear

Readout = Literal["last", "mean", "max", "attention"]


class AdditiveAttention(nn.Module):
    """Σ_t softmax_t(v · tanh(W h_t + b)) h_t: (K, B, T, H) → (K, B, H)."""

    def __init__(self, size: int, lanes: Lanes) -> None:
        super().__init__()
        self.project = Linear(size, size, lanes)
        self.direction = nn.Parameter(lanes.matrix(size, 1, bound=1 / math.sqrt(size)))

    def forward(self, states: Tensor) -> Tensor:
        energy = torch.tanh(self.project(states)).flatten(1, 2) @ self.direction  # (K, B · T, 1)
        weights = energy.view(*states.shape[:3], 1).softmax(dim=2)
        return (weights * states).sum(dim=2)
