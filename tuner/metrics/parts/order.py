"""Scores of an order: how well the rows that matter stand above the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tuner.metrics.parts.sums import Floats


def auc(positive: NDArray[np.bool_], score: Floats, weights: Floats | None = None) -> float | None:
    """Area under the ROC curve: the chance that a positive row scores above a negative one, rows drawn by weight (Mann
    & Whitney 1947). None where all rows are positive, or none is."""
    ups, downs = _at_each_score(positive, score, weights)
    if not ups.any() or not downs.any():
        return None
    below = np.cumsum(downs) - downs / 2  # of equals, half
    return float(ups @ below / (ups.sum() * downs.sum()))


def average_precision(positive: NDArray[np.bool_], score: Floats, weights: Floats | None = None) -> float | None:
    """Σ (R_i − R_{i−1}) · P_i over the distinct scores from the highest down, of recall R and precision P at each. None
    where all rows are positive, or none is."""
    ups, downs = (each[::-1] for each in _at_each_score(positive, score, weights))
    if not ups.any() or not downs.any():
        return None
    hits = np.cumsum(ups)
    return float(ups @ (hits / (hits + np.cumsum(downs))) / ups.sum())


def _at_each_score(positive: NDArray[np.bool_], score: Floats, weights: Floats | None) -> tuple[Floats, Floats]:
    """The weight of the positive rows, and that of the others, at each distinct score from the lowest up."""
    _, index = np.unique(score, return_inverse=True)
    weights = np.ones(len(score)) if weights is None else weights
    size = int(index.max(initial=-1)) + 1
    ups, downs = (np.bincount(index[own], weights[own], size) for own in (positive, ~positive))
    return ups.astype(np.float64), downs.astype(np.float64)


def rank_correlation(first: Floats, second: Floats, weights: Floats) -> float | None:
    """Spearman's: Pearson's correlation of the ranks, of equals their mean rank; a row of weight 2 is two rows. 0 where
    `second` orders nothing, None where `first` does not."""
    ranks = [_ranks(each, weights) for each in (first, second)]
    a, b = (each - np.average(each, weights=weights) for each in ranks)
    spreads = [float(weights @ each**2) for each in (a, b)]
    if np.ptp(first) == 0:
        return None
    return float(weights @ (a * b) / np.sqrt(spreads[0] * spreads[1])) if np.ptp(second) > 0 else 0.0


def _ranks(values: Floats, weights: Floats) -> Floats:
    _, index = np.unique(values, return_inverse=True)
    together = np.bincount(index, weights)
    return np.asarray((np.cumsum(together) - together / 2)[index])


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
    _, index, counts = np.unique(-score, return_inverse=True, return_counts=True)
    return np.repeat(np.bincount(index, values) / counts, counts)
