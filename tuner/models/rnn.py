"""Recurrent network over a sequence, read out at its last step: cell rnn, gru or lstm, layers, both directions."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from tuner.models.layers import Dropout, Lanes, Linear, Recurrent, Shapes
from tuner.spec.settings import Settings as BaseSettings

LAYOUTS = ("sequence",)


class Settings(BaseSettings):
    name: Literal["rnn"] = "rnn"
    cell: Literal["rnn", "gru", "lstm"] = Field("gru", description="rnn: Elman 1990; gru: Cho 2014; lstm: 1997")
    hidden_size: int = Field(64, ge=1, le=16384, description="units of each direction of each layer")
    num_layers: int = Field(1, ge=1, le=32, description="recurrent layers, each reading the one below")
    bidirectional: bool = Field(False, description="a second layer reads backwards (Schuster & Paliwal 1997)")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of each layer's outputs dropped while training")


class RNN(nn.Module):
    """Many-to-one: (K, B, T, D) → (K, B, outputs), from the last state of each direction."""

    def __init__(self, settings: Settings, shapes: Shapes, lanes: Lanes) -> None:
        super().__init__()
        size, hidden = shapes.inputs[-1], settings.hidden_size
        directions = 2 if settings.bidirectional else 1
        self.forwards, self.backwards, self.dropouts = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for _ in range(settings.num_layers):
            self.forwards.append(Recurrent(settings.cell, size, hidden, lanes))
            if settings.bidirectional:
                self.backwards.append(Recurrent(settings.cell, size, hidden, lanes))
            self.dropouts.append(Dropout(settings.dropout, lanes))
            size = hidden * directions
        self.head = Linear(size, shapes.outputs, lanes)

    def forward(self, x: Tensor) -> Tensor:
        for number, forward in enumerate(self.forwards):
            ahead = forward(x)
            last = ahead[:, :, -1]
            if self.backwards:
                back = self.backwards[number](x.flip(2))  # its last state has read the first step
                last = torch.cat([last, back[:, :, -1]], dim=-1)
                ahead = torch.cat([ahead, back.flip(2)], dim=-1)
            if number + 1 < len(self.forwards):
                x = self.dropouts[number](ahead)
        out: Tensor = self.head(self.dropouts[-1](last))
        return out


def build(settings: Settings, shapes: Shapes, lanes: Lanes) -> nn.Module:
    """The network of all lanes."""
    return RNN(settings, shapes, lanes)
