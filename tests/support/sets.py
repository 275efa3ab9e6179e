"""Scores of many sets of rows at once, for tests."""

import numpy as np

from tuner.metrics import Metric


def scores(metric: Metric, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray,
           needed: np.ndarray | None = None) -> np.ndarray:  # fmt: skip
    """The score of each set; all arrays have the sets as first dimensions, as the weights (…, V) have."""
    sets = weights.shape[:-1]
    found = [
        metric.score(outputs[place], targets[place], weights[place], None if needed is None else needed[place])
        for place in np.ndindex(*sets)
    ]
    return np.array(found).reshape(sets)
