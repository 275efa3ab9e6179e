"""Every family equals a network made of torch's own modules with one lane's weights: answers, gradients, decoding."""

import math
from itertools import combinations, product

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tuner.models import cnn, recommender, rnn, seq2seq, transformer, unet
from tuner.models.layers import Lanes, Linear, Outline, Shapes
from tuner.registry import load, names

torch.set_num_threads(1)  # as a worker does: more threads on so little work only wait for each other

CLOSE = {"rtol": 1e-8, "atol": 1e-10}
CELLS = {"rnn": (nn.RNN, nn.RNNCell), "gru": (nn.GRU, nn.GRUCell), "lstm": (nn.LSTM, nn.LSTMCell)}
LENGTHS = torch.tensor([[5, 1, 3], [2, 5, 4]])  # of two lanes, three rows, five steps
EACH = pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["all", "lengths"])
CELL, BOTH = pytest.mark.parametrize("cell", CELLS), pytest.mark.parametrize("both", [False, True])


@pytest.fixture(autouse=True)
def same_numbers_in_every_run():
    torch.manual_seed(0)


def made(family, wish, shapes, seeds=(4, 5)):
    """A network in float64 none of whose weights is 0 or 1, as biases and norms are at first."""
    net = family.build(family.Settings(**wish), shapes, Lanes(seeds)).double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return net


def numbers(*shape):
    return torch.randn(2, 3, *shape, dtype=torch.double)


class Theirs(nn.Module):
    """A network of torch's modules, whose parameters come in the order of ours."""

    def in_order(self):
        return list(self.parameters())


def of_lane(net, k, read):
    """What `read` says of every parameter, in torch's shape: a linear layer's lie transposed here."""
    turned = {id(p) for module in net.modules() if isinstance(module, Linear) for p in module.parameters()}
    for p in net.parameters():
        yield (read(p)[k].T if p.shape[1] > 1 else read(p)[k, 0]) if id(p) in turned else read(p)[k]


def with_weights(own, net, k):
    """Torch's network with the weights of one lane of ours."""
    own = own.double()
    for theirs, ours in zip(own.in_order(), of_lane(net, k, lambda p: p.detach()), strict=True):
        theirs.data.copy_(ours.reshape(theirs.shape))
    return own


def assert_equal(net, theirs, x, *rest, counts=None, **more):
    """Forward in training, the gradients of the input and of every weight, and forward in evaluation, lane by lane;
    `counts` is 0 where the answer is nobody's business."""

    def own_out(own, own_x, k):
        beside = (each if each is None else each[k] for each in rest)
        return own(own_x, *beside, **{name: each[k] for name, each in more.items()}) * counts[k]

    x = x.clone().requires_grad_(x.is_floating_point())
    out = net(x, *rest, **more)
    counts = (torch.ones(()) if counts is None else counts).expand_as(out)
    up = torch.randn_like(out)
    (out * counts).backward(up)
    owns = [with_weights(theirs(), net, k) for k in range(len(x))]
    for k, own in enumerate(owns):
        own_x = x[k].detach().clone().requires_grad_(x.is_floating_point())
        said = own_out(own, own_x, k)
        said.backward(up[k])
        torch.testing.assert_close((out * counts)[k], said, **CLOSE)
        if x.is_floating_point():
            torch.testing.assert_close(x.grad[k], own_x.grad, **CLOSE)
        for parameter, ours in zip(own.in_order(), of_lane(net, k, lambda p: p.grad), strict=True):
            torch.testing.assert_close(ours.reshape(parameter.shape), parameter.grad, **CLOSE)
    out = net.eval()(x, *rest, **more)
    for k, own in enumerate(owns):
        torch.testing.assert_close((out * counts)[k], own_out(own.eval(), x[k], k), **CLOSE)


