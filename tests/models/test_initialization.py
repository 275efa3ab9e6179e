"""How weights begin: as the papers say, gate by gate, whichever lanes stand beside."""

import math

import pytest
import torch

from tuner.models.layers import BatchNorm, Conv, Embedding, Lanes, Linear, MetaLanes, Recurrent
from tuner.models.layers.initialization import He, Normal, Orthogonal, Xavier


def lanes_of(count):
    return Lanes(tuple(range(20, 20 + count)))


KINDS = {
    "normal": (Normal(std=0.3), lambda w: 0.3),
    "xavier": (Xavier(), lambda w: math.sqrt(2 / (w.shape[0] + w.shape[1]))),
    "he": (He(), lambda w: math.sqrt(2 / w.shape[1])),
}


@pytest.mark.parametrize("kind", KINDS)
def test_initial_weights_spread_as_the_papers_say_and_biases_are_zero(kind):
    how, spread = KINDS[kind]
    lanes = lanes_of(2)
    lanes.initialization = how
    layer = Linear(200, 300, lanes)
    for k in range(2):
        weight = layer.weight[k].detach().T
        assert weight.std().item() == pytest.approx(spread(weight), rel=0.02)
        assert abs(weight.mean().item()) < 0.01
    assert not layer.bias.any()


def test_orthogonal_weights_are_so_gate_by_gate():
    lanes = lanes_of(2)
    lanes.initialization = Orthogonal(gain=2.0)
    weight = Recurrent("lstm", 3, 5, lanes).weight_hh.detach().double()
    for k in range(2):
        for gate in weight[k].chunk(4):
            torch.testing.assert_close(gate @ gate.T, 4 * torch.eye(5, dtype=torch.double), rtol=0, atol=1e-5)


@pytest.mark.parametrize("how", [Normal(), Xavier(), He(), Orthogonal()], ids=lambda how: how.name)
def test_a_lanes_weights_do_not_depend_on_its_neighbours_however_they_begin(how):
    def weights(*seeds):
        lanes = Lanes(seeds)
        lanes.initialization = how
        return Linear(4, 6, lanes).weight

    assert torch.equal(weights(5, 6, 7)[0], weights(7, 5)[1])


def test_an_outline_has_the_sizes_and_no_numbers():
    outline = MetaLanes()
    outline.initialization = Orthogonal()
    for layer in (Linear(4, 3, outline), Embedding(9, 4, outline), Conv(4, 3, 3, outline), BatchNorm(3, outline)):
        assert all(p.is_meta for p in layer.parameters())
