"""Recommender: embeddings of users and items, combined by dot product or MLP, to predict ratings.

`dot` adds the vectors' product to a bias of each (Koren, Bell & Volinsky 2009); of more than two columns of ids, that
of every pair (Rendle 2010). `mlp` lets a network read the vectors beside each other (He et al. 2017). Side features,
numbers beside the ids, are weighed by the first and read by the second.
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
    Initialization,
    Lanes,
    Linear,
    Shapes,
    activation,
)

LAYOUTS = ("ids",)
TASKS = ("regression", "classification")
MLP = used_when(interaction=("mlp",))
BEGIN = 0.1  # standard deviation of the vectors, as N(0, 1) would begin with products of size √H


class Settings(BaseSettings):
    name: Literal["recommender"] = "recommender"
    embedding_size: int = Field(16, ge=1, le=4096, description="numbers of each user and each item")
    interaction: Literal["dot", "mlp"] = Field("dot", description="how the embeddings of user and item are combined")
    biases: bool = Field(True, description="add a bias per user and per item")
    hidden_size: int = Field(32, ge=1, le=16384, description="units of each hidden layer", json_schema_extra=MLP)
    num_layers: int = Field(1, ge=1, le=16, description="hidden layers", json_schema_extra=MLP)
    activation: Activation = Field("relu", description="after each hidden layer", json_schema_extra=MLP)
    initialization: Initialization = Field(
        Default(), discriminator="name", description="how the weights of its layers begin", json_schema_extra=MLP
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="share of each vector that is dropped")


class Recommender(nn.Module):
    """Ids (K, B, F), and side features (K, B, D) if there are any → (K, B, outputs)."""

    def __init__(self, settings: Settings, shapes: Shapes, lanes: Lanes) -> None:
        super().__init__()
        outputs, size = shapes.outputs, settings.embedding_size
        per_output = size * outputs if settings.interaction == "dot" else size
        self.vectors = nn.ModuleList(Embedding(words, per_output, lanes, std=BEGIN) for words in shapes.vocabularies)
        count = len(shapes.vocabularies) if settings.biases else 0
        self.biases = nn.ModuleList(
            Embedding(words, outputs, lanes, std=BEGIN) for words in shapes.vocabularies[:count]
        )
        self.dropout, self.outputs = Dropout(settings.dropout, lanes), outputs
        self.network: nn.Module | None = None
        if settings.interaction == "mlp":
            layers, inputs = [], size * len(shapes.vocabularies) + shapes.side
            for _ in range(settings.num_layers):
                layers += [Linear(inputs, settings.hidden_size, lanes), activation(settings.activation)]
                inputs = settings.hidden_size
            self.network = nn.Sequential(*layers, Linear(inputs, outputs, lanes))
        self.mean = nn.Parameter(lanes.full(0.0, 1, outputs))
        self.side = Linear(shapes.side, outputs, lanes) if shapes.side and self.network is None else None

    def forward(self, ids: Tensor, side: Tensor | None = None) -> Tensor:
        vectors = self.dropout(torch.stack([own(ids[..., i]) for i, own in enumerate(self.vectors)], dim=2))
        if self.network is not None:
            side_inputs = [] if side is None else [side]
            out: Tensor = self.network(torch.cat([vectors.flatten(2), *side_inputs], dim=-1))
        else:  # Σ_{i<j} v_i · v_j = ((Σ v_i)² − Σ v_i²) / 2
            pairs = (vectors.sum(dim=2).square() - vectors.square().sum(dim=2)) / 2
            out = pairs.unflatten(-1, (-1, self.outputs)).sum(dim=2)
        for column, bias in enumerate(self.biases):
            out = out + bias(ids[..., column])
        if self.side is not None and side is not None:
            out = out + self.side(side)
        return out + self.mean


def build(settings: Settings, shapes: Shapes, lanes: Lanes) -> nn.Module:
    """The network of all lanes."""
    return Recommender(settings, shapes, lanes)
