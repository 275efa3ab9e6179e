"""From the states of all steps to one vector: last, mean, max, or additive attention (Bahdanau, Cho & Bengio 2015)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from tuner.models.layers.lanes import Lanes
from tuner.models.layers.linear import Linear

Pooling = Literal["mean", "max", "attention"]
Lengths = Mapping[int, Tensor]  # of sequences, (K, B), at each time resolution that a network of strides has


class AdditiveAttention(nn.Module):
    """Σ_t a_t h_t with a = softmax_t(v · tanh(W h_t + b)), or v · tanh(W h_t + b + U q) where there is a query q."""

    def __init__(self, size: int, lanes: Lanes, query: int | None = None) -> None:
        super().__init__()
        self.project = Linear(size, size, lanes)
        self.ask = None if query is None else Linear(query, size, lanes)
        self.direction = nn.Parameter(lanes.matrix(size, 1, bound=1 / math.sqrt(size)))

    def forward(self, states: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(K, B, T, H) → (K, B, H), over the steps that count."""
        return self.read(states, self.project(states), None, lengths)

    def read(self, states: Tensor, keys: Tensor, query: Tensor | None, lengths: Tensor | None) -> Tensor:
        """Attention with precomputed keys, for many queries of the same states.

        Args:
            states: (K, B, T, H).
            keys: (K, B, T, H), W h + b.
            query: (K, B, Q), or None.
            lengths: (K, B), steps of each row; None: all T.

        Returns:
            (K, B, H), the weighted mean of the states.
        """
        if self.ask is not None and query is not None:
            keys = keys + self.ask(query)[:, :, None]
        energy = torch.bmm(torch.tanh(keys).flatten(1, 2), self.direction).view(states.shape[:3])
        if lengths is not None:
            energy = energy.masked_fill(~counted(states, lengths), -math.inf)
        lanes, batch, time, size = states.shape
        weights = energy.softmax(dim=2).view(lanes * batch, 1, time)
        return torch.bmm(weights, states.reshape(lanes * batch, time, size)).view(lanes, batch, size)


class Pool(nn.Module):
    """The states of all steps (K, B, T, H) as one vector (K, B, H), over the steps that count."""

    def __init__(self, how: Pooling, size: int, lanes: Lanes) -> None:
        super().__init__()
        self.how = how
        self.attention = AdditiveAttention(size, lanes) if how == "attention" else None

    def forward(self, states: Tensor, lengths: Tensor | None = None) -> Tensor:
        if self.attention is not None:
            read: Tensor = self.attention(states, lengths)
            return read
        if lengths is None:
            return states.mean(dim=2) if self.how == "mean" else states.amax(dim=2)
        counts = counted(states, lengths)[..., None]
        if self.how == "mean":
            return (states * counts).sum(dim=2) / lengths[..., None]
        return states.masked_fill(~counts, -math.inf).amax(dim=2)


def counted(states: Tensor, lengths: Tensor) -> Tensor:
    """Which steps of (K, B, T, …) count, by lengths (K, B): (K, B, T)."""
    return torch.arange(states.shape[2], device=states.device) < lengths[..., None]


def steps_of(x: Tensor, lengths: Lengths) -> Tensor:
    """Which steps of (K, B, C, T) count, by lengths (K, B) for every T: (K, B, 1, T)."""
    return (torch.arange(x.shape[3], device=x.device) < lengths[x.shape[3]][..., None])[:, :, None]


def last(states: Tensor, lengths: Tensor | None = None) -> Tensor:
    """The state of the last step that counts: (K, B, T, H) → (K, B, H)."""
    if lengths is None:
        return states[:, :, -1]
    index = (lengths - 1)[..., None, None].expand(*lengths.shape, 1, states.shape[-1])
    return states.gather(2, index)[:, :, 0]


def backwards(x: Tensor, lengths: Tensor | None = None) -> Tensor:
    """The steps that count in the reverse order, in front; padding stays behind: (K, B, T, D) → the same."""
    if lengths is None:
        return x.flip(2)
    index = torch.arange(x.shape[2], device=x.device).expand(*lengths.shape, -1)
    turned = torch.where(index < lengths[..., None], lengths[..., None] - 1 - index, index)
    return x.gather(2, turned[..., None].expand_as(x))
