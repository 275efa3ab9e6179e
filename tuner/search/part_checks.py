"""Checks the user's own losses, optimizers, schedules and metric before a search, in the process that runs their code:
each trains the default configuration for one epoch, twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tuner.data.dataset import Dataset
from tuner.data.inputs import Rows
from tuner.data.resampling import NestedPlan
from tuner.errors import TunerError, UsageError
from tuner.experiment.configuration import Configuration
from tuner.experiment.experiment import Experiment
from tuner.experiment.header import Dummy
from tuner.experiment.own_code import failed, is_user_code
from tuner.metrics import Metric
from tuner.models.layers import Decoder, Lanes
from tuner.search.dummy import dummy
from tuner.search.jobs import Work
from tuner.search.model_checks import (
    TIMES,
    Epoch,
    ModelWarning,
    check_built,
    epochs_of,
    errors_at,
    experiment_here,
    names_of,
    unrepeated,
    work_of,
)
from tuner.search.own_kinds import PARTS
from tuner.search.recipe import metric_of_work, recipe_of
from tuner.search.user_code import UserCode
from tuner.training.lane_data import DatasetTensors, LaneData
from tuner.training.lanes import Lane

SCORED = 4096  # most rows of which a metric is tried
FEW = 4  # rows of which a loss is tried


def check_parts(experiment: Experiment, dataset: Dataset, code: UserCode) -> list[tuple[str, ModelWarning]]:
    """Train with each of the user's own parts of a training, and score with their metric. Raises `ExperimentError`.

    Returns:
        A warning, with its section, for each that does not give the same again.
    """
    path, text = experiment.document.path.absolute(), experiment.document.text
    found = [
        (part.section, name)
        for part in PARTS
        for name in names_of(experiment.space, part.section)
        if is_user_code(name)
    ]
    if experiment.own_metric and experiment.metric:
        found.append(("metric", experiment.metric))
    warnings = []
    for section, name in found:
        with errors_at(experiment, section):
            epochs = code.with_data(name, dataset, _try_in_child, path, text, section, name)
        if epochs and (warning := unrepeated(name, epochs)):
            warnings.append((section, warning))
    return warnings


def _try_in_child(dataset: Dataset, path: Path, text: str, section: str, name: str) -> list[Epoch]:
    """The first epochs of the default configuration with this part. Raises `UsageError`."""
    experiment = experiment_here(path, text)
    work = work_of(experiment, dataset)
    if section == "metric":
        work = _with_metric(experiment, work)
    try:
        configuration, _ = check_built(experiment, work, section, name)
        if section == "metric":
            _check_score(metric_of_work(work), dataset)
        elif section == "training.loss":
            _check_loss(configuration, work)
        return epochs_of(configuration, work, TIMES)
    except TunerError as error:
        raise UsageError(error.message, error.hint) from error
    except BaseException as error:  # the user's code may raise anything
        if section == "metric":  # of a few rows: that of all has just been computed
            return []
        raise UsageError(*failed(name, error)) from error


def _check_score(metric: Metric, dataset: Dataset) -> None:
    """Raise `UsageError` if the metric has no score for predictions that are nearly right. Raises what it raises."""
    rows = np.sort(np.random.default_rng(0).permutation(len(dataset))[:SCORED])
    random = np.random.default_rng(1)
    truth: NDArray[Any] = dataset.targets[rows]
    outputs: NDArray[Any]
    if truth.dtype.kind == "i":
        outputs = np.eye(dataset.outputs)[np.maximum(truth, 0)] + random.normal(0, 0.3, (*truth.shape, dataset.outputs))
    else:
        scale = truth.std(axis=0) if dataset.task == "regression" else np.ones(truth.shape[1])
        centred = truth if dataset.task == "regression" else 2 * truth - 1
        outputs = centred + random.normal(0, 0.3, truth.shape) * scale
    try:
        found = metric.score(outputs, truth, dataset.counts(rows))
    except TunerError:
        raise
    except BaseException as error:  # the user's code may raise anything
        raise UsageError(*failed(metric.name, error, " on predictions that are nearly right")) from error
    if not np.isfinite(found):
        hint = _codes(dataset) or "return a finite number for such predictions"
        raise UsageError(f"{metric.name} returned {found:g} for predictions that are nearly right", hint)


def _check_loss(configuration: Configuration, work: Work) -> None:
    """Raise `UsageError` if the loss of a batch is the sum of the losses of its rows: twice that where each row stands
    twice; or if it does not depend on the outputs. Raises what the user's code raises."""
    dataset, recipe, name = work.dataset, recipe_of(configuration, work), configuration.get("training.loss.name")
    rows = np.arange(min(FEW, len(dataset)))
    tensors = DatasetTensors(dataset, torch.device("cpu")).read_as(recipe.settings)
    data, index = LaneData(tensors, [Lane(rows, (), 0)]), torch.from_numpy(rows)[None]
    model, truth = recipe.build(tensors.shapes, Lanes((0,))), data.targets(index)
    inputs = data.inputs(index)
    with torch.no_grad():
        outputs = model(*inputs, targets=truth) if isinstance(model, Decoder) else model(*inputs)
    outputs, loss = outputs.requires_grad_(), recipe.loss(dataset.task, Lanes((0,)))
    once, twice = loss(outputs, truth), loss(torch.cat([outputs] * 2, dim=1), torch.cat([truth] * 2, dim=1))
    (slope,) = torch.autograd.grad(once.sum(), outputs)
    if (once != 0).any() and not slope.any():
        text = f"{name} returned a loss that does not depend on the outputs, so nothing would be learned"
        raise UsageError(text, "compute it from the outputs, without item(), detach() or numpy()")
    one, two = once.flatten()[0], twice.flatten()[0]
    if once.numel() > 1 and (once == one).all() and (two - 2 * one).abs() <= 1e-4 * two.abs() and two.abs() > 0:
        raise UsageError(f"{name} returns the sum of the losses of the rows", "return their mean, or one loss per row")


