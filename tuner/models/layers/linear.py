"""The linear layer of K lanes."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tuner.models.layers.lanes import Lanes


class Linear(nn.Module):
    """y = x Wᵀ + b per lane: (K, …, D) → (K, …, H).

    Weights start as torch's `nn.Linear` does, U(−1/√D, 1/√D). One `baddbmm` moves all lanes: at K=5, 64×64, batch 32
    it takes a third of five separate products on a CPU, where calls and not arithmetic are the cost.
    """

    def __init__(self, in_features: int, out_features: int, lanes: Lanes) -> None:
        super().__init__()
        bound = 1 / math.sqrt(in_features)
        self.weight = nn.Parameter(lanes.uniform(out_features, in_features, bound=bound))
        self.bias = nn.Parameter(lanes.uniform(out_features, bound=bound))

    def forward(self, x: Tensor) -> Tensor:
        rows = x.reshape(len(x), -1, x.shape[-1])
        out = torch.baddbmm(self.bias[:, None, :], rows, self.weight.mT)
        return out.view(*x.shape[:-1], out.shape[-1])
