"""Initial values of weight matrices, drawn lane by lane by torch's own functions."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from tuner.experiment.settings import Settings


class Default(Settings):
    """As torch's own layer begins."""

    name: Literal["torch"] = "torch"


class Normal(Settings):
    """N(0, std²); biases 0."""

    name: Literal["normal"] = "normal"
    std: float = Field(0.01, gt=0, le=10, description="standard deviation")

    def draw(self, weight: Tensor, generator: torch.Generator) -> Tensor:
        """Fill one lane's matrix (out, in, …)."""
        return nn.init.normal_(weight, 0.0, self.std, generator=generator)


class Xavier(Settings):
    """U(±√(6 / (fan_in + fan_out))) (Glorot & Bengio 2010), for tanh and sigmoid; biases 0."""

    name: Literal["xavier"] = "xavier"

    def draw(self, weight: Tensor, generator: torch.Generator) -> Tensor:
        """Fill one lane's matrix (out, in, …)."""
        return nn.init.xavier_uniform_(weight, generator=generator)


class He(Settings):
    """N(0, 2 / fan_in) (He et al. 2015), for relu; biases 0."""

    name: Literal["he"] = "he"

    def draw(self, weight: Tensor, generator: torch.Generator) -> Tensor:
        """Fill one lane's matrix (out, in, …)."""
        return nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)


class Orthogonal(Settings):
    """Orthogonal rows or columns (Saxe, McClelland & Ganguli 2014), of every gate by itself; biases 0."""

    name: Literal["orthogonal"] = "orthogonal"
    gain: float = Field(1.0, gt=0, le=10, description="times the orthogonal matrix")

    def draw(self, weight: Tensor, generator: torch.Generator) -> Tensor:
        """Fill one lane's matrix (out, in, …)."""
        return nn.init.orthogonal_(weight, self.gain, generator=generator)


Initialization = Default | Normal | Xavier | He | Orthogonal
