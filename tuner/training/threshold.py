"""The decision threshold of two classes: chosen on validation rows, for metrics that score the predicted class.

A threshold is kept as log-odds: the second class is predicted where its logit exceeds the first one's by more.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuner.training.metrics import Metric

CANDIDATES = 200  # at most, at equal distances among the margins of the validation rows
DEFAULT = 0.0  # the class of the higher probability


def tuned(folds: Sequence[tuple[Tensor, Tensor, Tensor]], metric: Metric) -> tuple[float, list[float]]:
    """The threshold of the best mean score over folds, each (logits (V, 2), codes (V,), weights (V,)), and the scores
    of the folds there. Of equals, the one nearest to `DEFAULT`.

    Candidates lie in the middle between neighbouring margins: there, no row is near the decision."""
    margins = np.unique(np.concatenate([(logits[:, 1] - logits[:, 0]).double().numpy() for logits, _, _ in folds]))
    between = (margins[1:] + margins[:-1]) / 2
    places = np.unique(np.linspace(0, len(between) - 1, min(CANDIDATES, len(between))).round().astype(int))
    candidates = np.append(DEFAULT, between[places])
    scores = np.stack([_scores(*fold, candidates, metric) for fold in folds], axis=1)  # (candidates, folds)
    means = scores.mean(axis=1) * (1 if metric.maximize else -1)
    best = np.flatnonzero(means >= np.nanmax(means))
    chosen = best[np.abs(candidates[best]).argmin()]
    return float(candidates[chosen]), scores[chosen].tolist()


def decided(logits: Tensor, threshold: float | None) -> Tensor:
    """Logits (…, 2) moved so that the higher one is the class predicted at the threshold; as they are without one."""
    if threshold is None:
        return logits
    return logits.double() - torch.tensor([0.0, threshold], dtype=torch.double)


def _scores(
    logits: Tensor, codes: Tensor, weights: Tensor, candidates: NDArray[np.float64], metric: Metric
) -> NDArray[np.float64]:
    """The scores of one fold at every candidate."""
    moved = torch.stack([decided(logits, threshold) for threshold in candidates.tolist()])
    sets = len(candidates)
    return metric.score(moved, codes.expand(sets, -1), weights.expand(sets, -1)).numpy()
