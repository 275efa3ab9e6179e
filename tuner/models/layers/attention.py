"""Self-attention of K lanes (Vaswani et al. 2017)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tuner.models.layers.dropout import Dropout
from tuner.models.layers.lanes import Lanes
from tuner.models.layers.linear import Linear
from tuner.models.layers.readout import counted


class SelfAttention(nn.Module):
    """softmax(Q Kᵀ / √d) V in several heads of size d: (K, B, T, H) → the same; torch's `nn.MultiheadAttention`.

    It begins as that: Q, K, V as one matrix of Glorot & Bengio 2010, no biases. A `causal` one reads no later step.
    Weights are dropped with probability `dropout` while training.
    """

    def __init__(self, size: int, heads: int, lanes: Lanes, *, dropout: float = 0.0, causal: bool = False) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.project = Linear(size, 3 * size, lanes, bound=math.sqrt(6 / (4 * size)), blocks=3)
        self.out = Linear(size, size, lanes, bound=1 / math.sqrt(size))
        self.dropout = Dropout(dropout, lanes)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        lanes, batch, time, size = x.shape
        shape = (lanes, batch, time, 3 * self.heads, size // self.heads)
        q, k, v = self.project(x).view(shape).transpose(2, 3).chunk(3, dim=2)  # each (K, B, heads, T, d)
        energy = q @ k.mT / math.sqrt(q.shape[-1])
        if self.causal:
            later = torch.ones(time, time, dtype=torch.bool, device=x.device).triu(1)
            energy = energy.masked_fill(later, -math.inf)
        if lengths is not None:
            energy = energy.masked_fill(~counted(x, lengths)[:, :, None, None], -math.inf)
        read = self.dropout(energy.softmax(dim=-1)) @ v
        out: Tensor = self.out(read.transpose(2, 3).reshape(x.shape))
        return out


def sinusoids(time: int, size: int) -> Tensor:
    """sin and cos of t / 10000^(2i/H), in turn, for every step t: (T, H)."""
    angles = torch.arange(time)[:, None] / 10000 ** (torch.arange(0, size, 2) / size)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :size]
