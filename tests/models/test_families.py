"""Every family equals a network made of torch's own modules with one lane's weights: answers and gradients."""

import math
from itertools import combinations, product

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from twins import CLOSE, EACH, LENGTHS, Pooled, Theirs, assert_equal, made, numbers

from tuner.models import cnn, recommender, transformer, unet
from tuner.models.layers import Lanes, Shapes


@pytest.fixture(autouse=True)
def same_numbers_in_every_run():
    torch.manual_seed(0)


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
        if self.block == "separable" and len(self.body):
            deep = self.conv(inputs, inputs, 3, stride, padding=1, groups=inputs)
            between = [self.norm(inputs)] if self.normed else []
            return [deep, *between, nn.ReLU(), self.conv(inputs, outputs, 1), *norms]
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
    x = torch.randint(1, 7, (2, 3, 5)) if shapes is TOKENS else numbers(*shapes.inputs)
    places = 2 if shapes is IMAGE else 1
    assert_equal(net, lambda: TheirCNN(block, norm, pooling, 2, places, shapes is TOKENS), x)


@pytest.mark.parametrize("pooling", ["mean", "max", "attention"])
@pytest.mark.parametrize("stages", [1, 2, 3])
@pytest.mark.parametrize("block", ["plain", "residual", "separable"])
def test_a_cnn_reads_pools_and_norms_nothing_after_the_end_of_a_sequence(pooling, stages, block):
    wish = {"stages": stages, "channels": 3, "pooling": pooling, "block": block, "normalization": "batch"}
    net, x, wild = made(cnn, wish, SEQUENCE), numbers(5, 2), numbers(5, 2)
    wild = torch.where((torch.arange(5) < LENGTHS[..., None])[..., None], x, wild)
    for training in (True, False):
        torch.testing.assert_close(net.train(training)(wild, LENGTHS), net(x, LENGTHS), **CLOSE)
    for k, row in product(range(2), range(3)):
        cut = net(x[:, :, : LENGTHS[k, row]])
        torch.testing.assert_close(net(x, LENGTHS)[k, row], cut[k, row], **CLOSE)


def waves(time, size):
    """Of Vaswani et al., the formula."""
    angle = [[t / 10000 ** (i // 2 * 2 / size) for i in range(size)] for t in range(time)]
    tensors = [[math.cos(a) if i % 2 else math.sin(a) for i, a in enumerate(row)] for row in angle]
    return torch.tensor(tensors, dtype=torch.double)


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
    assert_equal(transformers(*wish), lambda: TheirTransformer(*wish), torch.randint(1, 7, (2, 3, 5)))


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


@pytest.mark.parametrize("size", [(8, 8), (7, 6), (5, 9), (1, 5)])
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_a_unet_equals_torchs_convolutions_also_where_sizes_are_odd(size, depth, norm):
    net = made(unet, {"channels": 2, "depth": depth, "normalization": norm}, Shapes((2, *size), 3, positions=size))
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
    ids = torch.stack([torch.randint(1, count, (2, 3)) for count in words], dim=-1)
    wish = (words, interaction, biases, side, outputs)
    assert_equal(net, lambda: TheirRecommender(*wish), ids, *([numbers(side)] if side else []))


@pytest.mark.parametrize("code", [0, 1])
def test_who_was_never_seen_gets_at_the_start_the_mean_and_the_bias_of_the_other(code):
    net = recommender.build(recommender.Settings(), Shapes((2,), 1, vocabularies=(6, 9)), Lanes((1, 2)))
    net.mean.data += 3.5
    out = net(torch.tensor([[[code, 5], [4, code]]] * 2))[..., 0]
    users, items = (bias.weight.detach()[..., 0] for bias in net.biases)
    torch.testing.assert_close(out, 3.5 + torch.stack([items[:, 5], users[:, 4]], dim=1))
