"""Lane layers equal torch's own layers lane by lane, forward and gradient; dropout masks belong to one lane."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tuner.models.layers import Dropout, Lanes, Linear, activation
from tuner.models.layers.activation import ACTIVATIONS

SIZE = st.integers(1, 7)
CLOSE = {"rtol": 1e-9, "atol": 1e-12}


def seeds(count):
    return tuple(range(11, 11 + count))


def torch_linear(layer, lane):
    """torch's layer with the weights of one lane."""
    own = nn.Linear(*layer.weight.shape[1:]).double()
    own.load_state_dict({"weight": layer.weight[lane].detach().T, "bias": layer.bias[lane, 0].detach()})
    return own


@settings(deadline=None, max_examples=30)
@given(lanes=SIZE, batch=SIZE, inputs=SIZE, outputs=SIZE, between=st.lists(st.integers(1, 3), max_size=2))
def test_linear_equals_torch_lane_by_lane(lanes, batch, inputs, outputs, between):
    layer = Linear(inputs, outputs, Lanes(seeds(lanes))).double()
    x = torch.randn(lanes, batch, *between, inputs, dtype=torch.double, requires_grad=True)
    out = layer(x)
    up = torch.randn_like(out)
    out.backward(up)
    for k in range(lanes):
        own, own_x = torch_linear(layer, k), x[k].detach().clone().requires_grad_()
        own_out = own(own_x)
        own_out.backward(up[k])
        pairs = [(out[k], own_out), (x.grad[k], own_x.grad)]
        pairs += [(layer.weight.grad[k].T, own.weight.grad), (layer.bias.grad[k, 0], own.bias.grad)]
        for ours, theirs in pairs:
            torch.testing.assert_close(ours, theirs, **CLOSE)


def test_linear_starts_uniform_within_one_over_root_d_as_torch_does():
    layer = Linear(100, 200, Lanes((1, 2)))
    for own in (*layer.weight, *layer.bias):
        assert own.abs().max().item() <= 0.1
    assert layer.weight.std().item() == pytest.approx(0.1 / math.sqrt(3), rel=0.02)
    assert nn.Linear(100, 200).weight.std().item() == pytest.approx(layer.weight.std().item(), rel=0.02)


def test_initial_weights_of_a_lane_do_not_depend_on_its_neighbours():
    together = Linear(4, 3, Lanes((5, 6, 7)))
    turned = Linear(4, 3, Lanes((7, 5)))
    assert torch.equal(together.weight[0], turned.weight[1])
    assert torch.equal(together.bias[2], turned.bias[0])
    assert not torch.equal(together.weight[0], together.weight[1])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_torchs_functions(name):
    function = {"leaky_relu": nn.functional.leaky_relu, "swish": nn.functional.silu}.get(name)
    function = function or getattr(nn.functional, name, None) or getattr(torch, name)
    x = torch.linspace(-3, 3, 41)
    assert torch.equal(activation(name)(x), function(x))


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_dropout_keeps_its_share_and_scales_it(p):
    out = Dropout(p, Lanes((1, 2)))(torch.ones(2, 300, 200))
    kept = (out > 0).double().mean(dim=(1, 2))
    spread = math.sqrt(p * (1 - p) / 60_000)
    assert ((kept - (1 - p)).abs() < 5 * spread).all()
    assert torch.allclose(out[out > 0], torch.tensor(1 / (1 - p)))


def test_dropout_is_the_identity_when_evaluating_or_at_zero():
    x = torch.randn(2, 5, 3)
    assert torch.equal(Dropout(0.5, Lanes((1, 2))).eval()(x), x)
    assert torch.equal(Dropout(0.0, Lanes((1, 2)))(x), x)


def test_dropout_gradient_is_its_mask():
    x = torch.randn(2, 50, 4, requires_grad=True)
    out = Dropout(0.3, Lanes((1, 2)))(x)
    out.sum().backward()
    assert torch.allclose(x.grad * x, out)


def masks(lane_seeds, steps, shape):
    layer = Dropout(0.4, Lanes(lane_seeds))
    return torch.stack([layer(torch.ones(len(lane_seeds), *shape)) for _ in range(steps)], dim=1)


@settings(deadline=None, max_examples=10)
@given(shape=st.sampled_from([(3, 5), (64, 700), (4, 6, 5), (600, 600)]), steps=st.integers(1, 9))
def test_masks_of_a_lane_do_not_depend_on_its_neighbours(shape, steps):
    trio, alone = masks((1, 2, 3), steps, shape), masks((2,), steps, shape)
    assert torch.equal(trio[1], alone[0])
    assert torch.equal(masks((3, 1), steps, shape)[0], trio[2])


def test_masks_differ_between_steps_lanes_and_evaluation_does_not_consume_them():
    layer = Dropout(0.4, Lanes((1, 2)))
    x = torch.ones(2, 20, 20)
    first = layer(x)
    layer.eval()(x)
    second = layer.train()(x)
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first, second)
    again = masks((1, 2), 2, (20, 20))
    assert torch.equal(torch.stack([first, second], dim=1), again)


def test_layers_that_share_a_model_have_streams_of_their_own():
    lanes = Lanes((1, 2))
    first, second = Dropout(0.5, lanes), Dropout(0.5, lanes)
    x = torch.ones(2, 30, 30)
    assert not torch.equal(first(x), second(x)), "two dropout layers dropped exactly the same units"


@pytest.mark.parametrize("before", [0, 1, 3])
@pytest.mark.parametrize("shape", [(5, 4), (600, 600)])  # many masks drawn ahead, or one at a time
def test_lanes_that_go_on_keep_their_masks(before, shape):
    layer, others = Dropout(0.4, Lanes((1, 2, 3))), masks((1, 2, 3), before + 2, shape)
    for step in range(before):
        assert torch.equal(layer(torch.ones(3, *shape)), others[:, step])
    layer.select([0, 2])
    for step in range(before, before + 2):
        assert torch.equal(layer(torch.ones(2, *shape)), others[[0, 2], step])
