"""Recurrent network: rnn, gru or lstm cells in layers and both directions, read out at the end or at every step.

One answer per sequence, from the last state (Elman 1990), the mean or maximum of all, or what additive attention picks
(Bahdanau, Cho & Bengio 2015); or one answer per step: tagging, and language models, which must not read backwards.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from tuner.experiment.settings import Settings as BaseSettings
from tuner.experiment.settings import used_when
from tuner.models.layers import (
    Default,
    Directions,
    Dropout,
    Head,
    Initialization,
    Lanes,
    Pool,
    Shapes,
    steps,
)

LAYOUTS = ("sequence", "tokens")
TASKS = ("classification", "multilabel", "regression", "tagging", "language")
TIME = 2  # the dimension of the steps
ONE_ANSWER = ("classification", "multilabel", "regression")


class Settings(BaseSettings):
    name: Literal["rnn"] = "rnn"
    cell: Literal["rnn", "gru", "lstm"] = Field("gru", description="rnn: Elman 1990; gru: Cho 2014; lstm: 1997")
    hidden_size: int = Field(64, ge=1, le=16384, description="units of each direction of each layer")
    num_layers: int = Field(1, ge=1, le=32, description="recurrent layers, each reading the one below")
    bidirectional: bool = Field(
        False,
        description="a second layer reads backwards (Schuster & Paliwal 1997)",
        json_schema_extra=used_when(task=("classification", "multilabel", "regression", "tagging")),
    )
    readout: Literal["last", "mean", "max", "attention"] = Field(
        "last",
        description="which states are read: the last of each direction, or all",
        json_schema_extra=used_when(task=ONE_ANSWER),
    )
    embedding_size: int = Field(
        32, ge=1, le=4096, description="numbers for each token", json_schema_extra=used_when(layout=("tokens",))
    )
    tied: bool = Field(
        False,
        description="logits by the embedding's own weights (Press & Wolf 2017)",
        json_schema_extra=used_when(task=("language",)),
    )
    truncate: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="steps over which gradients flow back at most (truncated BPTT); null: all",
    )
    forget_bias: float = Field(
        0.0,
        ge=-10,
        le=10,
        description="on the forget gate (Gers et al. 2000)",
        json_schema_extra=used_when(cell=("lstm",)),
    )
    initialization: Initialization = Field(Default(), discriminator="name", description="how weights begin")
    dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of each layer's outputs dropped, alike at all steps (after Gal 2016)",
    )


class RNN(nn.Module):
    """Sequences (K, B, T, D) or tokens (K, B, T), of lengths (K, B) if not all steps count, → (K, B, outputs), or
    (K, B, T, outputs) where every step is asked."""

    def __init__(self, settings: Settings, shapes: Shapes, lanes: Lanes) -> None:
        super().__init__()
        self.settings, hidden = settings, settings.hidden_size
        self.embedding, size = steps(shapes, settings.embedding_size, lanes)
        self.layers, self.dropouts = nn.ModuleList(), nn.ModuleList()
        for layer in range(settings.num_layers):
            both, forget = settings.bidirectional, settings.forget_bias
            self.layers.append(Directions(settings.cell, size, hidden, lanes, forget, bidirectional=both))
            one_answer = layer + 1 == settings.num_layers and not shapes.positions
            self.dropouts.append(Dropout(settings.dropout, lanes, shared=None if one_answer else TIME))
            size = 2 * hidden if settings.bidirectional else hidden
        self.every_step = bool(shapes.positions)
        pooled = not shapes.positions and settings.readout != "last"
        self.pool = Pool(settings.readout, size, lanes) if pooled else None  # type: ignore[arg-type]
        self.head = Head(size, shapes.outputs, lanes, self.embedding if settings.tied else None)  # type: ignore[arg-type]

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        read = self.embedding(x)
        for number, layer in enumerate(self.layers):
            read, end = layer(read, lengths, self.settings.truncate)
            if number + 1 < len(self.layers) or self.every_step:
                read = self.dropouts[number](read)
        if not self.every_step:
            read = self.dropouts[-1](end if self.pool is None else self.pool(read, lengths))
        out: Tensor = self.head(read)
        return out


def build(settings: Settings, shapes: Shapes, lanes: Lanes) -> nn.Module:
    """The network of all lanes."""
    return RNN(settings, shapes, lanes)
