"""The user's own metric: `my_metrics.py:cost` beside the experiment file, a function as in scikit-learn.

It takes some of the arguments `y_true`, `y_pred`, `y_prob`, `sample_weight` and `classes` by name, of which the others
are settings, and returns a number.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from pydantic import Field

from tuner.data.dataset import Dataset
from tuner.errors import UsageError
from tuner.experiment.own_code import Kind
from tuner.experiment.settings import Settings
from tuner.metrics.parts import baselines
from tuner.metrics.parts.baselines import Baselines
from tuner.metrics.parts.metric import CLASSES, Metric
from tuner.metrics.parts.probabilities import sigmoid, softmax
from tuner.metrics.parts.sums import Array, Floats
from tuner.models.layers.copies import RandomState
from tuner.training.own import REQUIRED, UNCLEAR, OwnPart, plain_number

PASSED = {
    "y_true": "targets: codes of classes (N,), labels of 0 and 1 (N, L), or numbers (N,), (N, M)",
    "y_pred": "the same as predicted",
    "y_prob": "probabilities of the classes (N, C) or of the labels (N, L)",
    "sample_weight": "weights of the rows (N,)",
    "classes": "the names of the classes, in the order of their codes",
}
METRIC = Kind(
    section="metric",
    word="FUNCTION",
    what="function",
    fits=inspect.isfunction,
    handed_in=tuple(PASSED),
    despite_default=tuple(PASSED),
    required=REQUIRED,
    unclear=UNCLEAR,
    declared=True,
)
TASKS = (*CLASSES, "language", "multilabel", "regression")
BASELINES: Mapping[str, tuple[Baselines, ...]] = {
    "multilabel": (baselines.commonest, baselines.shares),
    "regression": (baselines.mean, baselines.median),
}
OF_CLASSES = (baselines.commonest, baselines.shares)


class MetricSettings(Settings):
    """The settings of every metric of the user, beside the arguments of its own."""

    maximize: bool = Field(description="true if a higher score is better, false if a lower one is")


def described_metric(name: str, settings: Settings, task: str, passed: tuple[str, ...]) -> Metric:
    """The metric for a process that does not run the user's code: it has no score.

    Args:
        name: as it stands in the experiment file.
        settings: its settings.
        task: the task of the data.
        passed: the arguments that it takes besides its settings.
    """
    assert isinstance(settings, MetricSettings)
    return Metric(
        name=name,
        tasks=TASKS,
        maximize=settings.maximize,
        meaning="your own",
        bounds=(None, None),
        baselines=lambda seen: [each for of in BASELINES.get(task, OF_CLASSES) for each in of(seen)],
        compute=_not_here,
        weighted="sample_weight" in passed,
    )


def _not_here(*_: object) -> float:
    raise AssertionError("the user's own metric is computed in processes that may run the user's code")


def own_metric(part: OwnPart, values: Mapping[str, Any], dataset: Dataset) -> Metric:
    """The metric, whose code runs here. Raises `UsageError`."""
    settings, name = part.Settings.model_validate(values), part.code.name
    given, random = part.checked(values, MetricSettings.model_fields), RandomState(torch.Generator().manual_seed(0))

    def score(outputs: Array, targets: Array, weights: Floats) -> float:
        known: dict[str, Any] = {**_answers(dataset.task, outputs, targets), "sample_weight": weights}
        known |= {"classes": dataset.classes} if dataset.classes else {}
        if missing := [each for each in part.code.handed_in if each not in known]:
            text = f"{name} asks for {' and '.join(missing)}, which a {dataset.task} task does not have"
            raise UsageError(text, f"it has {', '.join(known)}")
        with random.active(advance=False):
            return _number(name, part.target(**given, **{each: known[each] for each in part.code.handed_in}))

    return replace(described_metric(name, settings, dataset.task, part.code.handed_in), compute=score)


def _number(name: str, returned: Any) -> float:
    """The score that a metric returned. Raises `UsageError`."""
    found = plain_number(returned)
    if found is None:
        raise UsageError(f"{name} must return a number; it returned {type(returned).__name__}", "return one score")
    return found


def _answers(task: str, outputs: Array, targets: Array) -> dict[str, Array]:
    if task == "regression":
        pair = outputs.astype(np.float64), targets.astype(np.float64)
        predicted, true = (each[:, 0] if each.shape[1] == 1 else each for each in pair)
        return {"y_true": true, "y_pred": predicted}
    if task == "multilabel":
        return {
            "y_true": targets.astype(np.int64),
            "y_pred": (outputs > 0).astype(np.int64),
            "y_prob": sigmoid(outputs),
        }
    return {"y_true": targets, "y_pred": outputs.argmax(axis=-1), "y_prob": softmax(outputs)}
