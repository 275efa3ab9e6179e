"""Encoder and decoder with attention, for translation (Sutskever et al. 2014; Bahdanau, Cho & Bengio 2015).

The encoder reads the source in both directions; the decoder predicts one token at a time, attending to the encoder
states. In training its input is the true previous token (teacher forcing), or with probability 1 − `teacher_forcing`
its own prediction (scheduled sampling, Bengio et al. 2015); at test time it decodes greedily or by beam search.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from tuner.experiment.settings import Settings as BaseSettings
from tuner.experiment.settings import used_when
from tuner.metrics.texts import END  # also what the decoder is given before the first token
from tuner.models.layers import (
    AdditiveAttention,
    Default,
    Directions,
    Dropout,
    Embedding,
    Initialization,
    Lanes,
    Linear,
    Recurrent,
    Shapes,
    State,
    kept,
)

LAYOUTS = ("tokens",)
TASKS = ("translation",)
TIME = 2  # the dimension of the steps


class Settings(BaseSettings):
    name: Literal["seq2seq"] = "seq2seq"
    cell: Literal["rnn", "gru", "lstm"] = Field("gru", description="rnn: Elman 1990; gru: Cho 2014; lstm: 1997")
    hidden_size: int = Field(64, ge=1, le=4096, description="units of each direction of the encoder, of the decoder")
    num_layers: int = Field(1, ge=1, le=16, description="layers of the encoder, and of the decoder")
    embedding_size: int = Field(32, ge=1, le=4096, description="numbers for each token")
    bidirectional: bool = Field(True, description="the encoder reads in both directions")
    teacher_forcing: float = Field(1.0, ge=0, le=1, description="probability of teacher forcing in training")
    beam: int = Field(1, ge=1, le=32, description="sentences kept while decoding; 1 is greedy")
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
        description="share dropped of what each layer reads and of the answer, alike at all steps (Gal 2016)",
    )


class Read(NamedTuple):
    """The source as a decoder reads it: states (K, B, S, H), their keys for attention, and how many count (K, B)."""

    states: Tensor
    keys: Tensor
    lengths: Tensor | None

    def repeated(self, times: int) -> Read:
        """Every row so many times: (K, B · times, …)."""
        states, keys = (each.repeat_interleave(times, dim=1) for each in (self.states, self.keys))
        return Read(states, keys, None if self.lengths is None else self.lengths.repeat_interleave(times, dim=1))


class Seq2Seq(nn.Module):
    """Source tokens (K, B, S) → logits of the target's tokens (K, B, T, V), each after the truth before it; `decode`
    gives tokens (K, B, T), `END` after the last."""

    def __init__(self, settings: Settings, shapes: Shapes, lanes: Lanes) -> None:
        super().__init__()
        size, hidden = settings.embedding_size, settings.hidden_size
        self.steps, self.beam = shapes.positions[0], settings.beam
        self.source = Embedding(shapes.vocabularies[0], size, lanes)
        cell, layers, forget = settings.cell, range(settings.num_layers), settings.forget_bias
        self.encoders, self.begin, read = nn.ModuleList(), nn.ModuleList(), size
        for _ in layers:
            encoder = Directions(cell, read, hidden, lanes, forget, bidirectional=settings.bidirectional)
            read = encoder.size
            self.encoders.append(encoder)
            self.begin.append(Linear(read, hidden, lanes))
        self.target = Embedding(shapes.outputs, size, lanes, special=0)
        self.attention = AdditiveAttention(read, lanes, query=hidden)
        self.decoders = nn.ModuleList(
            Recurrent(cell, hidden if layer else size + read, hidden, lanes, forget) for layer in layers
        )
        self.drop_source = nn.ModuleList(Dropout(settings.dropout, lanes, shared=TIME) for _ in layers)
        widths = [size, *[hidden] * (settings.num_layers - 1), hidden + read]  # of the token, each layer, the answer
        self.drops, self.widths = nn.ModuleList(Dropout(settings.dropout, lanes) for _ in widths), widths
        self.forced, mixed = settings.teacher_forcing > 0, 0 < settings.teacher_forcing < 1
        self.coins = Dropout(1 - settings.teacher_forcing, lanes) if mixed else None  # what it keeps is told the truth
        self.head = Linear(hidden + read, shapes.outputs, lanes)

    def forward(self, source: Tensor, lengths: Tensor | None = None, *, targets: Tensor) -> Tensor:
        read, state = self._encode(source, lengths)
        given, outputs, masks = torch.full_like(targets[..., 0], END), [], self._masks(read.states)
        for step in range(targets.shape[-1]):
            logits, state = self._step(given, state, read, masks)
            outputs.append(logits)
            given = targets[..., step].clamp(min=END)
            if self.training and self.coins is not None:
                forced = self.coins(torch.ones_like(given, dtype=logits.dtype)) > 0
                given = torch.where(forced, given, logits.argmax(dim=-1))
            elif self.training and not self.forced:
                given = logits.argmax(dim=-1)
        return torch.stack(outputs, dim=2)

    def decode(self, source: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The likeliest tokens: of each step, or of the `beam` likeliest beginnings kept at each."""
        lanes, batch, width = *source.shape[:2], self.beam
        once, state = self._encode(source, lengths)
        read = once.repeated(width)
        state = tuple(each.repeat_interleave(width, dim=1) for each in state)  # (K, B · W, …)
        score = once.states.new_full((lanes, batch, width), -math.inf)
        score[..., 0] = 0.0  # at first, all beams are identical: keep one
        given = source.new_full((lanes, batch * width), END)
        tokens, ended = given[..., None][..., :0], torch.zeros_like(given, dtype=torch.bool)
        masks = self._masks(read.states)
        for _ in range(self.steps):
            logits, state = self._step(given, state, read, masks)
            more = logits.log_softmax(dim=-1)
            silent = torch.full_like(more[:1, :1], -math.inf)
            silent[..., END] = 0.0  # finished hypotheses only emit END, with log probability 0
            more = torch.where(ended[..., None], silent, more).view(lanes, batch, width, -1)
            score, index = (score[..., None] + more).flatten(2).topk(width, dim=-1)
            kept, token = index // logits.shape[-1], index % logits.shape[-1]
            rows = (torch.arange(batch, device=kept.device)[:, None] * width + kept).flatten(1)  # (K, B · W)
            state = tuple(_rows(each, rows) for each in state)
            given = token.flatten(1)
            tokens = torch.cat([_rows(tokens, rows), given[..., None]], dim=2)
            ended = given == END  # and stays so: it cannot say anything else
        return tokens.view(lanes, batch, width, -1)[:, :, 0]

    def _encode(self, source: Tensor, lengths: Tensor | None) -> tuple[Read, State]:
        """The source as the decoder reads it, and the state that the decoder begins with."""
        states, state = self.source(source), list[Tensor]()
        for drop, encoder, begin in zip(self.drop_source, self.encoders, self.begin, strict=True):
            states, end = encoder(drop(states), lengths)
            state.append(torch.tanh(begin(end)))
            if self.decoders[0].cell == "lstm":
                state.append(torch.zeros_like(state[-1]))
        return Read(states, self.attention.project(states), lengths), tuple(state)

    def _masks(self, states: Tensor) -> list[Tensor | None]:
        """What is dropped of the token, between the decoder's layers and of the answer: the same at all steps."""
        like = [states.new_empty(()).expand(*states.shape[:2], width) for width in self.widths]
        return [drop.mask(each) for drop, each in zip(self.drops, like, strict=True)]  # type: ignore[operator]

    def _step(self, given: Tensor, state: State, read: Read, masks: list[Tensor | None]) -> tuple[Tensor, State]:
        """Logits (K, B, V) of the next token, after the token given (K, B), and the next state."""
        parts = len(state) // len(self.decoders)  # of each layer
        context = self.attention.read(read.states, read.keys, state[-parts], read.lengths)
        x, after = torch.cat([kept(self.target(given), masks[0]), context], dim=-1), State()
        for layer, decoder in enumerate(self.decoders):
            x = kept(x, masks[layer]) if layer else x
            own = decoder.step(x, state[layer * parts : (layer + 1) * parts])  # type: ignore[operator]
            x, after = own[0], after + own
        return self.head(kept(torch.cat([x, context], dim=-1), masks[-1])), after


def _rows(values: Tensor, rows: Tensor) -> Tensor:
    """Of values (K, B, …), the rows (K, R): (K, R, …)."""
    return values.gather(1, rows[..., None].expand(*rows.shape, values.shape[-1]))


def build(settings: Settings, shapes: Shapes, lanes: Lanes) -> nn.Module:
    """The network of all lanes."""
    return Seq2Seq(settings, shapes, lanes)
