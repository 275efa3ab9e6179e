"""Scores outputs on a dataset, with the additional inputs that a metric needs."""

from __future__ import annotations

import numpy as np

from tuner.data.dataset import Dataset
from tuner.data.inputs import Rows
from tuner.metrics import Metric
from tuner.metrics.numbers import naive_error
from tuner.metrics.parts.sums import Array


def score(dataset: Dataset, metric: Metric, outputs: Array, rows: Rows, needed: Array | None) -> float:
    """The score of outputs (V, …) for these rows (V,); `needed` as the function of that name returns it."""
    return metric.score(outputs, dataset.targets[rows], dataset.counts(rows), needed)


def needed(dataset: Dataset, metric: Metric, train: Rows, rows: Rows) -> Array | None:
    """What the metric needs in addition of each of the `rows`: its user (V,), or the error of the naive forecast on the
    training rows (V, M)."""
    if metric.needs == "users":
        return np.asarray(dataset.features[rows, 0])
    if metric.needs is None:
        return None
    forecast = dataset.naive
    assert forecast is not None
    targets, weights = dataset.targets[train].astype(np.float64), dataset.counts(train)
    error = naive_error(targets, forecast.values[train], weights, forecast.horizon)
    return np.broadcast_to(error, (len(rows), len(error)))


def is_mean_over_rows(dataset: Dataset, metric: Metric) -> bool:
    """Whether the score of a set is the plain mean of its rows' own scores."""
    alike = dataset.score_weights is None and not dataset.positions
    return alike and metric.mean and metric.needs is None
