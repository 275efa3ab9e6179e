"""Scores of an order: how well the rows that matter stand above the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def auc(positive: NDArray[np.bool_], score: Floats) -> float | None:
    """Area under the ROC curve: the chance that a positive row scores above a negative one (Mann & Whitney 1947)."""
    few, many = int(positive.sum()), int((~positive).sum())
    if not few or not many:
        return None
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]  # of equals, their mean
    return float((ranks[positive].sum() - few * (few + 1) / 2) / (few * many))


def ndcg(gains: Floats, score: Floats, k: int) -> float | None:
    """Normalised discounted cumulative gain of the k rows that score highest (Järvelin & Kekäläinen 2002).

    None where no row has a gain. Of equal scores the first row comes first."""
    discounts = 1 / np.log2(np.arange(2, min(k, len(gains)) + 2))
    best = np.sort(gains)[::-1][:k] @ discounts
    return float(gains[np.argsort(-score, kind="stable")[:k]] @ discounts / best) if best > 0 else None


def recall(wanted: NDArray[np.bool_], score: Floats, k: int) -> float | None:
    """Share of the wanted rows that are among the k that score highest; None where none is wanted."""
    if not wanted.any():
        return None
    return float(wanted[np.argsort(-score, kind="stable")[:k]].sum() / min(k, wanted.sum()))
