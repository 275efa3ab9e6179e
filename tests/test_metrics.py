"""Metrics equal scikit-learn's of the same name, on many padded sets at once."""

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn import metrics as sk

from tuner.training.metrics import DEFAULT, METRICS

CLASSES = 4


def log_loss(targets, outputs):
    return sk.log_loss(targets, softmax(outputs, axis=1), labels=range(CLASSES))


def by_class(function, **how):
    return lambda targets, outputs: function(targets, outputs.argmax(axis=1), **how)


ORACLES = {
    "accuracy": by_class(sk.accuracy_score),
    "macro_f1": by_class(sk.f1_score, average="macro"),
    "balanced_accuracy": by_class(lambda t, p: sk.recall_score(t, p, labels=np.unique(t), average="macro")),
    "log_loss": log_loss,
    "rmse": sk.root_mean_squared_error,
    "mae": sk.mean_absolute_error,
    "r2": sk.r2_score,
}


def test_every_metric_has_an_oracle_and_every_task_a_default():
    assert set(METRICS) == set(ORACLES)
    assert {METRICS[name].task for name in DEFAULT.values()} == set(DEFAULT)


def assert_equals_sklearn(name, outputs, targets, mask):
    scores = METRICS[name].function(torch.from_numpy(outputs), torch.from_numpy(targets), torch.from_numpy(mask))
    assert scores.shape == mask.shape[:-1]
    kind = np.float64 if targets.dtype.kind == "f" else np.int64  # scikit-learn would go on in float32
    for index in np.ndindex(*mask.shape[:-1]):
        keep = mask[index]
        expected = ORACLES[name](targets[index][keep].astype(kind), outputs[index][keep].astype(np.float64))
        assert scores[index].item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def random_mask(random, *shape):
    mask = random.random(shape) < 0.6
    mask[..., :2] = True
    return mask


CLASSIFICATION = [m for m in METRICS if METRICS[m].task == "classification"]
REGRESSION = [m for m in METRICS if METRICS[m].task == "regression"]


@pytest.mark.parametrize("name", CLASSIFICATION)
@pytest.mark.parametrize("present", [CLASSES, 2, 1])  # with fewer, classes are missing from the sets
def test_classification_equals_sklearn(name, present):
    random = np.random.default_rng(present)
    outputs = random.normal(size=(3, 2, 12, CLASSES)).astype(np.float32)
    targets = random.integers(0, present, (3, 2, 12))
    assert_equals_sklearn(name, outputs, targets, random_mask(random, 3, 2, 12))


@pytest.mark.parametrize("name", REGRESSION)
@pytest.mark.parametrize("count", [1, 3])
def test_regression_equals_sklearn(name, count):
    random = np.random.default_rng(count)
    targets = random.normal(50, 9, (3, 2, 12, count)).astype(np.float32)
    outputs = targets + random.normal(size=targets.shape).astype(np.float32)
    assert_equals_sklearn(name, outputs, targets, random_mask(random, 3, 2, 12))


@pytest.mark.parametrize("name", REGRESSION)
@pytest.mark.parametrize("exact", [True, False])
def test_a_constant_target_scores_as_sklearns(name, exact):
    random = np.random.default_rng(0)
    targets = np.full((2, 7, 2), 0.1, dtype=np.float32)
    targets[..., 1] = random.normal(size=(2, 7))
    outputs = targets + (0 if exact else random.normal(size=targets.shape).astype(np.float32))
    assert_equals_sklearn(name, outputs, targets, random_mask(random, 2, 7))


@pytest.mark.parametrize("name", METRICS)
def test_more_is_better_exactly_where_the_metric_says_so(name):
    random = np.random.default_rng(1)
    if METRICS[name].task == "classification":
        targets = random.integers(0, CLASSES, 20)
        good, bad = 3.0 * np.eye(CLASSES)[targets], 3.0 * np.eye(CLASSES)[(targets + 1) % CLASSES]
    else:
        targets = random.normal(size=(20, 1))
        good, bad = targets + 0.1, targets + 3.0
    function, mask = METRICS[name].function, torch.ones(20, dtype=torch.bool)
    scores = [function(torch.from_numpy(o), torch.from_numpy(targets), mask).item() for o in (bad, good)]
    assert (scores[1] > scores[0]) is METRICS[name].maximize
