"""Every metric, found by itself: what must hold of any score of a set of rows."""

import numpy as np
import pytest

from tuner import metrics, registry
from tuner.errors import UsageError
from tuner.metrics import METRICS
from tuner.metrics.parts.metric import OfSums
from tuner.metrics.parts.sums import IGNORED

ROWS, CLASSES = 30, 4
OF_SUMS = [name for name, metric in METRICS.items() if isinstance(metric.compute, OfSums)]


def rows_of(name, seed=0):
    """Outputs, targets and what the metric needs of rows that it can score."""
    random, metric = np.random.default_rng(seed), METRICS[name]
    needed = {"users": np.arange(ROWS) % 3, "naive": np.full((ROWS, 2), [0.5, 2.0]), None: None}[metric.needs]
    if "regression" in metric.tasks:
        targets = random.uniform(1, 9, (ROWS, 2)).round(1)
        return targets + random.normal(size=(ROWS, 2)), targets, needed
    if metric.whole:
        targets = random.integers(1, CLASSES, (ROWS, 6))
        targets[np.arange(6) > random.integers(3, 6, (ROWS, 1))] = IGNORED
        return np.where(random.random((ROWS, 6)) < 0.8, np.abs(targets), 1), targets, needed
    targets = random.integers(0, CLASSES, ROWS)
    return random.normal(size=(ROWS, CLASSES)) + np.eye(CLASSES)[targets], targets, needed


def taken(rows, *arrays):
    return [None if each is None else each[rows] for each in arrays]


@pytest.mark.parametrize("name", METRICS)
def test_a_row_of_weight_two_is_two_rows_and_the_order_does_not_matter(name):
    metric, (outputs, targets, needed) = METRICS[name], rows_of(name)
    weights = np.random.default_rng(1).integers(0, 4, ROWS)
    if not metric.weighted:
        weights = np.minimum(weights, 1)
    repeated = np.random.default_rng(2).permutation(np.repeat(np.arange(ROWS), weights))
    outputs_, targets_, needed_ = taken(repeated, outputs, targets, needed)
    expected = metric.score(outputs_, targets_, np.ones(len(repeated)), needed_)
    assert np.isfinite(expected)
    assert metric.score(outputs, targets, weights * 1.0, needed) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_rows_of_weight_0_change_no_bit(name):
    metric, (outputs, targets, needed) = METRICS[name], rows_of(name)
    outputs_, targets_, needed_ = taken(np.append(np.arange(ROWS), [3, 3]), outputs, targets, needed)
    if outputs.dtype.kind == "f":
        outputs_[-1] = np.nan
    weights = np.append(np.ones(ROWS), [0.0, 0.0])
    found = metric.score(outputs_, targets_, weights, needed_)
    assert found == pytest.approx(metric.score(outputs, targets, np.ones(ROWS), needed), rel=1e-14)


@pytest.mark.parametrize("name", OF_SUMS)
def test_the_sum_of_the_rows_own_totals_gives_the_score(name):
    metric, (outputs, targets, needed) = METRICS[name], rows_of(name)
    weights = np.random.default_rng(1).random(ROWS)
    totals = metric.row_totals(outputs, targets, weights, needed)
    assert len(totals) == ROWS
    expected = metric.score(outputs, targets, weights, needed)
    assert metric.compute.score(totals.sum(axis=0)) == pytest.approx(expected, rel=1e-12)
    both = metric.compute.score(np.stack([totals.sum(axis=0), totals[:5].sum(axis=0)]))
    alone = metric.score(*taken(np.arange(5), outputs, targets, weights, needed))
    assert both == pytest.approx([expected, alone], rel=1e-9)


@pytest.mark.parametrize("name", [name for name in OF_SUMS if "segmentation" in METRICS[name].tasks])
def test_the_totals_of_a_row_are_of_all_its_pixels_that_have_a_label(name):
    metric, random = METRICS[name], np.random.default_rng(3)
    targets, outputs = random.integers(IGNORED, CLASSES, (8, 3, 5)), random.normal(size=(8, 3, 5, CLASSES))
    weights = random.random(8)
    totals = metric.row_totals(outputs, targets, weights)
    assert len(totals) == 8
    assert metric.compute.score(totals.sum(axis=0)) == pytest.approx(metric.score(outputs, targets, weights), rel=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_it_says_what_it_is(name):
    metric = METRICS[name]
    assert metric.meaning and metric.tasks and len(metric.meaning) <= 120
    low, high = metric.bounds
    assert low is None or high is None or low < high


def test_no_two_files_define_one_name(monkeypatch):
    """It would replace the other."""
    monkeypatch.setattr(registry, "names", lambda package: ("numbers", "numbers"))
    with pytest.raises(UsageError, match=r"two metrics are called \w+; one is in tuner\.metrics\.numbers"):
        metrics._by_name()
