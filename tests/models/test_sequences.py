"""Recurrent networks and translators equal torch's cells with one lane's weights: answers, gradients, decoding."""

import math
from itertools import product

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from twins import EACH, Pooled, Theirs, assert_equal, made, numbers, with_weights

from tuner.models import rnn, seq2seq
from tuner.models.layers import Lanes, Shapes

CELLS = {"rnn": (nn.RNN, nn.RNNCell), "gru": (nn.GRU, nn.GRUCell), "lstm": (nn.LSTM, nn.LSTMCell)}
CELL, BOTH = pytest.mark.parametrize("cell", CELLS), pytest.mark.parametrize("both", [False, True])


@pytest.fixture(autouse=True)
def same_numbers_in_every_run():
    torch.manual_seed(0)


def read(own, x, lengths):
    """States of all steps, and the last of each layer and direction, by torch, which reads packed sequences."""
    if lengths is None:
        states, end = own(x)
    else:
        packed, end = own(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
        states, _ = pad_packed_sequence(packed, batch_first=True, total_length=x.shape[1])
    return states, end[0] if isinstance(end, tuple) else end


class TheirRNN(Theirs):
    def __init__(self, cell, layers, both, readout, tokens, tied=False):
        super().__init__()
        self.embedding, size = nn.Embedding(7, 4) if tokens else nn.Identity(), 6 if both else 3
        self.rnn = CELLS[cell][0](4 if tokens else 2, 3, layers, batch_first=True, bidirectional=both)
        self.readout, self.pool, self.tied = readout, Pooled(readout, size), tied
        self.head = nn.Linear(size, 4 if tied else 2)

    def forward(self, x, lengths=None):
        states, ends = read(self.rnn, self.embedding(x), lengths)
        if self.readout == "last":
            states = torch.cat([*ends[-2:]] if self.rnn.bidirectional else [ends[-1]], dim=-1)
        elif self.readout is not None:
            states = self.pool(states, lengths)
        out = self.head(states)
        return out @ self.embedding.weight.T / 2 if self.tied else out


@EACH
@CELL
@BOTH
@pytest.mark.parametrize(
    ("layers", "readout"), [(1, "last"), (2, "last"), (1, "mean"), (2, "max"), (1, "attention"), (1, None), (2, None)]
)
def test_a_recurrent_network_equals_torchs_of_packed_sequences(cell, layers, both, readout, lengths):
    """One layer reads tokens here, and two read numbers."""
    tokens = layers == 1
    wish = {"cell": cell, "hidden_size": 3, "num_layers": layers, "bidirectional": both, "embedding_size": 4}
    shapes = Shapes((5,) if tokens else (5, 2), 2, (7,) if tokens else (), () if readout else (5,))
    net = made(rnn, {**wish, "readout": readout or "last"}, shapes)
    x = torch.randint(1, 7, (2, 3, 5)) if tokens else numbers(5, 2)
    asked = None if readout or lengths is None else (torch.arange(5) < lengths[..., None])[..., None]
    assert_equal(net, lambda: TheirRNN(cell, layers, both, readout, tokens), x, lengths, counts=asked)


def test_a_tied_recurrent_network_scores_by_its_embedding_and_passes_both_gradients_to_it():
    wish = {"cell": "gru", "hidden_size": 3, "embedding_size": 4, "tied": True}
    net = made(rnn, wish, Shapes((5,), 7, (7,), (5,), causal=True))
    assert_equal(net, lambda: TheirRNN("gru", 1, False, None, True, tied=True), torch.randint(1, 7, (2, 3, 5)))


class Translator(Theirs):
    """After Bahdanau et al.; `told` what the truth is while training, or what it said itself."""

    def __init__(self, cell, both, words=6, told=True, layers=1):
        super().__init__()
        size, self.told, (many, one) = 6 if both else 3, told, CELLS[cell]
        self.source = nn.Embedding(7, 4)
        self.encoder = many(4, 3, layers, batch_first=True, bidirectional=both)
        self.begin = nn.ModuleList(nn.Linear(size, 3) for _ in range(layers))
        self.target = nn.Embedding(words, 4)
        self.direction, self.project = nn.Linear(size, 1, bias=False), nn.Linear(size, size)
        self.ask = nn.Linear(3, size)
        self.decoder = nn.ModuleList(one(3 if layer else 4 + size, 3) for layer in range(layers))
        self.head = nn.Linear(3 + size, words)

    def forward(self, source, lengths=None, targets=None):
        states, ends = read(self.encoder, self.source(source), lengths)
        ends = ends.unflatten(0, (len(self.begin), -1))  # by layer, then by direction
        h = [torch.tanh(begin(torch.cat([*end], dim=-1))) for begin, end in zip(self.begin, ends, strict=True)]
        c, given, said = [torch.zeros_like(each) for each in h], torch.zeros_like(targets[:, 0]), []
        for truth in targets.T:
            energy = self.direction(torch.tanh(self.project(states) + self.ask(h[-1])[:, None]))[..., 0]
            if lengths is not None:
                energy[torch.arange(5) >= lengths[:, None]] = -math.inf
            context = (energy.softmax(dim=1)[..., None] * states).sum(dim=1)
            x = torch.cat([self.target(given), context], dim=1)
            for layer, cell in enumerate(self.decoder):
                if isinstance(cell, nn.LSTMCell):
                    h[layer], c[layer] = cell(x, (h[layer], c[layer]))
                else:
                    h[layer] = cell(x, h[layer])
                x = h[layer]
            said.append(self.head(torch.cat([x, context], dim=1)))
            given = truth.clamp(min=0) if self.told or not self.training else said[-1].argmax(dim=1)
        return torch.stack(said, dim=1)


def translator(cell="gru", both=True, steps=4, words=6, **wish):
    wish = {"cell": cell, "bidirectional": both, "hidden_size": 3, "embedding_size": 4, **wish}
    return made(seq2seq, wish, Shapes((5,), words, (7,), (steps,)))


@EACH
@CELL
@BOTH
@pytest.mark.parametrize(("told", "layers"), [(True, 1), (False, 1), (True, 2)])
def test_a_translator_equals_torchs_cells_and_bahdanaus_attention(cell, both, lengths, told, layers):
    """Given the truth before each step, or in training what it said itself; nothing (-1) counts as the end (0)."""
    targets = torch.randint(-1, 6, (2, 3, 4))
    net = translator(cell, both, teacher_forcing=float(told), num_layers=layers)
    x = torch.randint(2, 7, (2, 3, 5))
    assert_equal(net, lambda: Translator(cell, both, told=told, layers=layers), x, lengths, targets=targets)


def test_now_and_then_a_translator_is_given_the_truth_whichever_lanes_stand_beside():
    """It says 2 whatever it hears, and the truth is 1."""

    def heard(*seeds):
        settings = seq2seq.Settings(hidden_size=3, teacher_forcing=0.25)
        net, given = seq2seq.build(settings, Shapes((5,), 4, (7,), (20,)), Lanes(seeds)), []
        net.head.bias.data[..., 2] += 100
        net.target.register_forward_pre_hook(lambda _, codes: given.append(codes[0]))
        ones = torch.ones(len(seeds), 50, 20, dtype=torch.long)
        net(ones[..., :5], targets=ones)
        return torch.stack(given, dim=2)

    given = heard(1, 2, 3)
    assert not given[..., 0].any()
    assert set(given[..., 1:].unique().tolist()) == {1, 2}
    assert (given[..., 1:] == 1).double().mean().item() == pytest.approx(0.25, abs=0.03)
    assert torch.equal(given[1], heard(2)[0])


def beam_search(own, source, length, steps, words, width):
    """The likeliest tokens of one sentence: every beginning is read anew and scored up to its first end (0)."""
    kept = [()]
    for _ in range(steps):
        longer = [(*said, token) for said in kept for token in ([0] if 0 in said else range(words))]
        tokens = torch.tensor(longer)
        lengths = None if length is None else length.expand(len(longer))
        each = own(source.expand(len(longer), -1), lengths, tokens).log_softmax(dim=2)
        ended = (tokens == 0).cumsum(dim=1) - (tokens == 0).long() > 0
        scores = each.gather(2, tokens[..., None])[..., 0].masked_fill(ended, 0.0).sum(dim=1)
        kept = [longer[place] for place in scores.argsort(descending=True)[:width]]
    return list(kept[0])


@EACH
@CELL
@pytest.mark.parametrize(("width", "layers"), [(1, 1), (2, 1), (27, 1), (2, 2)])
def test_decoding_says_what_a_search_over_lists_finds_which_at_full_width_is_the_best_of_all(
    cell, lengths, width, layers
):
    """At most 15 beginnings of three tokens are not one another, so the widest beam keeps all; width 1 is greedy."""
    net, x = translator(cell, steps=4, words=3, beam=width, num_layers=layers).eval(), torch.randint(2, 7, (2, 3, 5))
    with torch.no_grad():
        for parameter in net.parameters():  # what was said before has to matter
            parameter *= 3
        net.head.bias[..., 0] = -1  # and not every sentence ends at once
        found = net.decode(x, lengths)
        assert found.shape == (2, 3, 4)
        for k, row in product(range(2), range(3)):
            own = with_weights(Translator(cell, True, words=3, layers=layers), net, k).eval()
            length = None if lengths is None else lengths[k, row]
            assert found[k, row].tolist() == beam_search(own, x[k, row], length, 4, 3, width)
