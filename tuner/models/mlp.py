"""Multilayer perceptron: fully connected layers with an activation and dropout (Rumelhart, Hinton & Williams 1986)."""

from __future__ import annotations

import math
import re
from typing import Annotated, Literal

import torch
from pydantic import BeforeValidator, Field
from torch import Tensor, nn

from tuner.experiment.settings import ABOVE_ZERO, used_when
from tuner.experiment.settings import Settings as BaseSettings
from tuner.models.layers import (
    Activation,
    Default,
    Dropout,
    Embedding,
    Initialization,
    Lanes,
    Linear,
    Normalization,
    Shapes,
    activation,
    normalization,
)

LAYOUTS = ("flat", "sequence", "image", "ids")
TASKS = ("classification", "multilabel", "regression")
WIDEST, DEEPEST = 65536, 100
DEEP = used_when(num_layers=ABOVE_ZERO)


def _checked(widths: object) -> object:
    if not (isinstance(widths, str) and re.fullmatch(r"[1-9]\d*(-[1-9]\d*)*", widths)):
        raise ValueError('one text such as "64-32-16", or "16"')
    if widths.count("-") >= DEEPEST or max(map(int, widths.split("-"))) > WIDEST:
        raise ValueError(f"at most {DEEPEST} layers of at most {WIDEST:,} units")
    return widths


class Settings(BaseSettings):
    name: Literal["mlp"] = "mlp"
    hidden_size: int = Field(
        64, ge=1, le=WIDEST, description="units of each hidden layer", json_schema_extra=used_when(widths=(None,))
    )
    num_layers: int = Field(
        1,
        ge=0,
        le=DEEPEST,
        description="hidden layers; 0 is a linear model",
        json_schema_extra=used_when(widths=(None,)),
    )
    widths: Annotated[str, BeforeValidator(_checked)] | None = Field(
        None, description="units of each hidden layer in turn, as 64-32-16, in the place of hidden_size and num_layers"
    )
    embedding_size: int = Field(
        8, ge=1, le=4096, description="numbers of each category", json_schema_extra=used_when(layout=("ids",))
    )
    activation: Activation = Field("relu", description="after each hidden layer", json_schema_extra=DEEP)
    normalization: Normalization = Field(
        "none", description="of each hidden layer, before its activation", json_schema_extra=DEEP
    )
    initialization: Initialization = Field(Default(), discriminator="name", description="how weights begin")
    residual: bool = Field(False, description="add each hidden layer's input to its output", json_schema_extra=DEEP)
    dropout: float = Field(
        0.0, ge=0, lt=1, description="share of hidden units dropped while training", json_schema_extra=DEEP
    )


class Block(nn.Module):
    """x + f(x), f a hidden layer; x through a linear layer where sizes differ (He et al. 2016)."""

    def __init__(self, inner: nn.Module, inputs: int, outputs: int, lanes: Lanes) -> None:
        super().__init__()
        self.inner = inner
        self.shortcut = nn.Identity() if inputs == outputs else Linear(inputs, outputs, lanes)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.shortcut(x) + self.inner(x)
        return out


class MLP(nn.Sequential):
    """Rows of any shape, flattened: (K, B, …) → (K, B, outputs). Of sequences, what is after their end is 0."""

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        out: Tensor = super().forward(x.flatten(2))  # type: ignore[no-untyped-call]
        return out


class Embedded(nn.Module):
    """Embeds ids (K, B, F), concatenates them with side features (K, B, D) if any, and applies the network → (K, B,
    outputs).

    Vectors begin N(0, 1), as torch's: they stand beside numbers of unit variance and weigh as much as those. (The
    recommender's begin smaller, for the sake of their products.)"""

    def __init__(self, size: int, shapes: Shapes, network: MLP, lanes: Lanes) -> None:
        super().__init__()
        self.vectors = nn.ModuleList(Embedding(words, size, lanes) for words in shapes.vocabularies)
        self.network = network

    def forward(self, ids: Tensor, side: Tensor | None = None) -> Tensor:
        vectors = [own(ids[..., column]) for column, own in enumerate(self.vectors)]
        out: Tensor = self.network(torch.cat([*vectors, *([] if side is None else [side])], dim=-1))
        return out


def build(settings: Settings, shapes: Shapes, lanes: Lanes) -> nn.Module:
    """The network of all lanes."""
    layers: list[nn.Module] = []
    size = math.prod(shapes.inputs)
    if shapes.vocabularies:
        size = len(shapes.vocabularies) * settings.embedding_size + shapes.side
    for width in _widths(settings):
        hidden = [
            Linear(size, width, lanes),
            *normalization(settings.normalization, width, lanes),
            activation(settings.activation),
            *([Dropout(settings.dropout, lanes)] if settings.dropout else []),
        ]
        layers += [Block(nn.Sequential(*hidden), size, width, lanes)] if settings.residual else hidden
        size = width
    network = MLP(*layers, Linear(size, shapes.outputs, lanes))
    return Embedded(settings.embedding_size, shapes, network, lanes) if shapes.vocabularies else network


def _widths(settings: Settings) -> list[int]:
    if settings.widths is not None:
        return [int(width) for width in settings.widths.split("-")]
    return [settings.hidden_size] * settings.num_layers