class Pooled(nn.Module):
    """Row by row, of the steps that count: mean, maximum, or what attention picks."""

    def __init__(self, how, size):
        super().__init__()
        self.how = how
        if how == "attention":
            self.direction, self.project = nn.Parameter(torch.empty(size, 1)), nn.Linear(size, size)

    def forward(self, states, lengths=None):
        ends = [states.shape[1]] * len(states) if lengths is None else lengths.tolist()
        return torch.stack([self.of(row[:end]) for row, end in zip(states, ends, strict=True)])

    def of(self, row):
        if self.how == "attention":
            return (torch.tanh(self.project(row)) @ self.direction).softmax(dim=0).T[0] @ row
        return row.mean(dim=0) if self.how == "mean" else row.max(dim=0).values


class TheirCNN(Theirs):
    """Two stages of two blocks."""

    def __init__(self, block, norm, pooling, inputs, places, tokens):
        super().__init__()
        self.conv, self.norm = ((nn.Conv1d, nn.BatchNorm1d), (nn.Conv2d, nn.BatchNorm2d))[places - 1]
        self.normed, self.block, self.pooling, inputs = norm == "batch", block, pooling, 4 if tokens else inputs
        self.entry = nn.Embedding(7, 4) if tokens else None
        self.body, self.short = nn.ModuleList(), []
        for outputs, stride in ((3, 1), (3, 1), (6, 2), (6, 1)):
            parts = [nn.Sequential(*self.unit(inputs, outputs, stride))]
            if block == "residual":
                parts.append(nn.Sequential(*self.unit(outputs, outputs, 1)))
                self.short.append(inputs != outputs)
                if inputs != outputs:
                    norms = [self.norm(outputs)] if self.normed else []
                    parts.append(nn.Sequential(self.conv(inputs, outputs, 1, stride), *norms))
            self.body.append(nn.ModuleList(parts))
            inputs = outputs
        self.pool = Pooled(pooling, 6)
        self.head = nn.Linear(6 * {1: 3, 2: 3 * 2}[places] if pooling == "flatten" else 6, 2)

    def unit(self, inputs, outputs, stride):
        norms = [self.norm(outputs)] if self.normed else []
        if self.block == "separable":
            deep = self.conv(inputs, inputs, 3, stride, padding=1, groups=inputs)
            return [deep, self.conv(inputs, outputs, 1), *norms]
        return [self.conv(inputs, outputs, 3, stride, padding=1), *norms]

    def forward(self, x):
        if self.entry is not None:
            x = self.entry(x)
        x = x.transpose(1, 2) if self.conv is nn.Conv1d else x
        for number, parts in enumerate(self.body):
            if self.block == "residual":
                beside = parts[2](x) if self.short[number] else x
                x = torch.relu(parts[1](torch.relu(parts[0](x))) + beside)
            else:
                x = torch.relu(parts[0](x))
        return self.head(x.flatten(1) if self.pooling == "flatten" else self.pool(x.flatten(2).transpose(1, 2)))


IMAGE, SEQUENCE, TOKENS = Shapes((2, 5, 4), 2), Shapes((5, 2), 2), Shapes((5,), 2, vocabularies=(7,))


@pytest.mark.parametrize("shapes", [IMAGE, SEQUENCE, TOKENS], ids=["image", "sequence", "tokens"])
@pytest.mark.parametrize("block", ["plain", "residual", "separable"])
@pytest.mark.parametrize("norm", ["none", "batch"])
@pytest.mark.parametrize("pooling", ["mean", "max", "flatten"])
def test_a_cnn_equals_torchs_convolutions(shapes, block, norm, pooling):
    wish = {"channels": 3, "stages": 2, "blocks": 2, "block": block, "normalization": norm, "pooling": pooling}
    net = made(cnn, {**wish, "embedding_size": 4}, shapes)
    x = torch.randint(0, 7, (2, 3, 5)) if shapes is TOKENS else numbers(*shapes.inputs)
    places = 2 if shapes is IMAGE else 1
    assert_equal(net, lambda: TheirCNN(block, norm, pooling, 2, places, shapes is TOKENS), x)


