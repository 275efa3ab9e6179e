"""Recurrent network over a sequence: rnn, gru or lstm cells, layers, both directions; read out last or over all steps."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from tuner.models.layers import (
    AdditiveAttention,
    Default,
    Dropout,
    Initialization,
    Lanes,
    Linear,
    Readout,
    Recurrent,
    Shapes,
)
from tuner.spec.settings import Settings as BaseSettings

LAYOUTS = ("sequence",)
TIME = 2  # the dimension of the steps


class Settings(BaseSettings):
    name: Literal["rnn"] = "rnn"
    cell: Literal["rnn", "gru", "lstm"] = Field("gru", description="rnn: Elman 1990; gru: Cho 2014; lstm: 1997")
    hidden_size: int = Field(64, ge=1, le=16384, description="units of each direction of each layer")
    num_layers: int = Field(1, ge=1, le=32, description="recurrent layers, each reading the one below")
    bidirectional: bool = Field(False, description="a second layer reads backwards (Schuster & Paliwal 1997)")
    readout: Readout = Field("last", description="which states are read: the last of each direction, or all")
    forget_bias: float = Field(0.0, ge=-10, le=10, description="lstm: on the forget gate (Gers et al. 2000)")
    initialization: Initialization = Field(Default(), discriminator="name", description="how weights begin")
    dropout: float = Field(
        0.0, ge=0, lt=1, description="share of each layer's outputs dropped while training, alike at all steps"
    )


class RNN(nn.Module):
    """Many-to-one: (K, B, T, D) → (K, B, outputs)."""

    def __init__(self, settings: Settings, shapes: Shapes, lanes: Lanes) -> None:
        super().__init__()
        size, hidden, self.readout = shapes.inputs[-1], settings.hidden_size, settings.readout
        self.forwards, self.backwards, self.dropouts = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for layer in range(settings.num_layers):
            self.forwards.append(Recurrent(settings.cell, size, hidden, lanes, settings.forget_bias))
            if settings.bidirectional:
                self.backwards.append(Recurrent(settings.cell, size, hidden, lanes, settings.forget_bias))
            last = layer + 1 == settings.num_layers
            self.dropouts.append(Dropout(settings.dropout, lanes, shared=None if last else TIME))
            size = 2 * hidden if settings.bidirectional else hidden
        self.attention = AdditiveAttention(size, lanes) if settings.readout == "attention" else None
        self.head = Linear(size, shapes.outputs, lanes)

    def forward(self, x: Tensor) -> Tensor:
        for number, forward in enumerate(self.forwards):
            states = forward(x)
            last = states[:, :, -1]
            if self.backwards:
                back = self.backwards[number](x.flip(TIME))  # its last state has read the first step
                last = torch.cat([last, back[:, :, -1]], dim=-1)
                states = torch.cat([states, back.flip(TIME)], dim=-1)
            if number + 1 < len(self.forwards):
                x = self.dropouts[number](states)
        out: Tensor = self.head(self.dropouts[-1](self._read(states, last)))
        return out

    def _read(self, states: Tensor, last: Tensor) -> Tensor:
        """(K, B, T, H) and the last states (K, B, H) → (K, B, H)."""
        if self.attention is not None:
            read: Tensor = self.attention(states)
            return read
        if self.readout == "last":
            return last
        return states.mean(dim=TIME) if self.readout == "mean" else states.amax(dim=TIME)


def build(settings: Settings, shapes: Shapes, lanes: Lanes) -> nn.Module:
    """The network of all lanes."""
    lanes.initialization = settings.initialization
    return RNN(settings, shapes, lanes)
