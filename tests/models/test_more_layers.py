"""Convolution, normalisation, embedding, attention and read-outs equal torch's own, lane by lane, and the gradients."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tuner.models.layers import (
    AdditiveAttention,
    BatchNorm,
    Conv,
    Embedding,
    Head,
    Lanes,
    LayerNorm,
    Pool,
    Recurrent,
    SelfAttention,
    sinusoids,
)
from tuner.models.layers.normalization import ChannelNorm
from tuner.models.layers.readout import backwards, last

SIZE = st.integers(1, 4)
CLOSE = {"rtol": 1e-8, "atol": 1e-10}


def lanes_of(count):
    return Lanes(tuple(range(20, 20 + count)))


def assert_lane_by_lane(layer, x, theirs_of, *rest):
    """Forward, and the gradients of the input and of every weight; `theirs_of(k)` is (torch's module, how our
    parameters of that lane look in it by name, a call)."""
    x = x.double().requires_grad_()
    layer = layer.double()
    out = layer(x, *rest)
    up = torch.randn_like(out)
    out.backward(up)
    for k in range(len(x)):
        own, renamed, call = theirs_of(k)
        own_x = x[k].detach().clone().requires_grad_()
        own_out = call(own_x)
        own_out.backward(up[k])
        torch.testing.assert_close(out[k], own_out, **CLOSE)
        torch.testing.assert_close(x.grad[k], own_x.grad, **CLOSE)
        for name, parameter in own.named_parameters():
            torch.testing.assert_close(renamed[name].reshape(parameter.shape), parameter.grad, **CLOSE)


@settings(deadline=None, max_examples=25)
@given(
    lanes=SIZE, batch=SIZE, groups=st.sampled_from([1, 2]), kernel=st.sampled_from([1, 3, 5]), stride=st.integers(1, 2),
    dimensions=st.integers(1, 2), size=st.integers(1, 6),
)  # fmt: skip
def test_convolution_equals_torch(lanes, batch, groups, kernel, stride, dimensions, size):
    layer = Conv(4, 6, kernel, lanes_of(lanes), dimensions=dimensions, stride=stride, groups=groups)

    def theirs(k):
        kind = {1: nn.Conv1d, 2: nn.Conv2d}[dimensions]
        own = kind(4, 6, kernel, stride, kernel // 2, groups=groups).double()
        own.load_state_dict({"weight": layer.weight[k].detach(), "bias": layer.bias[k].detach()})
        return own, {"weight": layer.weight.grad[k], "bias": layer.bias.grad[k]}, own

    assert_lane_by_lane(layer, torch.randn(lanes, batch, 4, *[size] * dimensions), theirs)


@pytest.mark.parametrize("shape", [(3, 5, 7), (2, 4, 3, 6)])
def test_layer_norm_equals_torch(shape):
    layer = LayerNorm(shape[-1], lanes_of(shape[0])).double()
    layer.weight.data.normal_()
    layer.bias.data.normal_()

    def theirs(k):
        own = nn.LayerNorm(shape[-1]).double()
        own.load_state_dict({"weight": layer.weight[k].detach(), "bias": layer.bias[k].detach()})
        return own, {"weight": layer.weight.grad[k], "bias": layer.bias.grad[k]}, own

    assert_lane_by_lane(layer, torch.randn(shape), theirs)


def test_of_channels_layer_norm_is_torchs_place_by_place():
    layer, x = ChannelNorm(4, lanes_of(2)).double(), torch.randn(2, 3, 4, 5, 6, dtype=torch.double)
    found = layer(x)
    for k in range(2):
        own = nn.LayerNorm(4).double()
        torch.testing.assert_close(found[k], own(x[k].permute(0, 2, 3, 1)).permute(0, 3, 1, 2), **CLOSE)


NORMS = {0: nn.BatchNorm1d, 1: nn.BatchNorm1d, 2: nn.BatchNorm2d}


def torch_norm(layer, k, places):
    own = NORMS[places](layer.weight.shape[1]).double()
    own.load_state_dict({
        "weight": layer.weight[k].detach(), "bias": layer.bias[k].detach(), "running_mean": layer.mean[k].clone(),
        "running_var": layer.variance[k].clone(), "num_batches_tracked": torch.tensor(0),
    })  # fmt: skip
    return own


@pytest.mark.parametrize("places", [0, 1, 2])
@pytest.mark.parametrize("counted", [None, 5])
def test_batch_norm_equals_torch_in_training_and_after(places, counted):
    """Also where only the first rows of a batch count: those alone are normed by, and padding gets what it gets."""
    layer = BatchNorm(4, lanes_of(3)).double()
    layer.weight.data.normal_()
    x = torch.randn(3, 8, 4, *[3, 2][:places], dtype=torch.double) * 3 + 1
    rows = counted or 8
    layer.counts = None if counted is None else torch.arange(8).expand(3, 8) < rows
    theirs = [torch_norm(layer, k, places) for k in range(3)]
    for _ in range(3):
        out = layer(x)
        for k, own in enumerate(theirs):
            torch.testing.assert_close(out[k, :rows], own(x[k, :rows]), **CLOSE)
    layer.eval()
    for k, own in enumerate(theirs):
        torch.testing.assert_close(layer(x)[k], own.eval()(x[k]), **CLOSE)


@pytest.mark.parametrize("places", [0, 1, 2])
def test_the_gradients_of_batch_norm_equal_torchs(places):
    layer = BatchNorm(4, lanes_of(2)).double()
    layer.bias.data.normal_()

    def theirs(k):
        own = torch_norm(layer, k, places)
        return own, {"weight": layer.weight.grad[k], "bias": layer.bias.grad[k]}, own

    assert_lane_by_lane(layer, torch.randn(2, 6, 4, *[3, 2][:places]), theirs)


def test_embedding_equals_torch_and_begins_at_nothing_for_what_stands_for_nothing():
    layer = Embedding(9, 5, lanes_of(3)).double()
    assert not layer.weight[:, :2].any()
    assert layer.weight[:, 2:].all()
    assert Embedding(2000, 50, lanes_of(1)).weight[0, 2:].std().item() == pytest.approx(1, rel=0.02)
    codes = torch.randint(0, 9, (3, 4, 6))
    out = layer(codes)
    up = torch.randn_like(out)
    out.backward(up)
    for k in range(3):
        own = nn.Embedding.from_pretrained(layer.weight[k].detach().clone(), freeze=False, padding_idx=0)
        own(codes[k]).backward(up[k])
        torch.testing.assert_close(out[k], own(codes[k]))
        torch.testing.assert_close(layer.weight.grad[k], own.weight.grad)


def test_a_tied_head_scores_by_the_embedding_and_has_no_weights_of_its_own_for_that():
    embedding = Embedding(9, 4, lanes_of(2)).double()
    head = Head(6, 9, lanes_of(2), embedding).double()
    x = torch.randn(2, 3, 5, 6, dtype=torch.double)
    for k in range(2):
        inner = x[k] @ head.linear.weight[k] + head.linear.bias[k]
        torch.testing.assert_close(head(x)[k], inner @ embedding.weight[k].T / math.sqrt(4))
    assert {name for name, _ in head.named_parameters()} == {"linear.weight", "linear.bias"}


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("lengths", [None, (5, 1, 3)])
def test_self_attention_equals_torch(causal, lengths):
    layer = SelfAttention(6, 3, lanes_of(2), causal=causal).double()
    for begun in (layer.project, layer.out):
        begun.bias.data.normal_()
    steps = None if lengths is None else torch.tensor([lengths, lengths[::-1]])

    def theirs(k):
        own = nn.MultiheadAttention(6, 3, batch_first=True).double()
        own.load_state_dict({
            "in_proj_weight": layer.project.weight[k].detach().T, "in_proj_bias": layer.project.bias[k, 0].detach(),
            "out_proj.weight": layer.out.weight[k].detach().T, "out_proj.bias": layer.out.bias[k, 0].detach(),
        })  # fmt: skip
        ours = {
            "in_proj_weight": layer.project.weight.grad[k].T, "in_proj_bias": layer.project.bias.grad[k, 0],
            "out_proj.weight": layer.out.weight.grad[k].T, "out_proj.bias": layer.out.bias.grad[k, 0],
        }  # fmt: skip
        later = torch.ones(5, 5, dtype=torch.bool).triu(1) if causal else None
        absent = None if steps is None else torch.arange(5) >= steps[k][:, None]
        return own, ours, lambda x: own(x, x, x, key_padding_mask=absent, attn_mask=later)[0]

    assert_lane_by_lane(layer, torch.randn(2, 3, 5, 6), theirs, *([] if steps is None else [steps]))


def test_self_attention_begins_as_torchs():
    torch.manual_seed(3)
    layer, own = SelfAttention(60, 3, lanes_of(2)), nn.MultiheadAttention(60, 3)
    pairs = ((layer.project, own.in_proj_weight, own.in_proj_bias), (layer.out, own.out_proj.weight, own.out_proj.bias))
    for ours, weight, bias in pairs:
        assert not ours.bias.any() and not bias.any()
        for lane in ours.weight:
            assert lane.abs().max().item() == pytest.approx(weight.abs().max().item(), rel=0.01)  # uniform, both
            assert lane.std().item() == pytest.approx(weight.std().item(), rel=0.03)


def test_positions_by_the_formula_of_vaswani_et_al():
    tensors = sinusoids(7, 5)
    for t in range(7):
        for i in range(5):
            angle = t / 10000 ** (2 * (i // 2) / 5)
            assert tensors[t, i].item() == pytest.approx(math.sin(angle) if i % 2 == 0 else math.cos(angle), abs=1e-6)


@pytest.mark.parametrize("query", [None, 3])
def test_additive_attention_by_the_formula_of_bahdanau_et_al(query):
    layer = AdditiveAttention(4, lanes_of(2), query).double()
    states, lengths = torch.randn(2, 3, 5, 4, dtype=torch.double), torch.tensor([[5, 2, 4], [1, 5, 3]])
    asked = None if query is None else torch.randn(2, 3, query, dtype=torch.double)
    found = layer.read(states, layer.project(states), asked, lengths)
    for k, row in np.ndindex(2, 3):
        h = states[k, row, : lengths[k, row]].numpy()
        inner = h @ layer.project.weight[k].detach().numpy() + layer.project.bias[k].detach().numpy()
        if asked is not None:
            inner = inner + (asked[k, row] @ layer.ask.weight[k] + layer.ask.bias[k, 0]).detach().numpy()
        energy = np.tanh(inner) @ layer.direction[k].detach().numpy()[:, 0]
        weights = np.exp(energy) / np.exp(energy).sum()
        np.testing.assert_allclose(found[k, row].detach().numpy(), weights @ h, rtol=1e-9)


@pytest.mark.parametrize("how", ["mean", "max", "attention"])
def test_a_pool_reads_only_the_steps_that_count(how):
    pool = Pool(how, 4, lanes_of(2))
    states, lengths = torch.randn(2, 3, 5, 4), torch.tensor([[5, 2, 4], [1, 5, 3]])
    found = pool(states, lengths)
    for k, row in np.ndindex(2, 3):
        cut = states[:, :, : lengths[k, row]]
        torch.testing.assert_close(found[k, row], pool(cut)[k, row])
    if how != "attention":
        torch.testing.assert_close(pool(states), states.mean(2) if how == "mean" else states.amax(2))


def test_last_and_backwards_know_where_a_sequence_ends():
    x, lengths = torch.arange(2 * 2 * 4).view(2, 2, 4, 1).float(), torch.tensor([[4, 2], [1, 3]])
    assert last(x, lengths)[..., 0].tolist() == [[3, 5], [8, 14]]
    assert torch.equal(last(x), x[:, :, -1])
    turned = [[[3, 2, 1, 0], [5, 4, 6, 7]], [[8, 9, 10, 11], [14, 13, 12, 15]]]
    assert backwards(x, lengths)[..., 0].tolist() == turned
    assert torch.equal(backwards(backwards(x, lengths), lengths), x)
    assert torch.equal(backwards(x), x.flip(2))


CELLS = {"rnn": nn.RNNCell, "gru": nn.GRUCell, "lstm": nn.LSTMCell}


@pytest.mark.parametrize("cell", CELLS)
def test_a_step_is_torchs_cell_and_many_are_the_layer(cell):
    layer = Recurrent(cell, 3, 4, lanes_of(2)).double()
    x = torch.randn(2, 5, 6, 3, dtype=torch.double)
    state, states = layer.start(5), []
    theirs = [None, None]
    for t in range(6):
        state = layer.step(x[:, :, t], state)
        states.append(state[0])
        for k in range(2):
            own = CELLS[cell](3, 4).double()
            own.load_state_dict(
                {n: getattr(layer, n)[k].detach() for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
            )
            theirs[k] = own(x[k, :, t], theirs[k])
            h = theirs[k][0] if cell == "lstm" else theirs[k]
            torch.testing.assert_close(state[0][k], h, **CLOSE)
    torch.testing.assert_close(layer(x), torch.stack(states, dim=2), **CLOSE)


def test_the_lstm_by_the_equations_of_hochreiter_and_schmidhuber():
    """In float64 NumPy, the forget gate of Gers et al. in: gates i, f, g, o in torch's order."""
    layer = Recurrent("lstm", 3, 4, lanes_of(2)).double()
    x = torch.randn(2, 2, 6, 3, dtype=torch.double)
    found = layer(x).detach().numpy()
    for k in range(2):
        w_x, w_h, b_x, b_h = (
            getattr(layer, n)[k].detach().numpy() for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        for row in range(2):
            h, c = np.zeros(4), np.zeros(4)
            for t in range(6):
                net = w_x @ x[k, row, t].numpy() + b_x + w_h @ h + b_h
                i, f, o = (1 / (1 + np.exp(-net[part : part + 4])) for part in (0, 4, 12))
                c = f * c + i * np.tanh(net[8:12])
                h = o * np.tanh(c)
                np.testing.assert_allclose(found[k, row, t], h, rtol=1e-9)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("truncate", [1, 2, 4, 9])
def test_truncation_changes_no_state_and_cuts_what_flows_back(cell, truncate):
    layer = Recurrent(cell, 3, 4, lanes_of(2)).double()
    x = torch.randn(2, 5, 7, 3, dtype=torch.double, requires_grad=True)
    torch.testing.assert_close(layer(x, truncate), layer(x), **CLOSE)
    layer(x, truncate)[:, :, -1].sum().backward()
    begin = 7 - 7 % truncate if 7 % truncate else 7 - truncate  # of the last piece
    reached = x.grad.abs().sum(dim=(0, 1, 3)) > 0
    assert reached.tolist() == [t >= max(begin, 0) for t in range(7)]


def test_a_forget_bias_is_added_to_that_gate_alone():
    plain, biased = Recurrent("lstm", 3, 4, lanes_of(1)), Recurrent("lstm", 3, 4, lanes_of(1), forget_bias=2.0)
    added = (biased.bias_ih + biased.bias_hh - plain.bias_ih - plain.bias_hh)[0].reshape(4, 4)
    torch.testing.assert_close(added, torch.tensor([0.0, 2.0, 0.0, 0.0])[:, None].expand(4, 4), rtol=0, atol=1e-6)