@pytest.mark.parametrize("pooling", ["mean", "max", "attention"])
@pytest.mark.parametrize("stages", [1, 2, 3])
def test_a_cnn_pools_no_place_after_the_end_of_a_sequence(pooling, stages):
    """Width 1, as a wider convolution reads the zeros after the end, as torch's reads those it pads with."""
    net = made(cnn, {"kernel_size": 1, "stages": stages, "channels": 3, "pooling": pooling}, SEQUENCE)
    x = numbers(5, 2)
    out = net(x, LENGTHS)
    for k, row in product(range(2), range(3)):
        torch.testing.assert_close(out[k, row], net(x[:, :, : LENGTHS[k, row]])[k, row], **CLOSE)


def waves(time, size):
    """Of Vaswani et al., the formula."""
    angle = [[t / 10000 ** (i // 2 * 2 / size) for i in range(size)] for t in range(time)]
    table = [[math.cos(a) if i % 2 else math.sin(a) for i, a in enumerate(row)] for row in angle]
    return torch.tensor(table, dtype=torch.double)


class TheirTransformer(Theirs):
    def __init__(self, norm, causal, positions, activation, readout, tied):
        super().__init__()
        if positions == "learned":
            self.positions = nn.Parameter(torch.empty(5, 6))
        else:
            self.positions = waves(5, 6) if positions == "sinusoidal" else torch.zeros(5, 6)
        self.entry = nn.Embedding(7, 6) if tied else nn.Linear(2, 6)
        how = {"dropout": 0.0, "activation": activation, "batch_first": True, "norm_first": norm == "pre"}
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(6, 2, 8, **how) for _ in range(2))
        self.norm = nn.LayerNorm(6) if norm == "pre" else nn.Identity()
        self.pool, self.causal, self.tied = readout and Pooled(readout, 6), causal, tied
        self.head = nn.Linear(6, 6 if tied else 2)

    def forward(self, x, lengths=None):
        later = torch.ones(5, 5, dtype=torch.bool).triu(1) if self.causal else None
        absent = None if lengths is None else torch.arange(5) >= lengths[:, None]
        x = self.entry(x) + self.positions
        for layer in self.layers:
            x = layer(x, src_mask=later, src_key_padding_mask=absent)
        x = self.head(self.pool(self.norm(x), lengths) if self.pool else self.norm(x))
        return x @ self.entry.weight.T / math.sqrt(6) if self.tied else x


def transformers(norm, causal, positions, activation, readout, tied=False):
    wish = {"num_heads": 2, "head_size": 3, "feedforward_size": 8, "num_layers": 2, "norm": norm, "tied": tied}
    wish |= {"positions": positions, "activation": activation, "readout": readout or "mean"}
    inputs, outputs, words = ((5,), 7, (7,)) if tied else ((5, 2), 2, ())
    return made(transformer, wish, Shapes(inputs, outputs, words, () if readout else (5,), causal=causal))


@EACH
@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize(("positions", "activation"), [("sinusoidal", "relu"), ("learned", "gelu"), ("none", "relu")])
@pytest.mark.parametrize(
    ("causal", "readout"), [(False, "mean"), (False, "max"), (False, None), (True, None), (True, "attention")]
)
def test_a_transformer_equals_torchs_encoder_layers(norm, causal, positions, activation, readout, lengths):
    net = transformers(norm, causal, positions, activation, readout)
    if positions == "sinusoidal":  # float32 until here
        torch.testing.assert_close(net.fixed, waves(5, 6).expand(2, 1, 5, 6), rtol=0, atol=1e-6)
        net.fixed.copy_(waves(5, 6))
    wish = (norm, causal, positions, activation, readout, False)
    assert_equal(net, lambda: TheirTransformer(*wish), numbers(5, 2), lengths)


def test_a_tied_transformer_scores_by_its_embedding_and_passes_both_gradients_to_it():
    wish = ("pre", True, "learned", "relu", None, True)
    assert_equal(transformers(*wish), lambda: TheirTransformer(*wish), torch.randint(0, 7, (2, 3, 5)))


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_causal_transformer_reads_no_later_step(norm):
    net = transformers(norm, True, "sinusoidal", "relu", None)
    x = numbers(5, 2)
    out = net(x)
    for step in range(5):
        other = x.clone()
        other[:, :, step] += 1
        changed = (net(other) - out).abs().amax(dim=(0, 1, 3)) > 1e-9
        assert changed.tolist() == [t >= step for t in range(5)]


@pytest.mark.parametrize("readout", ["mean", "max", "attention"])
def test_what_stands_after_the_end_changes_no_answer_of_a_transformer(readout):
    net = transformers("pre", False, "sinusoidal", "relu", readout)
    x = numbers(5, 2)
    after = (torch.arange(5) >= LENGTHS[..., None])[..., None]
    torch.testing.assert_close(net(x, LENGTHS), net(torch.where(after, 100 * numbers(5, 2), x), LENGTHS), **CLOSE)


class TheirUNet(Theirs):
    def __init__(self, depth, norm):
        super().__init__()

        def conv(a, b):
            return nn.Conv2d(a, b, 3, padding=1)

        def level(a, b):
            norms = [nn.BatchNorm2d(b) if norm == "batch" else nn.Identity() for _ in range(2)]
            return nn.Sequential(conv(a, b), norms[0], nn.ReLU(), conv(b, b), norms[1], nn.ReLU())

        self.down = nn.ModuleList([level(2, 2), *(level(2 * 2**d, 4 * 2**d) for d in range(depth))])
        self.narrow = nn.ModuleList(conv(4 * 2**d, 2 * 2**d) for d in reversed(range(depth)))
        self.up = nn.ModuleList(level(4 * 2**d, 2 * 2**d) for d in reversed(range(depth)))
        self.head = nn.Conv2d(2, 3, 1)

    def forward(self, x):
        levels = [self.down[0](x)]
        for down in self.down[1:]:
            levels.append(down(F.max_pool2d(levels[-1], 2, ceil_mode=True)))
        x = levels.pop()
        for narrow, up in zip(self.narrow, self.up, strict=True):
            fine = levels.pop()
            x = up(torch.cat([fine, narrow(F.interpolate(x, size=fine.shape[2:], mode="nearest"))], dim=1))
        return self.head(x).permute(0, 2, 3, 1)


@pytest.mark.parametrize("size", [(8, 8), (7, 6), (5, 9), (1, 3)])
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_a_unet_equals_torchs_convolutions_also_where_sizes_are_odd(size, depth, norm):
    net = made(unet, {"channels": 2, "depth": depth, "normalization": norm}, Shapes((2, *size), 3, places=size))
    x = numbers(2, *size)
    assert net.eval()(x).shape == (2, 3, *size, 3)
    assert_equal(net.train(), lambda: TheirUNet(depth, norm), x)


class TheirRecommender(Theirs):
    def __init__(self, words, interaction, biases, side, outputs):
        super().__init__()
        self.mean, size = nn.Parameter(torch.empty(outputs)), 4 if interaction == "mlp" else 4 * outputs
        self.vectors = nn.ModuleList(nn.Embedding(count, size) for count in words)
        self.biases = nn.ModuleList(nn.Embedding(count, outputs) for count in words[: len(words) * biases])
        self.network = self.side = None
        if interaction == "mlp":
            first, inner, end = nn.Linear(4 * len(words) + side, 5), nn.Linear(5, 5), nn.Linear(5, outputs)
            self.network = nn.Sequential(first, nn.Tanh(), inner, nn.Tanh(), end)
        elif side:
            self.side = nn.Linear(side, outputs)

    def forward(self, ids, side=None):
        out = self.mean + sum(bias(ids[:, column]) for column, bias in enumerate(self.biases))
        vectors = [own(ids[:, column]) for column, own in enumerate(self.vectors)]
        if self.network is not None:
            return out + self.network(torch.cat([*vectors, *([] if side is None else [side])], dim=1))
        for one, other in combinations(vectors, 2):
            out = out + (one * other).view(len(ids), 4, -1).sum(dim=1)
        return out if self.side is None else out + side @ self.side.weight.T + self.side.bias


@pytest.mark.parametrize("interaction", ["dot", "mlp"])
@pytest.mark.parametrize("words", [(6, 4), (6, 4, 5)])
@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize(("side", "outputs"), [(0, 1), (2, 1), (2, 3)])
def test_a_recommender_is_the_mean_the_biases_and_what_every_pair_or_the_network_says(
    interaction, words, biases, side, outputs
):
    wish = {"interaction": interaction, "biases": biases, "embedding_size": 4, "hidden_size": 5, "num_layers": 2}
    shapes = Shapes((len(words),), outputs, vocabularies=words, side=side)
    net = made(recommender, {**wish, "activation": "tanh"}, shapes)
    ids = torch.stack([torch.randint(0, count, (2, 3)) for count in words], dim=-1)
    wish = (words, interaction, biases, side, outputs)
    assert_equal(net, lambda: TheirRecommender(*wish), ids, *([numbers(side)] if side else []))


@pytest.mark.parametrize("code", [0, 1])
def test_who_was_never_seen_gets_at_the_start_the_mean_and_the_bias_of_the_other(code):
    net = recommender.build(recommender.Settings(), Shapes((2,), 1, vocabularies=(6, 9)), Lanes((1, 2)))
    net.mean.data += 3.5
    out = net(torch.tensor([[[code, 5], [4, code]]] * 2))[..., 0]
    users, items = (bias.weight.detach()[..., 0] for bias in net.biases)
    torch.testing.assert_close(out, 3.5 + torch.stack([items[:, 5], users[:, 4]], dim=1))


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

    def in_order(self):
        """All layers forwards, then all layers backwards."""
        parts = ("embedding", "rnn", "pool", "head")
        named = sorted(self.named_parameters(), key=lambda at: (parts.index(at[0].split(".")[0]), "reverse" in at[0]))
        return [parameter for _, parameter in named]

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
    x = torch.randint(0, 7, (2, 3, 5)) if tokens else numbers(5, 2)
    asked = None if readout or lengths is None else (torch.arange(5) < lengths[..., None])[..., None]
    assert_equal(net, lambda: TheirRNN(cell, layers, both, readout, tokens), x, lengths, counts=asked)


def test_a_tied_recurrent_network_scores_by_its_embedding_and_passes_both_gradients_to_it():
    wish = {"cell": "gru", "hidden_size": 3, "embedding_size": 4, "tied": True}
    net = made(rnn, wish, Shapes((5,), 7, (7,), (5,), causal=True))
    assert_equal(net, lambda: TheirRNN("gru", 1, False, None, True, tied=True), torch.randint(0, 7, (2, 3, 5)))


class Translator(Theirs):
    """After Bahdanau et al.; `told` what the truth is while training, or what it said itself."""

    def __init__(self, cell, both, words=6, told=True):
        super().__init__()
        size, self.told, (many, one) = 6 if both else 3, told, CELLS[cell]
        self.source, self.encoder = nn.Embedding(7, 4), many(4, 3, batch_first=True, bidirectional=both)
        self.begin, self.target = nn.Linear(size, 3), nn.Embedding(words, 4)
        self.direction, self.project = nn.Linear(size, 1, bias=False), nn.Linear(size, size)
        self.ask = nn.Linear(3, size)
        self.decoder, self.head = one(4 + size, 3), nn.Linear(3 + size, words)

    def forward(self, source, lengths=None, targets=None):
        states, ends = read(self.encoder, self.source(source), lengths)
        h = torch.tanh(self.begin(torch.cat([*ends], dim=-1)))
        c, given, said = torch.zeros_like(h), torch.zeros_like(targets[:, 0]), []
        for truth in targets.T:
            energy = self.direction(torch.tanh(self.project(states) + self.ask(h)[:, None]))[..., 0]
            if lengths is not None:
                energy[torch.arange(5) >= lengths[:, None]] = -math.inf
            context = (energy.softmax(dim=1)[..., None] * states).sum(dim=1)
            x = torch.cat([self.target(given), context], dim=1)
            if isinstance(self.decoder, nn.LSTMCell):
                h, c = self.decoder(x, (h, c))
            else:
                h = self.decoder(x, h)
            said.append(self.head(torch.cat([h, context], dim=1)))
            given = truth.clamp(min=0) if self.told or not self.training else said[-1].argmax(dim=1)
        return torch.stack(said, dim=1)


def translator(cell="gru", both=True, steps=4, words=6, **wish):
    wish = {"cell": cell, "bidirectional": both, "hidden_size": 3, "embedding_size": 4, **wish}
    return made(seq2seq, wish, Shapes((5,), words, (7,), (steps,)))


@EACH
@CELL
@BOTH
@pytest.mark.parametrize("told", [True, False])
def test_a_translator_equals_torchs_cells_and_bahdanaus_attention(cell, both, lengths, told):
    """Given the truth before each step, or in training what it said itself; nothing (-1) counts as the end (0)."""
    targets = torch.randint(-1, 6, (2, 3, 4))
    net, x = translator(cell, both, teacher_forcing=float(told)), torch.randint(2, 7, (2, 3, 5))
    assert_equal(net, lambda: Translator(cell, both, told=told), x, lengths, targets=targets)


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
@pytest.mark.parametrize("width", [1, 2, 27])
def test_decoding_says_what_a_search_over_lists_finds_which_at_full_width_is_the_best_of_all(cell, lengths, width):
    """At most 15 beginnings of three tokens are not one another, so the widest beam keeps all; width 1 is greedy."""
    net, x = translator(cell, steps=4, words=3, beam=width).eval(), torch.randint(2, 7, (2, 3, 5))
    with torch.no_grad():
        for parameter in net.parameters():  # what was said before has to matter
            parameter *= 3
        net.head.bias[..., 0] = -1  # and not every sentence ends at once
        found = net.decode(x, lengths)
        assert found.shape == (2, 3, 4)
        for k, row in product(range(2), range(3)):
            own = with_weights(Translator(cell, True, words=3), net, k).eval()
            length = None if lengths is None else lengths[k, row]
            assert found[k, row].tolist() == beam_search(own, x[k, row], length, 4, 3, width)


EXAMPLES = {
    "cnn": IMAGE,
    "mlp": Shapes((4,), 2),
    "recommender": Shapes((2,), 1, (7, 8), side=2),
    "rnn": TOKENS,
    "seq2seq": Shapes((5,), 6, (7,), (4,)),
    "transformer": TOKENS,
    "unet": Shapes((2, 5, 4), 3, places=(5, 4)),
}
FAMILY = pytest.mark.parametrize("family", names("tuner.models"))


def example(family, lanes, wish):
    """A network of these lanes, and something to read for three of them."""
    shapes, module = EXAMPLES[family], load("tuner.models", family)
    net = module.build(module.Settings(**wish), shapes, lanes)
    x = torch.randint(0, 7, (3, 4, *shapes.inputs)) if shapes.vocabularies else torch.randn(3, 4, *shapes.inputs)
    rest = [torch.randn(3, 4, shapes.side)] if shapes.side else []
    more = {"targets": torch.randint(0, 6, (3, 4, *shapes.places))} if family == "seq2seq" else {}
    return net, lambda net, at: net(x[at], *(r[at] for r in rest), **{name: each[at] for name, each in more.items()})


@FAMILY
def test_a_familys_outline_has_the_sizes_of_one_lane_and_no_numbers(family):
    (outline, _), (net, _) = example(family, Outline(), {}), example(family, Lanes((1,)), {})
    assert all(each.is_meta for each in [*outline.parameters(), *outline.buffers()])
    sizes = [{name: p.shape for name, p in one.named_parameters()} for one in (outline, net)]
    assert sizes[0] == sizes[1]


@FAMILY
def test_gradients_reach_every_weight_of_every_lane_of_a_family(family):
    net, said = example(family, Lanes((1, 2, 3)), {})
    said(net, slice(None)).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.flatten(1).any(dim=1).all(), name


@FAMILY
@pytest.mark.parametrize("training", [False, True])
def test_what_a_lane_of_a_family_says_does_not_depend_on_its_neighbours(family, training):
    """Nor which of its units are dropped in training."""
    (net, said), (alone, _) = (example(family, Lanes(seeds), {"dropout": 0.5}) for seeds in ((1, 2, 3), (2,)))
    torch.testing.assert_close(said(net.train(training), slice(None))[1:2], said(alone.train(training), slice(1, 2)))
