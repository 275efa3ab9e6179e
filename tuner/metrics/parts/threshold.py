"""The decision threshold of two classes: chosen on validation rows, for metrics that score the predicted class.

A threshold is kept as log-odds: the second class is predicted where its logit exceeds the first one's by more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tuner.metrics.parts.metric import Metric
from tuner.metrics.parts.sums import Array, Floats

DEFAULT = 0.0  # the class of the higher probability
EQUAL = 1e-12  # scores this near are the same: sums in another order round otherwise


class Tuned(NamedTuple):
    """A threshold, and the score of each fold there."""

    threshold: float
    scores: list[float]


def tuned(folds: Sequence[tuple[Array, Array, Floats]], metric: Metric) -> Tuned:
    """Choose the decision threshold with the best mean score over folds.

    Every decision that the rows allow is tried, with a threshold in the middle between two neighbouring margins.

    Args:
        folds: per fold, logits (V, 2), codes (V,) and weights (V,).
        metric: must score predicted classes (`metric.counted`).

    Returns:
        the threshold in log-odds, and the score of each fold; of ties, the threshold nearest to 0.
    """
    margins = [(logits[:, 1] - logits[:, 0]).astype(np.float64) for logits, _, _ in folds]
    known = np.unique(np.concatenate(margins))
    candidates = np.append(DEFAULT, (known[1:] + known[:-1]) / 2)
    of_folds = [
        _scores(margin, codes, weights, candidates, metric)
        for margin, (_, codes, weights) in zip(margins, folds, strict=True)
    ]
    scores = np.stack(of_folds, axis=1)  # (candidates, folds)
    means = scores.mean(axis=1) * (1 if metric.maximize else -1)
    best = np.flatnonzero(means >= np.nanmax(means) - EQUAL)
    chosen = best[np.abs(candidates[best]).argmin()]
    return Tuned(float(candidates[chosen]), scores[chosen].tolist())


def decided(logits: Array, threshold: float | None) -> Array:
    """Logits (…, 2) moved so that the higher one is the class predicted at the threshold; as they are without one."""
    return logits if threshold is None else logits.astype(np.float64) - np.array([0.0, threshold])


def _scores(margin: Floats, codes: Array, weights: Floats, candidates: Floats, metric: Metric) -> Floats:
    """The scores of one fold at every candidate, from the weights of the rows above it: both classes' hits follow."""
    assert metric.counted is not None
    order = np.argsort(margin, kind="stable")
    places = np.searchsorted(margin[order], candidates, side="right")  # rows up to here get the first class
    below = [np.append(0.0, np.cumsum(np.where(codes[order] == c, weights[order], 0.0)))[places] for c in (0, 1)]
    totals = [float(weights[codes == c].sum()) for c in (0, 1)]
    correct = np.stack([below[0], totals[1] - below[1]], axis=1)
    first = below[0] + below[1]
    predicted = np.stack([first, sum(totals) - first], axis=1)
    true = np.broadcast_to(totals, correct.shape).copy()
    with np.errstate(all="ignore"):
        return metric.counted(correct, predicted, true)
