"""Multilayer perceptron: fully connected layers with an activation and dropout (Rumelhart, Hinton & Williams 1986)."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field
from torch import nn

from tuner.models.layers import ACTIVATIONS, Activation, Dropout, Lanes, Linear, Shapes
from tuner.spec.settings import Settings as BaseSettings

LAYOUTS = ("flat", "sequence", "image")


class Settings(BaseSettings):
    name: Literal["mlp"] = "mlp"
    hidden_size: int = Field(64, ge=1, le=65536, description="units of each hidden layer")
    num_layers: int = Field(1, ge=0, le=100, description="hidden layers; 0 is a linear model")
    activation: Activation = Field("relu", description="after each hidden layer")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of hidden units dropped while training")


def build(settings: Settings, shapes: Shapes, lanes: Lanes) -> nn.Module:
    """Rows of any shape, flattened: (K, B, …) → (K, B, outputs)."""
    layers: list[nn.Module] = [nn.Flatten(start_dim=2)] if len(shapes.inputs) > 1 else []
    size = math.prod(shapes.inputs)
    for _ in range(settings.num_layers):
        layers += [Linear(size, settings.hidden_size, lanes), ACTIVATIONS[settings.activation]()]
        if settings.dropout:
            layers.append(Dropout(settings.dropout, lanes))
        size = settings.hidden_size
    return nn.Sequential(*layers, Linear(size, shapes.outputs, lanes))
