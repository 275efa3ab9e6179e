"""Recurrent layers and networks equal torch's nn.RNN, nn.GRU and nn.LSTM, and a loop written from the formula."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from tuner.models import rnn
from tuner.models.layers import Lanes, Recurrent, Shapes

CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
SIZE = st.integers(1, 5)
CLOSE = {"rtol": 1e-8, "atol": 1e-10}

X = np.array([[[1, 2], [3, 4], [5, 6]], [[7, 8], [9, 10], [11, 12]]], dtype=np.float64)
W_X = np.array([[0.1, 0.2], [0.3, 0.4]])
W_H = np.array([[0.5, 0.6], [0.7, 0.8]])
BIAS = np.array([0.1, 0.2])


def weights_of(layer, lane, suffix="l0"):
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return {f"{name}_{suffix}": getattr(layer, name)[lane].detach() for name in names}


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(sorted(CELLS)), SIZE, SIZE, SIZE, SIZE, SIZE)
def test_a_layer_equals_torch_lane_by_lane(cell, lanes, batch, steps, features, hidden):
    layer = Recurrent(cell, features, hidden, Lanes(tuple(range(lanes)))).double()
    x = torch.randn(lanes, batch, steps, features, dtype=torch.double, requires_grad=True)
    out = layer(x)
    up = torch.randn_like(out)
    out.backward(up)
    for k in range(lanes):
        own = CELLS[cell](features, hidden, batch_first=True).double()
        own.load_state_dict(weights_of(layer, k))
        own_x = x[k].detach().clone().requires_grad_()
        own_out, _ = own(own_x)
        own_out.backward(up[k])
        torch.testing.assert_close(out[k], own_out, **CLOSE)
        torch.testing.assert_close(x.grad[k], own_x.grad, **CLOSE)
        for name, parameter in own.named_parameters():
            ours = getattr(layer, name.removesuffix("_l0")).grad[k]
            torch.testing.assert_close(ours, parameter.grad, **CLOSE)


def torch_network(net, settings_, features, outputs, lane):
    """torch's own recurrent module and head, with the weights of one lane."""
    own = CELLS[settings_.cell](
        features, settings_.hidden_size, settings_.num_layers, batch_first=True, bidirectional=settings_.bidirectional
    ).double()
    state = {}
    for number, layer in enumerate(net.layers):
        state |= weights_of(layer.ahead, lane, f"l{number}")
        state |= weights_of(layer.back, lane, f"l{number}_reverse") if layer.back else {}
    own.load_state_dict(state)
    last = net.head.linear
    head = nn.Linear(last.weight.shape[1], outputs).double()
    head.load_state_dict({"weight": last.weight[lane].detach().T, "bias": last.bias[lane, 0].detach()})
    return own, head


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_network_equals_torchs_read_out_at_its_last_state(cell, layers, bidirectional):
    lanes, batch, steps, features, outputs = 3, 4, 5, 2, 3
    wish = rnn.Settings(cell=cell, hidden_size=6, num_layers=layers, bidirectional=bidirectional)
    net = rnn.build(wish, Shapes((steps, features), outputs), Lanes((4, 5, 6))).double()
    x = torch.randn(lanes, batch, steps, features, dtype=torch.double)
    out = net(x)
    out.square().sum().backward()
    for k in range(lanes):
        own, head = torch_network(net, wish, features, outputs, k)
        _, state = own(x[k])
        hidden = state[0] if cell == "lstm" else state
        last = torch.cat([hidden[-2], hidden[-1]], dim=-1) if bidirectional else hidden[-1]
        own_out = head(last)
        own_out.square().sum().backward()
        torch.testing.assert_close(out[k], own_out, **CLOSE)
        torch.testing.assert_close(net.head.linear.weight.grad[k].T, head.weight.grad, **CLOSE)
        torch.testing.assert_close(net.layers[0].ahead.weight_ih.grad[k], own.weight_ih_l0.grad, **CLOSE)
        torch.testing.assert_close(
            net.layers[-1].ahead.weight_hh.grad[k], getattr(own, f"weight_hh_l{layers - 1}").grad
        )
        if bidirectional:
            torch.testing.assert_close(net.layers[0].back.weight_hh.grad[k], own.weight_hh_l0_reverse.grad, **CLOSE)