def _codes(dataset: Dataset) -> str | None:
    """A hint at the codes of classes, with which names may have been compared; None for other targets."""
    named = ", ".join(f"{code} for {name}" for code, name in enumerate(dataset.classes[:3]))
    return f"y_true and y_pred hold codes: {named}" if dataset.classes else None


def _with_metric(experiment: Experiment, work: Work) -> Work:
    assert experiment.own_metric is not None and experiment.metric is not None
    return replace(work, metric=experiment.metric, metric_settings=experiment.own_metric.model_dump())


def own_dummies(
    experiment: Experiment, dataset: Dataset, plan: NestedPlan, code: UserCode
) -> Mapping[str, Dummy | None] | None:
    """The dummy baseline of each chain by the user's own metric; None if the metric is tuner's. Raises
    `ExperimentError`."""
    if not experiment.own_metric:
        return None
    path, text = experiment.document.path.absolute(), experiment.document.text
    chains = {chain.name: (chain.rows, chain.test) for chain in plan.chains}
    with errors_at(experiment, "metric"):
        return code.with_data(str(experiment.metric), dataset, _dummies_in_child, path, text, chains)


def _dummies_in_child(
    dataset: Dataset, path: Path, text: str, chains: Mapping[str, tuple[Rows, Rows]]
) -> dict[str, Dummy | None]:
    experiment = experiment_here(path, text)
    metric = metric_of_work(_with_metric(experiment, work_of(experiment, dataset)))
    try:
        return {name: dummy(dataset, metric, rows, test) for name, (rows, test) in chains.items()}
    except TunerError:
        raise
    except BaseException as error:  # the user's code may raise anything
        raise UsageError(*failed(metric.name, error, " on the predictions of the dummy")) from error
