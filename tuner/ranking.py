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

    Equal scores share their places, as scikit-learn has it (McSherry & Najork 2008). None where no row has a gain."""
    discounts = 1 / np.log2(np.arange(2, len(gains) + 2))
    discounts[k:] = 0.0
    best = np.sort(gains)[::-1] @ discounts
    return float(_shared(gains, score) @ discounts / best) if best > 0 else None


def recall(wanted: NDArray[np.bool_], score: Floats, k: int) -> float | None:
    """Share of the wanted rows that are among the k that score highest; equal scores share their places. None where
    none is wanted."""
    return float(_shared(wanted.astype(float), score)[:k].sum() / wanted.sum()) if wanted.any() else None


def _shared(values: Floats, score: Floats) -> Floats:
    """The values in the order of falling score; among equal scores, their mean."""
    _, place, counts = np.unique(-score, return_inverse=True, return_counts=True)
    return np.repeat(np.bincount(place, values) / counts, counts)
