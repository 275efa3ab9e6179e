"""The dummy baseline: the best prediction without features, chosen on training rows and scored on test rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np

from tuner.data import scored
from tuner.data.dataset import Dataset
from tuner.data.inputs import Rows
from tuner.experiment.header import Dummy
from tuner.metrics import Metric
from tuner.metrics.parts.baselines import Baseline, TrainingTargets
from tuner.metrics.parts.sums import Array, Floats

MOST_DRAWS, FEWEST_DRAWS = 200, 4  # draws, whose mean score estimates that of a random prediction
DRAWN = 2**16  # rows, steps or pixels in all draws: the error of the mean is about 0.5 / √65,536 = 0.002 at most
AT_ONCE = 2**20  # numbers
Outputs = Callable[[Rows], Iterable[Array]]  # predictions for some rows (V, …): one per draw, or the only one


def dummy(dataset: Dataset, metric: Metric, rows: Rows, test: Rows) -> Dummy | None:
    """The dummy baseline: the best prediction that ignores the features, or a naive forecast.

    Args:
        dataset: the data.
        metric: the metric that chooses and scores the prediction.
        rows: training rows; they fit and choose the prediction.
        test: test rows; they only score it.

    Returns:
        The prediction in words, and its score (None if not finite). None if there are no test rows.

    The score of a random prediction is the mean over many draws, because the score of expected counts is not the
    expected score. The draws are the same every time."""
    if not len(test):
        return None
    answers, sign = {**_forecasts(dataset), **dict(_baselines(dataset, metric, rows))}, 1 if metric.maximize else -1
    score = partial(_score, dataset, metric, rows)
    what = next(iter(answers))
    if len(answers) > 1:
        what = max(answers, key=lambda each: _or_worst(sign * score(answers[each], rows)))  # of equal scores, the first
    found = score(answers[what], test)
    return Dummy(what, found if math.isfinite(found) else None, what not in _forecasts(dataset))


def _score(dataset: Dataset, metric: Metric, train: Rows, outputs: Outputs, on: Rows) -> float:
    """The mean score of the predictions for the rows `on`."""
    needed = scored.needed(dataset, metric, train, on)
    return float(np.mean([scored.score(dataset, metric, each, on, needed) for each in outputs(on)]))


def _or_worst(score: float) -> float:
    return score if math.isfinite(score) else -math.inf


def _forecasts(dataset: Dataset) -> dict[str, Outputs]:
    """The forecasts without a model: the last season's values, and the last one."""

    def of(values: Floats) -> Outputs:
        return lambda on: [values[on]]

    naive = dataset.naive
    if naive is None:
        return {}
    last, season = "the last-value forecast", f"the seasonal-naive forecast of {naive.season} steps"
    found = {last if naive.season == 1 else season: of(naive.values)}
    return found if naive.last is None else {**found, last: of(naive.last)}


def _baselines(dataset: Dataset, metric: Metric, rows: Rows) -> Iterator[tuple[str, Outputs]]:
    """The metric's best predictions that ignore the features, fitted on the training rows."""
    counts = dataset.counts(rows)
    seen = TrainingTargets(dataset.targets[rows], counts if counts.any() else np.ones(len(rows)), dataset.classes)
    for guess in metric.baselines(seen):
        yield guess.what, partial(_constant if guess.drawn == "nothing" else _drawn, dataset, guess)


def _constant(dataset: Dataset, guess: Baseline, on: Rows) -> list[Array]:
    """The same prediction for every row, step and pixel; or the same tokens for every row."""
    positions = () if guess.tokens else dataset.positions
    return [np.broadcast_to(guess.outputs, (len(on), *positions, len(guess.outputs)))]


def _drawn(dataset: Dataset, guess: Baseline, on: Rows) -> Iterator[Array]:
    """Random logits for every row, step and pixel, some draws at a time."""
    rng, shape, classes = np.random.default_rng(0), (len(on), *dataset.positions), len(guess.outputs)
    size = math.prod(shape)
    left, at_once = min(MOST_DRAWS, max(FEWEST_DRAWS, DRAWN // size)), max(1, AT_ONCE // (size * classes))
    while left > 0:
        draws = min(left, at_once), *shape
        left -= at_once
        if guess.drawn == "order":
            yield from guess.outputs + rng.normal(size=(*draws, classes))
        else:
            yield from np.eye(classes, dtype=np.float32)[rng.choice(classes, size=draws, p=guess.outputs)]
