"""Transformer encoder: self-attention and a small network at every step, in layers (Vaswani et al. 2017).

One answer per sequence, from all states pooled; or one per step: tagging, and language models, in which no step reads a
later one. Layers normalise what they read (pre, Xiong et al. 2020) or what they give (post, as the paper does).
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from tuner.experiment.settings import Settings as BaseSettings
from tuner.experiment.settings import used_when
from tuner.models.layers import (
    Activation,
    Default,
    Dropout,
    Embedding,
    Head,
    Initialization,
    Lanes,
    LayerNorm,
    Linear,
    Pool,
    Pooling,
    SelfAttention,
    Shapes,
    activation,
    sinusoids,
)

LAYOUTS = ("sequence", "tokens")
TASKS = ("classification", "multilabel", "regression", "tagging", "language")


class Settings(BaseSettings):
    name: Literal["transformer"] = "transformer"
    num_heads: int = Field(2, ge=1, le=64, description="heads of each attention")
    head_size: int = Field(16, ge=1, le=256, description="numbers of a head; heads times this is the model's width")
    num_layers: int = Field(2, ge=1, le=48, description="each an attention and a small network")
    feedforward_size: int = Field(64, ge=1, le=16384, description="hidden units of that network")
    norm: Literal["pre", "post"] = Field(
        "pre", description="pre: normalise the input of each sublayer; post: its output"
    )
    positions: Literal["sinusoidal", "learned", "none"] = Field("sinusoidal", description="positional encoding")
    activation: Activation = Field("relu", description="of the small network")
    readout: Pooling = Field(
        "mean",
        description="pooling over the steps",
        json_schema_extra=used_when(task=("classification", "multilabel", "regression")),
    )
    tied: bool = Field(
        False,
        description="logits by the embedding's own weights (Press & Wolf 2017)",
        json_schema_extra=used_when(task=("language",)),
    )
    initialization: Initialization = Field(Default(), discriminator="name", description="how weights begin")
    dropout: float = Field(0.0, ge=0, lt=1, description="share dropped of weights, of hidden units, of what is added")


class Layer(nn.Module):
    """x + attention(x), then x + network(x); torch's `nn.TransformerEncoderLayer`."""

    def __init__(self, settings: Settings, size: int, lanes: Lanes, causal: bool) -> None:
        super().__init__()
        p, self.pre = settings.dropout, settings.norm == "pre"
        self.attention = SelfAttention(size, settings.num_heads, lanes, dropout=p, causal=causal)
        self.network = nn.Sequential(
            Linear(size, settings.feedforward_size, lanes),
            activation(settings.activation),
            Dropout(p, lanes),
            Linear(settings.feedforward_size, size, lanes),
        )
        self.norms = nn.ModuleList(LayerNorm(size, lanes) for _ in range(2))
        self.dropouts = nn.ModuleList(Dropout(p, lanes) for _ in range(2))

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        first, second = self.norms
        if self.pre:
            x = x + self.dropouts[0](self.attention(first(x), lengths))
            out: Tensor = x + self.dropouts[1](self.network(second(x)))
        else:
            x = first(x + self.dropouts[0](self.attention(x, lengths)))
            out = second(x + self.dropouts[1](self.network(x)))
        return out


class Transformer(nn.Module):
    """Sequences (K, B, T, D) or tokens (K, B, T), of lengths (K, B) if not all steps count, → (K, B, outputs), or
    (K, B, T, outputs) where every step is asked."""

    def __init__(self, settings: Settings, shapes: Shapes, lanes: Lanes, causal: bool) -> None:
        super().__init__()
        size, time = settings.num_heads * settings.head_size, shapes.inputs[0]
        tokens = bool(shapes.vocabularies)
        self.entry = Embedding(shapes.vocabularies[0], size, lanes) if tokens else Linear(shapes.inputs[1], size, lanes)
        if settings.positions == "learned":
            self.positions: nn.Parameter | None = nn.Parameter(lanes.normal(1, time, size))
        else:
            self.positions = None
            fixed = sinusoids(time, size) if settings.positions == "sinusoidal" else torch.zeros(time, size)
            self.register_buffer("fixed", lanes.full(0.0, 1, time, size) + fixed.to(lanes.device))
        self.dropout = Dropout(settings.dropout, lanes)
        self.layers = nn.ModuleList(Layer(settings, size, lanes, causal) for _ in range(settings.num_layers))
        self.norm = LayerNorm(size, lanes) if settings.norm == "pre" else nn.Identity()
        self.pool = None if shapes.positions else Pool(settings.readout, size, lanes)
        self.head = Head(size, shapes.outputs, lanes, self.entry if settings.tied else None)  # type: ignore[arg-type]

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        x = self.dropout(self.entry(x) + (self.fixed if self.positions is None else self.positions))
        for layer in self.layers:
            x = layer(x, lengths)
        x = self.norm(x)
        out: Tensor = self.head(x if self.pool is None else self.pool(x, lengths))
        return out


def build(settings: Settings, shapes: Shapes, lanes: Lanes) -> nn.Module:
    """The network of all lanes."""
    return Transformer(settings, shapes, lanes, causal=shapes.causal)
