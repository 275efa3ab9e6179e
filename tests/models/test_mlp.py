"""The multilayer perceptron equals nn.Sequential of torch's layers, lane by lane, for every layout and depth."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from twins import Theirs, assert_equal, made, numbers

from tuner.models import mlp
from tuner.models.layers import Dropout, Lanes, Linear, Shapes


def torch_network(net, wish, inputs, outputs, lane):
    """nn.Linear and activations with one lane's weights."""
    activation = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}[wish.activation]
    sizes = [inputs, *[wish.hidden_size] * wish.num_layers, outputs]
    layers = [nn.Flatten()]
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), activation()]
    own = nn.Sequential(*layers[:-1]).double()
    mine = [m for m in net if isinstance(m, Linear)]
    theirs = [m for m in own if isinstance(m, nn.Linear)]
    for ours, layer in zip(mine, theirs, strict=True):
        layer.load_state_dict({"weight": ours.weight[lane].detach().T, "bias": ours.bias[lane, 0].detach()})
    return own, theirs, mine


@settings(deadline=None, max_examples=25)
@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    layers=st.integers(0, 3),
    activation=st.sampled_from(["relu", "tanh", "gelu"]),
    lanes=st.integers(1, 4),
    batch=st.integers(1, 4),
)
def test_the_network_equals_torchs_lane_by_lane(shape, layers, activation, lanes, batch):
    wish = mlp.Settings(hidden_size=5, num_layers=layers, activation=activation)
    net = mlp.build(wish, Shapes(tuple(shape), 3), Lanes(tuple(range(lanes)))).double()
    x = torch.randn(lanes, batch, *shape, dtype=torch.double)
    out = net(x)
    assert out.shape == (lanes, batch, 3)
    out.square().sum().backward()
    for k in range(lanes):
        own, theirs, mine = torch_network(net, wish, math.prod(shape), 3, k)
        own_out = own(x[k])
        own_out.square().sum().backward()
        torch.testing.assert_close(out[k], own_out, rtol=1e-9, atol=1e-12)
        for ours, layer in zip(mine, theirs, strict=True):
            torch.testing.assert_close(ours.weight.grad[k].T, layer.weight.grad, rtol=1e-9, atol=1e-12)
            torch.testing.assert_close(ours.bias.grad[k, 0], layer.bias.grad, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("dropout", "layers", "count"), [(0.0, 2, 0), (0.5, 2, 2), (0.5, 0, 0)])
def test_dropout_follows_each_hidden_layer_and_never_the_output(dropout, layers, count):
    net = mlp.build(mlp.Settings(num_layers=layers, dropout=dropout), Shapes((4,), 3), Lanes((1, 2)))
    assert sum(isinstance(m, Dropout) for m in net) == count
    assert isinstance(net[-1], Linear)


def test_a_residual_layer_adds_its_input_through_a_linear_layer_where_sizes_differ():
    settings_ = mlp.Settings(widths="6-6-3", residual=True, activation="tanh")
    net = mlp.build(settings_, Shapes((4,), 2), Lanes((1, 2))).double()
    x = torch.randn(2, 5, 4, dtype=torch.double)
    for parameter in net.parameters():
        parameter.data.normal_()
    assert [type(block.shortcut) for block in net[:-1]] == [Linear, nn.Identity, Linear]
    out = net(x)
    for k in range(2):
        h = x[k]
        for block in net[:-1]:
            inner, short = block.inner[0], block.shortcut
            beside = h @ short.weight[k] + short.bias[k] if isinstance(short, Linear) else h
            h = beside + torch.tanh(h @ inner.weight[k] + inner.bias[k])
        torch.testing.assert_close(out[k], h @ net[-1].weight[k] + net[-1].bias[k], rtol=1e-9, atol=1e-12)


class TorchEmbedded(Theirs):
    """nn.Embedding of every column beside the numbers, and layers of torch on top."""

    def __init__(self, words, size, side):
        super().__init__()
        self.vectors = nn.ModuleList(nn.Embedding(count, size) for count in words)
        self.layers = nn.Sequential(nn.Linear(len(words) * size + side, 5), nn.Tanh(), nn.Linear(5, 2))

    def forward(self, ids, side=None):
        beside = [own(ids[:, column]) for column, own in enumerate(self.vectors)]
        return self.layers(torch.cat(beside if side is None else [*beside, side], dim=1))


@pytest.mark.parametrize("words", [(7,), (6, 9, 4)])
@pytest.mark.parametrize("side", [0, 3])
def test_embedded_categories_are_read_beside_numbers_as_by_torch(words, side):
    wish = {"embedding_size": 4, "hidden_size": 5, "activation": "tanh"}
    net = made(mlp, wish, Shapes((len(words),), 2, vocabularies=words, side=side))
    ids = torch.stack([torch.randint(1, count, (2, 3)) for count in words], dim=-1)
    assert_equal(net, lambda: TorchEmbedded(words, 4, side), ids, *([numbers(side)] if side else []))


def test_a_category_that_was_never_seen_begins_as_nothing():
    net = mlp.build(mlp.Settings(num_layers=0), Shapes((2,), 1, vocabularies=(6, 9), side=1), Lanes((1, 2)))
    side = torch.randn(2, 1, 1)
    linear = net.network[0]
    alone = side @ linear.weight[:, -1:] + linear.bias
    torch.testing.assert_close(net(torch.ones(2, 1, 2, dtype=torch.long), side), alone)