def states_by_hand(x, w_x, w_h, bias):
    """h_t = tanh(x_t W_x + h_{t-1} W_h + b), h_0 = 0."""
    states = []
    for sequence in x:
        h = np.zeros(len(w_h))
        for step in sequence:
            h = np.tanh(step @ w_x + h @ w_h + bias)
            states.append(h)
    return np.array(states).reshape(*x.shape[:2], -1)


def worked_layer(w_x=W_X, w_h=W_H, bias=BIAS):
    layer = Recurrent("rnn", 2, 2, Lanes((0,))).double()
    with torch.no_grad():
        layer.weight_ih[0] = torch.from_numpy(w_x.T.copy())
        layer.weight_hh[0] = torch.from_numpy(w_h.T.copy())
        layer.bias_ih[0] = torch.from_numpy(bias)
        layer.bias_hh.zero_()
    return layer


def test_the_worked_example_equals_a_loop_from_the_formula():
    out = worked_layer()(torch.from_numpy(X)[None])[0].detach().numpy()
    np.testing.assert_allclose(out, states_by_hand(X, W_X, W_H, BIAS), rtol=1e-12)
    # first step by hand: 1·0.1 + 2·0.3 + 0.1 = 0.8 and 1·0.2 + 2·0.4 + 0.2 = 1.2
    np.testing.assert_allclose(out[0, 0], np.tanh([0.8, 1.2]), rtol=1e-12)


def central_difference(function, at, step=1e-6):
    slope = np.zeros_like(at)
    for index in np.ndindex(at.shape):
        up, down = at.copy(), at.copy()
        up[index] += step
        down[index] -= step
        slope[index] = (function(up) - function(down)) / (2 * step)
    return slope


@pytest.mark.parametrize("scale", [1.0, 0.1])  # at 1 tanh is nearly flat, at 0.1 the gradients are large
def test_backpropagation_through_time_equals_central_differences(scale):
    x = X * scale
    weigh = np.arange(1.0, 13.0).reshape(2, 3, 2)

    def value(w_x=W_X, w_h=W_H, bias=BIAS, inputs=x):
        return (states_by_hand(inputs, w_x, w_h, bias) * weigh).sum()

    layer, inputs = worked_layer(), torch.from_numpy(x)[None].requires_grad_()
    (layer(inputs)[0] * torch.from_numpy(weigh)).sum().backward()
    found = {
        "w_x": layer.weight_ih.grad[0].T,
        "w_h": layer.weight_hh.grad[0].T,
        "bias": layer.bias_ih.grad[0],
        "inputs": inputs.grad[0],
    }
    start = {"w_x": W_X, "w_h": W_H, "bias": BIAS, "inputs": x}
    for name, gradient in found.items():
        expected = central_difference(lambda at, name=name: value(**{name: at}), start[name])
        np.testing.assert_allclose(gradient.numpy(), expected, rtol=1e-6, atol=1e-8, err_msg=name)


def test_dropout_stands_between_layers_and_before_the_head_only_while_training():
    wish = rnn.Settings(cell="gru", hidden_size=8, num_layers=2, dropout=0.5)
    net = rnn.build(wish, Shapes((4, 3), 2), Lanes((1, 2)))
    plain = rnn.build(wish.model_copy(update={"dropout": 0.0}), Shapes((4, 3), 2), Lanes((1, 2)))
    x = torch.randn(2, 5, 4, 3)
    assert not torch.equal(net(x), net(x))
    assert torch.equal(net.eval()(x), plain(x))


class Drawn(TorchDispatchMode):
    """Counts the numbers that Bernoulli draws give."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if "bernoulli" in str(func):
            self.count += out.numel()
        return out


@pytest.mark.parametrize("layers", [1, 2])
def test_dropout_masks_of_many_steps_are_drawn_at_once(layers):
    wish = rnn.Settings(cell="rnn", hidden_size=4, num_layers=layers, dropout=0.5)
    net = rnn.build(wish, Shapes((4, 3), 2), Lanes((1,)))
    x = torch.randn(1, 5, 4, 3)
    net(x)
    with Drawn() as drawn:
        net(x)
    assert drawn.count == 0, "masks that were drawn and not yet used have been thrown away"
