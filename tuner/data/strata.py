"""Strata for stratified splits: rows of the same class, or with the same combination of labels."""

from __future__ import annotations

import numpy as np

from tuner.data.dataset import Dataset
from tuner.data.inputs import Rows

STRATIFIED = ("classification", "multilabel")  # tasks that have strata


def strata(dataset: Dataset, rows: Rows, folds: int) -> Rows:
    """The stratum (n,) of each of the `rows`: its class code, or its combination of labels.

    Combinations that fewer than `folds` rows have cannot be in every fold: they are one stratum together, or join the
    commonest where even so they are too few."""
    targets = dataset.targets[rows]
    if dataset.task == "classification":
        return targets.astype(np.int64)
    _, codes, counts = np.unique(targets, axis=0, return_inverse=True, return_counts=True)
    rare = counts < folds
    together = -1 if counts[rare].sum() >= folds else int(counts.argmax())
    return np.where(rare[codes.ravel()], together, codes.ravel()).astype(np.int64)
