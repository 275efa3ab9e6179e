"""Warns about settings that are valid, and probably a mistake."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from tuner.data.cuts import kind_of
from tuner.data.dataset import Dataset
from tuner.data.resampling import NestedPlan
from tuner.errors import NoResultError
from tuner.experiment import grid
from tuner.experiment.experiment import Experiment
from tuner.experiment.sections import Halving, Median, Percentile, Pruner
from tuner.experiment.space import Fixed, Parameter, Range, Space
from tuner.search.unused_settings import extremes

Warned = Iterator[tuple[str, str, str | None]]  # the place in the file, the mistake, a hint


def likely_mistakes(experiment: Experiment, dataset: Dataset, plan: NestedPlan) -> list[str]:
    """Warnings, formatted for the terminal."""
    found = [*_of_training(experiment, dataset, plan), *_of_search(experiment), *_of_resampling(experiment, dataset)]
    return [experiment.warning(*each) for each in found]


def _ends(experiment: Experiment, target: str) -> list[Any]:
    """The extreme values of a setting in the search space."""
    entries: list[Parameter | Fixed] = [*experiment.space.parameters, *experiment.space.fixed]
    return [end for each in entries if each.target == target for end in extremes(each)]


def _of_training(experiment: Experiment, dataset: Dataset, plan: NestedPlan) -> Warned:
    least = min(len(fold.train) for chain in plan.chains for fold in chain.folds)
    sizes = [size for size in _ends(experiment, "training.batch_size") if isinstance(size, int | float)]
    training = experiment.document.root.entries.get("training")
    if training is not None and "batch_size" in training.entries and sizes and max(sizes) > least:
        text = f"batch_size {max(sizes):.0f} exceeds the {least} training rows of a fold, so it trains on full batches"
        yield "training.batch_size", text, None
    if "batch" in _ends(experiment, "model.normalization") and min(sizes, default=2) == 1 and dataset.layout == "flat":
        text = "batch normalisation of a batch of 1 row removes everything that depends on the row"
        yield "model", text, "a larger training.batch_size, or normalization: layer"
    adamw = "adamw" in _ends(experiment, "training.optimizer.name")
    if adamw and set(_ends(experiment, "training.weight_decay")) == {0.0}:
        text = "adamw with weight_decay: 0 is the same as adam"
        yield "training.optimizer", text, "training.weight_decay: 0.01, the default of torch"


def _of_search(experiment: Experiment) -> Warned:
    trials = experiment.trials
    if not experiment.space.parameters and trials > 1:
        text = f"nothing is searched: all {trials} trials train the same configuration from other seeds"
        yield "model", text, "a list or {low: …, high: …} instead of a value"
    elif experiment.search.sampler != "grid" and 0 < (count := _configurations(experiment.space)) < trials:
        text = f"the space has only {count:,} configurations, so {trials:,} trials train some again, from other seeds"
        yield "search", text, f"sampler: grid, or trials: {count}"
    elif why := _never_stops(experiment.search.pruner, trials, max(_ends(experiment, "training.epochs"), default=1)):
        yield "search.pruner", f"no trial can be stopped early: {why}", "a smaller number, or pruner: none"


def _configurations(space: Space) -> int:
    """How many configurations a space has; 0 if it has ranges without steps, or too many to count."""
    if any(isinstance(each.domain, Range) and each.domain.step is None for each in space.parameters):
        return 0
    try:
        return grid.size(space)
    except NoResultError:
        return 0


def _never_stops(pruner: Pruner, trials: int, epochs: int) -> str | None:
    if isinstance(pruner, Median | Percentile) and 1 < trials <= pruner.warmup_trials:
        return f"there are {trials} trials, and warmup_trials is {pruner.warmup_trials}"
    if isinstance(pruner, Median | Percentile) and pruner.warmup_epochs >= epochs:
        return f"a trial has {epochs} epochs, and warmup_epochs is {pruner.warmup_epochs}"
    if isinstance(pruner, Halving) and pruner.first >= epochs:
        return f"a trial has {epochs} epochs, and the first comparison is after {pruner.first}"
    return None


def _of_resampling(experiment: Experiment, dataset: Dataset) -> Warned:
    kind, roles = kind_of(experiment.resampling, dataset), dataset.roles
    if kind == "time" and roles.order is None:
        text = "no column has times, so the rows are taken in the order of the data"
        yield "resampling.kind", text, "dataset.time: COLUMN"
    for role, column, effect in (
        ("groups", roles.groups, "rows of one group can train and test"),
        ("time", roles.order, "later rows train for earlier ones"),
    ):
        stated = column is not None and getattr(experiment.dataset, role, None) is not None
        if stated and kind != role and roles.until is None:
            yield f"dataset.{role}", f"dataset.{role} is not used, as resampling.kind is {kind}: {effect}", None


def split_warnings(experiment: Experiment, dataset: Dataset) -> Iterator[str]:
    """Warnings about a split column that is not used, or that divides groups."""
    resampling, split, groups = experiment.resampling, dataset.roles.split, dataset.roles.groups
    if split is None:
        return
    kind = kind_of(resampling, dataset)
    if kind != "split" or resampling.outer == "none":
        why = f"resampling.kind is {kind}" if kind != "split" else "resampling.outer is none"
        yield f"the split column is not used, as {why}: rows that it names as test rows train, too"
    elif groups is not None:
        parted = int((pd.Series(split).groupby(groups).nunique() > 1).sum())
        if parted:
            yield f"the split column divides {parted} of {len(np.unique(groups))} groups: their rows train and test"
