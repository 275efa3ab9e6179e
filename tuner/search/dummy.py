"""What a model that ignores the features would score; and whether there is anything to score at all."""

from __future__ import annotations

import math

import numpy as np
import torch

from tuner.data.dataset import IGNORED, Dataset, Rows
from tuner.data.resampling import NestedPlan
from tuner.spec.experiment import Experiment
from tuner.training.metrics import Metric


def check_scores(experiment: Experiment, dataset: Dataset, metric: Metric, cut: NestedPlan) -> None:
    """Refuse a metric that says nothing of the rows of some fold, such as an area under the curve of one class."""
    if not metric.partial:
        return
    for chain in cut.chains:
        scored = [(f"inner fold {i}", fold.train, fold.validation) for i, fold in enumerate(chain.folds, start=1)]
        scored += [("the outer test", chain.rows, chain.test)] if len(chain.test) else []
        for what, rows, on in scored:
            if dummy_score(dataset, metric, rows, on) is None:
                text = f"{metric.name} has nothing to tell apart in the {len(on)} rows of {what} of {chain.name}"
                raise experiment.error("metric", text, "fewer folds, more rows, or another metric")


def dummy_score(dataset: Dataset, metric: Metric, rows: Rows, test: Rows) -> float | None:
    """What ignoring the features scores on the test rows: the data's own naive forecast, or else class shares, or the
    mean target, of the training rows; None where there is nothing to score."""
    if not len(test):
        return None
    targets = dataset.targets
    if dataset.task == "translation":  # the commonest answer, said to everybody
        texts, counts = np.unique(targets[rows], axis=0, return_counts=True)
        guess = texts[counts.argmax()].astype(np.float64)
    elif dataset.classes:
        codes = targets[rows][targets[rows] != IGNORED].astype(np.int64)
        counts = np.bincount(codes, minlength=dataset.outputs)
        guess = np.log(np.maximum(counts, 1e-9) / len(codes))
    elif dataset.naive is not None:
        guess = dataset.naive[test].astype(np.float64)
    else:
        guess = targets[rows].astype(np.float64).mean(axis=0)
    truth = torch.from_numpy(targets[test])
    places = () if dataset.task == "translation" else dataset.places
    outputs = torch.from_numpy(guess).expand(len(test), *places, -1)
    users = torch.from_numpy(dataset.features[test, 0]) if dataset.layout == "ids" else None
    score = float(metric.score(outputs, truth, torch.ones(len(test), dtype=torch.bool), users))
    return score if math.isfinite(score) else None
