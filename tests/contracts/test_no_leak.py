"""Over all sources: whatever stands in a fold's validation and test rows, nothing that its training is given changes.

Which columns, words and classes there are is read from all rows; those that a fold's training rows do not show are
unknown to it."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny import TINY

from tuner import registry
from tuner.data.check import check
from tuner.data.dataset import arrays_of, with_arrays
from tuner.data.preprocess import Preparation, fit
from tuner.data.resampling import plan
from tuner.experiment.sections import Resampling
from tuner.metrics.parts.sums import IGNORED
from tuner.search.contract import SOURCES
from tuner.training.lane_data import DatasetTensors, LaneData
from tuner.training.lanes import Lane
from tuner.training.settings import TrainingSettings

SMALL = {
    "rows": 40,
    "users": 9,
    "items": 9,
    "length": 8,
    "size": 16,
}  # of generated data
FETCHED = {
    "openml",
    "fetch",
    "newsgroups",
    "huggingface",
}  # from the net; what they read is as tables and texts are
KNOBS = ({}, {"vocabulary_size": 5, "max_length": 3})


def loaded(name, folder):
    module = registry.load(SOURCES, name)
    known = {key: value for key, value in SMALL.items() if key in module.Settings.model_fields}
    wish = TINY[name](folder) if name in TINY else known
    if "impute" in module.Settings.model_fields:
        wish = {"impute": "median", **wish}
    return check(module.load(module.Settings(**wish), folder))


def spoiled(dataset, rows, seed):
    """The same data with other values, codes, lengths and targets in these rows."""
    random, changed = np.random.default_rng(seed), {}
    seen = ("values", "codes", "lengths", "weights")
    for path, array in arrays_of(dataset):
        part, _, name = path.rpartition(".")
        if name not in seen or part == "target.naive":
            continue
        array = changed[path] = array.copy()
        if array.dtype.kind == "f":
            array[rows] += random.normal(0, 1e3, array[rows].shape)
            array[rows[::3]] = np.nan if part.startswith("inputs") else 0.0
        elif name == "codes":
            sizes = [len(words) for words in dataset.vocabularies]
            array[rows] = random.integers(0, sizes[0] if len(sizes) == 1 else sizes, array[rows].shape)
        elif part == "target":
            array[rows] = random.integers(IGNORED if dataset.positions else 0, dataset.outputs, array[rows].shape)
        else:
            array[rows] = random.integers(1, array.max() + 1, array[rows].shape)
    return with_arrays(dataset, changed)


def seen(dataset, rows, knobs):
    """Statistics of a lane that trains on these rows, and its batch of all of them."""
    tensors = DatasetTensors(dataset, torch.device("cpu")).read_as(TrainingSettings(**knobs))
    lane, batch = LaneData(tensors, [Lane(rows, (), 0)]), torch.from_numpy(rows)[None]
    statistics = fit(tensors.dataset, rows)
    prepared = (getattr(statistics, f.name) for f in fields(Preparation))
    return (*prepared, *lane.inputs(batch), lane.targets(batch), lane.weights_of(batch))


@pytest.mark.parametrize("name", sorted({*registry.names(SOURCES)} - FETCHED))
def test_nothing_that_a_lane_sees_depends_on_rows_that_score_it(name, tmp_path):
    dataset = loaded(name, tmp_path)
    chains = plan(Resampling(outer=3, stratify=False if dataset.task == "classification" else "auto"), dataset).chains
    folds = [(fold.train, np.setdiff1d(np.arange(len(dataset)), fold.train)) for c in chains for fold in c.folds]

    @given(fold=st.sampled_from(range(len(folds))), seed=st.integers(0, 10**6), knobs=st.sampled_from(KNOBS))
    @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
    def holds(fold, seed, knobs):
        train, others = folds[fold]
        knobs = knobs if dataset.layout == "tokens" and not dataset.positions else {}
        clean, other = (seen(each, train, knobs) for each in (dataset, spoiled(dataset, others, seed)))
        for one, two in zip(clean, other, strict=True):
            np.testing.assert_array_equal(one, two)

    holds()


def test_the_property_sees_a_leak(tmp_path):
    """Were a lane's statistics of all rows, spoiled rows would show in them."""
    dataset = loaded("iris", tmp_path)
    rows = np.arange(150)
    assert not np.array_equal(seen(dataset, rows, {})[1], seen(spoiled(dataset, rows[100:], 0), rows, {})[1])
    weighted, rows = loaded("table", tmp_path), np.arange(40)
    assert not np.array_equal(seen(weighted, rows, {})[-1], seen(spoiled(weighted, rows[30:], 0), rows, {})[-1])


def test_every_source_that_reads_files_has_a_tiny_one():
    reading = {n for n in registry.names(SOURCES) if "path" in registry.load(SOURCES, n).Settings.model_fields}
    assert reading - FETCHED <= set(TINY)
