"""The linear layer of K lanes."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tuner.models.layers.lanes import Lanes


class Linear(nn.Module):
    """y = x W + b per lane: (K, …, D) → (K, …, H); W (K, D, H) is the transpose of torch's, b (K, 1, H).

    Weights start as torch's `nn.Linear` does, U(−1/√D, 1/√D). One `baddbmm` moves all lanes: at K=5, 64×64, batch 32
    it takes a third of five separate products on a CPU, where calls and not arithmetic are the cost. So weights lie as
    the product wants them: a step of two layers (K=10) takes 0.44 ms, and 0.55 ms where it has to turn views of them.
    With a `bound` of their own they start U(−bound, bound), and b at 0. Of `blocks` each begins by itself.
    """

    def __init__(
        self, in_features: int, out_features: int, lanes: Lanes, *, bound: float | None = None, blocks: int = 1
    ) -> None:
        super().__init__()
        usual = 1 / math.sqrt(in_features)
        weight = lanes.matrix(out_features, in_features, bound=bound or usual, blocks=blocks)
        self.weight = nn.Parameter(weight.mT.contiguous())
        self.bias = nn.Parameter(
            lanes.full(0.0, 1, out_features) if bound else lanes.bias(1, out_features, bound=usual)
        )

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim == 3:
            return torch.baddbmm(self.bias, x, self.weight)
        out = torch.baddbmm(self.bias, x.flatten(1, -2), self.weight)
        return out.view(*x.shape[:-1], out.shape[-1])
