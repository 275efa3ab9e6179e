"""The confusion matrix, and the calibration error of probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tuner.metrics.parts.sums import Array, Floats

BINS = 10  # of confidence


def confusion(true: Array, predicted: Array, weights: Floats | None, classes: int) -> NDArray[np.int64] | Floats:
    """How often each class (P,) was predicted as which, true by predicted (C, C); the sums of weights (P,), if any."""
    counts = np.bincount(true.astype(np.int64) * classes + predicted, weights, classes**2)
    return counts.reshape(classes, classes)


def calibration_errors(right: NDArray[np.bool_], confidence: Floats, weights: Floats) -> Floats:
    """The expected calibration errors (D,) of D models: |accuracy − confidence|, averaged over ten bins of confidence
    (Guo et al. 2017).

    Args:
        right: (D, N), whether each model is right about each row.
        confidence: (N,), the probability that all of them give to the class that they predict.
        weights: (N,), how much each row counts.
    """
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    members = (bins[:, None] == np.arange(BINS)) * weights[:, None]
    gaps = np.abs(right @ members - confidence @ members)
    return np.asarray(gaps.sum(axis=1) / weights.sum())
