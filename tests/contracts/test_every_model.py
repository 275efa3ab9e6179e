"""Every model, found by itself, on every kind of row that it reads and every task that it answers."""

import numpy as np
import pytest
import torch
from every import POSSIBLE, every
from toys import CPU, go_on

from tuner import registry
from tuner.data.check import check
from tuner.experiment.configuration import Configuration
from tuner.metrics import DEFAULT
from tuner.models.layers import Lanes, MetaLanes
from tuner.search.contract import MODELS
from tuner.search.jobs import Work
from tuner.search.recipe import recipe_of
from tuner.training.lane_data import DatasetTensors, shapes_of
from tuner.training.lanes import Lane
from tuner.training.loop import train

CASES = [
    (name, layout, task)
    for name in registry.names(MODELS)
    for layout in registry.load(MODELS, name).LAYOUTS
    for task in registry.load(MODELS, name).TASKS
    if task in POSSIBLE[layout]
]
CASE = pytest.mark.parametrize(("name", "layout", "task"), CASES)


def settings(name, **wish):
    """These settings of the model, as far as it has them."""
    known = registry.load(MODELS, name).Settings.model_fields
    return {"name": name, **{key: value for key, value in wish.items() if key in known}}


def network(name, layout, task, lanes, **wish):
    """A network of these lanes, and a function of it that reads the same rows as any other."""
    module, dataset = registry.load(MODELS, name), every(layout, task)
    net = module.build(module.Settings(**settings(name, **wish)), shapes_of(dataset), lanes)
    random = np.random.default_rng(6)
    rows = random.integers(0, len(dataset), (3, 4))
    x = torch.from_numpy(dataset.features[rows])
    beside = [] if dataset.side is None else [torch.from_numpy(dataset.side.values[rows])]
    beside += [] if dataset.lengths is None else [torch.from_numpy(dataset.lengths[rows])]
    more = {"targets": torch.from_numpy(dataset.targets[rows])} if task == "translation" else {}
    return net, lambda net, at: net(x[at], *(each[at] for each in beside), **{k: v[at] for k, v in more.items()})


def test_every_model_has_a_case():
    assert {name for name, _, _ in CASES} == {*registry.names(MODELS)}


@CASE
def test_lanes_without_numbers_have_the_sizes_of_one_lane(name, layout, task):
    outline, _ = network(name, layout, task, MetaLanes())
    net, _ = network(name, layout, task, Lanes((1,)))
    assert all(each.is_meta for each in [*outline.parameters(), *outline.buffers()])
    sizes = [{key: p.shape for key, p in each.named_parameters()} for each in (outline, net)]
    assert sizes[0] == sizes[1]


@CASE
def test_gradients_reach_every_weight_of_every_lane(name, layout, task):
    net, answer = network(name, layout, task, Lanes((1, 2, 3)))
    answer(net, slice(None)).square().sum().backward()
    for key, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.flatten(1).any(dim=1).all(), key


@CASE
@pytest.mark.parametrize("training", [False, True])
def test_an_answer_of_a_lane_does_not_depend_on_its_neighbours(name, layout, task, training):
    """Nor which of its units are dropped in training."""
    (net, answer), (alone, _) = (network(name, layout, task, Lanes(seeds), dropout=0.5) for seeds in ((1, 2, 3), (2,)))
    torch.testing.assert_close(
        answer(net.train(training), slice(None))[1:2], answer(alone.train(training), slice(1, 2))
    )


@CASE
def test_a_trained_lane_is_the_same_to_the_bit_alone_and_in_a_stack(name, layout, task):
    tensors = DatasetTensors(check(every(layout, task)), CPU)
    configuration = Configuration(settings(name, dropout=0.3), {"epochs": 2, "batch_size": 16})
    how = recipe_of(configuration, Work(tensors.dataset, DEFAULT[task]))
    rows = [np.random.default_rng(seed).permutation(len(tensors.dataset)) for seed in range(3)]
    lanes = [Lane(np.sort(order[:30]), (np.sort(order[30:]),), 7 + k) for k, order in enumerate(rows)]
    together, alone = (train(how, each, tensors, go_on).curves for each in (lanes, lanes[1:2]))
    for whole, part in ((together.train_loss, alone.train_loss), (together.loss, alone.loss)):
        assert np.isfinite(part).all()
        np.testing.assert_array_equal(whole[1:2], part)
