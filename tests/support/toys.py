"""Small data sets, lanes and recipes for the tests of training."""

import re
from pathlib import Path

import numpy as np
import torch
from toy_data import toy_dataset

from tuner.metrics import METRICS
from tuner.models import mlp, rnn
from tuner.training.lane_data import DatasetTensors
from tuner.training.lanes import Lane
from tuner.training.recipe import Recipe
from tuner.training.settings import TrainingSettings

CPU = torch.device("cpu")
SMALL = mlp.Settings(hidden_size=8, num_layers=2)


def classes(rows=60, shape=(5,), count=3):
    """Noisy classes, learnable in part, so that scores move and early stopping has something to do."""
    random = np.random.default_rng(3)
    targets = random.integers(0, count, rows)
    features = random.normal(size=(rows, *shape)).astype(np.float32)
    features.reshape(rows, -1)[:, :2] += targets[:, None]
    return DatasetTensors(
        toy_dataset("toy", "classification", features, targets, (), ("y",), tuple(map(str, range(count)))), CPU
    )


def amounts(rows=50, features=4, outputs=2, **more):
    """Two noisy linear targets, far from zero mean and unit variance."""
    random = np.random.default_rng(4)
    x = random.normal(2, 3, (rows, features)).astype(np.float32)
    y = (x @ random.normal(size=(features, outputs)) + random.normal(size=(rows, outputs))).astype(np.float64)
    return DatasetTensors(toy_dataset("toy", "regression", x, 10 + 5 * y, (), ("y", "z"), **more), CPU)


def lanes_of(tensors, sizes, sets=1):
    """Overlapping folds of unequal size, each with the other rows, cut in `sets`, to validate on."""
    total = len(tensors.dataset)
    lanes = []
    for number, size in enumerate(sizes):
        order = np.random.default_rng(number).permutation(total)
        evaluations = tuple(np.sort(part) for part in np.array_split(order[size:], sets))
        lanes.append(Lane(np.sort(order[:size]), evaluations, 100 + number))
    return lanes


def recipe(model, metric="accuracy", **training):
    """How to train and score a model with these settings."""
    module = {"mlp": mlp, "rnn": rnn}[model.name]
    return Recipe(lambda s, k: module.build(model, s, k), TrainingSettings(**training), METRICS[metric])


def peak():
    """The most memory this process ever had, in bytes. (`ru_maxrss` would also count the process that started it.)"""
    found = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


def go_on(epoch, curves):
    """The judge that wants every view."""
    return np.ones(len(curves.lanes), dtype=bool)


def assert_same_view(curves, view, alone, other=0, **close):
    """A view, and its lane's training loss, as another training saw it; what ended earlier is NaN from there on."""
    close = close or {"rtol": 2e-4, "atol": 2e-5}
    assert curves.best[view] == alone.best[other]
    for name in ("loss", "score"):
        mine, theirs = getattr(curves, name)[view], getattr(alone, name)[other]
        np.testing.assert_allclose(mine[: len(theirs)], theirs, **close, err_msg=name)
        assert np.isnan(mine[len(theirs) :]).all()
    mine, theirs = curves.train_loss[curves.lanes[view]], alone.train_loss[alone.lanes[other]]
    both = np.isfinite(mine[: len(theirs)]) & np.isfinite(theirs)  # a lane goes on while one of its views does
    assert both.any()
    np.testing.assert_allclose(mine[: len(theirs)][both], theirs[both], **close)
