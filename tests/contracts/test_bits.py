"""To the bit: what a lane of any family learns does not depend on which lanes, and how many, stand beside it."""

from pathlib import Path

import numpy as np
import pytest
from helpers import slow
from toys import CPU, classes, go_on

from tuner import registry
from tuner.data.check import check
from tuner.experiment.configuration import Configuration
from tuner.metrics import DEFAULT
from tuner.search.contract import SOURCES
from tuner.search.jobs import Work
from tuner.search.recipe import recipe_of
from tuner.training.lane_data import DatasetTensors
from tuner.training.lanes import Lane
from tuner.training.loop import train


def generated(name, **settings):
    module = registry.load(SOURCES, name)
    return DatasetTensors(check(module.load(module.Settings(rows=60, **settings), Path())), CPU)


IMAGES, SEQUENCES = classes(60, (1, 7, 6)), classes(60, (9, 4))
CASES = {
    "mlp": (classes(60, (5,)), {"name": "mlp", "normalization": "batch", "dropout": 0.3}),
    "mlp, layer norm, residual": (
        classes(60, (5,)),
        {"name": "mlp", "normalization": "layer", "num_layers": 3, "hidden_size": 5, "residual": True},
    ),
    "mlp, embedded": (generated("planted_ratings"), {"name": "mlp", "embedding_size": 3, "dropout": 0.3}),
    "cnn": (IMAGES, {"name": "cnn", "channels": 5, "dropout": 0.3}),
    "cnn, residual, batch norm": (
        IMAGES,
        {"name": "cnn", "channels": 3, "block": "residual", "normalization": "batch"},
    ),
    "cnn, separable": (IMAGES, {"name": "cnn", "channels": 5, "block": "separable", "pooling": "flatten"}),
    "cnn in one dimension": (SEQUENCES, {"name": "cnn", "channels": 3, "kernel_size": 5, "pooling": "attention"}),
    "rnn, attention": (SEQUENCES, {"name": "rnn", "hidden_size": 5, "readout": "attention", "bidirectional": True}),
    "lstm language": (
        generated("characters", length=12),
        {"name": "rnn", "cell": "lstm", "hidden_size": 7, "tied": True, "truncate": 5, "embedding_size": 5},
    ),
    "tagging": (generated("copy"), {"name": "rnn", "hidden_size": 5, "dropout": 0.3}),
    "transformer": (SEQUENCES, {"name": "transformer", "head_size": 3, "dropout": 0.3}),
    "transformer language": (
        generated("characters", length=12),
        {"name": "transformer", "head_size": 5, "num_heads": 3},
    ),
    "seq2seq": (
        generated("dates"),
        {"name": "seq2seq", "hidden_size": 5, "embedding_size": 3, "teacher_forcing": 0.5, "beam": 2, "dropout": 0.2},
    ),
    "recommender": (generated("planted_ratings"), {"name": "recommender", "embedding_size": 3, "dropout": 0.3}),
    "recommender, mlp": (
        generated("planted_ratings"),
        {"name": "recommender", "interaction": "mlp", "embedding_size": 3},
    ),
    "unet": (generated("strokes", size=17), {"name": "unet", "channels": 3, "normalization": "batch", "dropout": 0.3}),
    "own": (classes(60, (5,)), {"name": "torch.nn:Linear"}),
}


def losses(tensors, model, lanes, batch_size):
    how = recipe_of(
        Configuration(model, {"epochs": 2, "batch_size": batch_size}),
        Work(tensors.dataset, DEFAULT[tensors.dataset.task], own={("model", model["name"]): ""}),
    )
    curves = train(how, lanes, tensors, go_on).curves
    return curves.train_loss[curves.lanes], curves.loss, curves.score


@pytest.mark.parametrize("batch_size", [slow(7), 32])
@pytest.mark.parametrize("case", CASES)
def test_a_lane_of_every_family_is_the_same_to_the_bit_wherever_it_stands(case, batch_size):
    tensors, model = CASES[case]
    rows = [np.random.default_rng(seed).permutation(60) for seed in range(5)]
    lanes = [Lane(np.sort(order[:40]), (np.sort(order[40:]),), 7 + k) for k, order in enumerate(rows)]
    together = losses(tensors, model, lanes, batch_size)
    for some in ([3], [4, 0], [2, 3, 1]):
        alone = losses(tensors, model, [lanes[k] for k in some], batch_size)
        for whole, part in zip(together, alone, strict=True):
            np.testing.assert_array_equal(whole[some], part)
