"""Twins of lane models: torch's own modules with the weights of one lane, and how the two are compared."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tuner.models.layers import Lanes, Linear

CLOSE: dict[str, Any] = {"rtol": 1e-8, "atol": 1e-10}
LENGTHS = torch.tensor([[5, 1, 3], [2, 5, 4]])  # of two lanes, three rows, five steps
SGD = partial(torch.optim.SGD, lr=0.1)
EACH = pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["all", "lengths"])


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


def plain_model(stack, activation):
    """nn.Linear layers with the weights of a stack's only lane."""
    parameters = list(stack.model.parameters())
    layers = []
    for weight, bias in zip(parameters[::2], parameters[1::2], strict=True):
        layer = nn.Linear(*weight.shape[1:])
        layer.load_state_dict({"weight": weight[0].detach().T.clone(), "bias": bias[0, 0].detach().clone()})
        layers += [layer, activation]
    return nn.Sequential(*layers[:-1])


def scaled(values, train_rows):
    values = values.astype(np.float64)
    rows = values[train_rows]
    return torch.from_numpy(((values - rows.mean(axis=0)) / rows.std(axis=0)).astype(np.float32))
