"""Embeddings of K lanes: a vector for every code (Bengio et al. 2003)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuner.models.layers.lanes import Lanes, Shapes
from tuner.models.layers.linear import Linear

SPECIAL = 2  # codes that stand for nothing: padding and unknown


class Embedding(nn.Module):
    """Codes (K, B, …) → vectors (K, B, …, H). They begin N(0, 1) as torch's, the `special` first at 0, and there the
    very first, padding, stays."""

    def __init__(
        self, vocabulary: int, size: int, lanes: Lanes, *, std: float = 1.0, special: int = SPECIAL
    ) -> None:  # fmt: skip
        super().__init__()
        weight = lanes.normal(vocabulary, size) * std
        weight[:, :special] = 0.0
        self.weight = nn.Parameter(weight)
        self.padded = special > 0

    def forward(self, codes: Tensor) -> Tensor:
        lanes, vocabulary = self.weight.shape[:2]
        starts = torch.arange(lanes, device=codes.device) * vocabulary
        vectors = F.embedding(codes + starts.view(-1, *[1] * (codes.ndim - 1)), self.weight.flatten(0, 1))
        return vectors * (codes > 0)[..., None] if self.padded else vectors

    def scores(self, x: Tensor) -> Tensor:
        """Scores (K, B, T, V) of x (K, B, T, H) for every code: output weights tied to the input's (Press & Wolf 2017),
        divided by √H because the vectors begin with length √H."""
        flat = torch.bmm(x.flatten(1, -2), self.weight.mT) / math.sqrt(x.shape[-1])
        return flat.view(*x.shape[:-1], -1)


def steps(shapes: Shapes, size: int, lanes: Lanes) -> tuple[nn.Module, int]:
    """A layer that makes rows a sequence of vectors (K, B, T, size): it embeds tokens and leaves numbers alone."""
    if shapes.vocabularies:
        return Embedding(shapes.vocabularies[0], size, lanes), size
    return nn.Identity(), shapes.inputs[-1]


class Head(nn.Module):
    """States (K, B, …, H) → outputs: a linear layer; or, tied, one to the embedding's size and then its scores."""

    def __init__(self, size: int, outputs: int, lanes: Lanes, tied: Embedding | None) -> None:
        super().__init__()
        self.tied = [tied]  # a list, that its weights are not counted twice
        self.linear = Linear(size, outputs if tied is None else tied.weight.shape[-1], lanes)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear(x)
        return out if self.tied[0] is None else self.tied[0].scores(out)
