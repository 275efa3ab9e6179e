"""Activation functions by name. They are elementwise, so torch's own modules serve all lanes."""

from __future__ import annotations

from typing import Literal, get_args

from torch import nn

Activation = Literal["relu", "tanh", "sigmoid", "leaky_relu", "elu", "selu", "gelu", "swish", "mish"]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "swish": nn.SiLU,
    "mish": nn.Mish,
}
assert tuple(ACTIVATIONS) == get_args(Activation)


def activation(name: Activation, *, channels: bool = False) -> nn.Module:
    """A new activation module; with `channels` its units are the channels of (K, B, C, …), not the last dimension."""
    module = ACTIVATIONS[name]()
    module.units = 2 if channels else -1  # type: ignore[assignment]  # for the layer monitor
    return module
