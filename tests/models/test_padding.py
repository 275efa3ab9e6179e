"""What stands after the end of a sequence changes no answer, and more of it neither, whichever model reads."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_data import toy_dataset

from tuner import registry
from tuner.models.layers import Lanes
from tuner.search.contract import MODELS
from tuner.training.lane_data import DatasetTensors, LaneData
from tuner.training.lanes import Lane

ROWS, STEPS, TRAIN = 12, 6, np.arange(8)
WISHES = {  # what decides how a model reads steps
    "rnn": [{"cell": cell, "readout": readout, "bidirectional": both} for cell, readout, both in (
        ("rnn", "last", True), ("gru", "mean", False), ("lstm", "max", True), ("gru", "attention", True))],
    "transformer": [{"readout": readout, "norm": norm} for readout, norm in (
        ("mean", "pre"), ("max", "post"), ("attention", "pre"))],
    "cnn": [{"pooling": pooling, "block": block, "stages": 2, "normalization": norm} for pooling, block, norm in (
        ("mean", "plain", "batch"), ("max", "residual", "none"), ("attention", "separable", "layer"))],
    "mlp": [{}],
}  # fmt: skip
SIZES = {  # as small as they can be told apart
    "rnn": {"hidden_size": 8},
    "transformer": {"head_size": 4, "feedforward_size": 8},
    "cnn": {"channels": 4},
    "mlp": {"hidden_size": 8},
}
READERS = [name for name in registry.names(MODELS) if "sequence" in registry.load(MODELS, name).LAYOUTS]
CASES = [(name, wish) for name in READERS for wish in WISHES[name]]


def sequences(seed, more=0, filled=0.0):
    """Twelve sequences of up to six steps, `more` steps of padding, and `filled` after every end."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, STEPS + 1, ROWS)
    lengths[0] = STEPS
    x = random.normal(size=(ROWS, STEPS, 3)).astype(np.float32)
    x = np.concatenate([x, np.zeros((ROWS, more, 3), np.float32)], axis=1)
    x[np.arange(x.shape[1]) >= lengths[:, None]] = filled
    targets = random.integers(0, 2, ROWS)
    return toy_dataset("toy", "classification", x, targets, (), ("y",), ("a", "b"), lengths=lengths)


def answers(name, wish, dataset, train):
    """What a new network says of all rows, of equal weights whatever the padding."""
    module = registry.load(MODELS, name)
    tensors = DatasetTensors(dataset, torch.device("cpu"))
    data = LaneData(tensors, [Lane(TRAIN, (np.arange(8, ROWS),), 0)])
    net = module.build(module.Settings(**SIZES[name], **wish), tensors.shapes, Lanes((3,))).train(train)
    return net(*data.inputs(torch.arange(ROWS)[None])).detach().numpy()


@pytest.mark.parametrize(("name", "wish"), CASES)
@settings(deadline=None, max_examples=4)
@given(st.integers(0, 999), st.integers(1, 5), st.sampled_from([-1e3, 0.5, 7.0]), st.booleans())
def test_padding_changes_no_answer(name, wish, seed, more, filled, train):
    plain = answers(name, wish, sequences(seed), train)
    close = {"rtol": 1e-4, "atol": 1e-5}
    np.testing.assert_allclose(answers(name, wish, sequences(seed, filled=filled), train), plain, **close)
    if name != "mlp":  # which has a weight for every step there is
        np.testing.assert_allclose(answers(name, wish, sequences(seed, more), train), plain, **close)
