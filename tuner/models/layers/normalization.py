"""Normalisation of K lanes: by batch (Ioffe & Szegedy 2015) and by layer (Ba, Kiros & Hinton 2016)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuner.models.layers.lanes import Lanes
from tuner.models.layers.readout import Lengths, steps_of

Normalization = Literal["none", "batch", "layer"]
EPS = 1e-5  # torch's
MOMENTUM = 0.1  # torch's: the share of a batch in the running statistics


class LayerNorm(nn.Module):
    """Every row's last dimension to zero mean and unit variance, then scaled and shifted: (K, …, H) → the same."""

    def __init__(self, size: int, lanes: Lanes) -> None:
        super().__init__()
        self.weight = nn.Parameter(lanes.full(1.0, size))
        self.bias = nn.Parameter(lanes.full(0.0, size))

    def forward(self, x: Tensor) -> Tensor:
        own = (len(x), *[1] * (x.ndim - 2), -1)
        return torch.addcmul(self.bias.view(own), F.layer_norm(x, x.shape[-1:], eps=EPS), self.weight.view(own))


class ChannelNorm(LayerNorm):
    """The same of channels, at each place by itself (Liu et al. 2022): (K, B, C, …) → the same."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(2, -1)).movedim(-1, 2)


class BatchNorm(nn.Module):
    """Every channel of each lane to zero mean and unit variance over its batch; then scaled and shifted.

    (K, B, H), or (K, B, C, …) with the channel as dimension 2. Evaluation uses running statistics. `counts` (K, B), set
    by whoever pads batches, are the rows that count: padding must not move a lane's statistics.
    """

    def __init__(self, size: int, lanes: Lanes) -> None:
        super().__init__()
        self.weight = nn.Parameter(lanes.full(1.0, size))
        self.bias = nn.Parameter(lanes.full(0.0, size))
        self.register_buffer("mean", lanes.full(0.0, size))
        self.register_buffer("variance", lanes.full(1.0, size))
        self.mean: Tensor
        self.variance: Tensor
        self.counts: Tensor | None = None
        self.lengths: Lengths | None = None  # of sequences (K, B, C, T): the steps that count

    def forward(self, x: Tensor) -> Tensor:
        shape = (len(x), 1, -1, *[1] * (x.ndim - 3))
        mean, variance = self._of_batch(x) if self.training else (self.mean, self.variance)
        scale = self.weight * (variance + EPS).rsqrt()
        return torch.addcmul((self.bias - mean * scale).view(shape), x, scale.view(shape))

    def _of_batch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and population variance (K, C) of the rows that count; the running statistics follow."""
        rest = tuple(range(3, x.ndim))
        places = x[0, 0, 0].numel()
        counts = x.new_ones(x.shape[:2]) if self.counts is None else self.counts.to(x.dtype)
        if self.lengths is None:
            total, steps = counts.sum(dim=1, keepdim=True) * places, None  # (K, 1)
        else:
            total, steps = (counts * self.lengths[x.shape[3]]).sum(dim=1, keepdim=True), steps_of(x, self.lengths)
        shares = (counts / total)[:, None]  # (K, 1, B)

        def mean_of(values: Tensor) -> Tensor:  # over places, then by lane over rows
            if steps is not None:
                values = values * steps
            by_row = values.sum(dim=rest) if rest else values
            return torch.bmm(shares, by_row)[:, 0]

        mean = mean_of(x)
        centred = x - mean.view(len(x), 1, -1, *[1] * len(rest))
        variance = mean_of(centred.square())
        with torch.no_grad():
            unbiased = variance * total / (total - 1).clamp(min=1)
            self.mean = torch.lerp(self.mean, mean, MOMENTUM)
            self.variance = torch.lerp(self.variance, unbiased, MOMENTUM)
        return mean, variance


def normalization(kind: Normalization, size: int, lanes: Lanes, *, channels: bool = False) -> list[nn.Module]:
    """The layer of that kind, or none; of hidden units (K, B, H), or of `channels` (K, B, C, …)."""
    kinds = {"batch": BatchNorm, "layer": ChannelNorm if channels else LayerNorm}
    return [] if kind == "none" else [kinds[kind](size, lanes)]
