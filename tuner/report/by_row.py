"""Statistics of the scores of single rows: an interval of the outer score, and a correction of a flat search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from tuner.metrics.parts.metric import OfTotals
from tuner.metrics.parts.sums import Floats
from tuner.report.statistics import Interval

BOOTSTRAPS = 1000
TIMES = 2**22  # rows of all samples that are evaluated in one step
SAME = 1e-9  # relative difference of two mean scores that is only rounding


@dataclass(frozen=True)
class Corrected:
    """The corrected score of a flat search.

    Attributes:
        mean: mean over the bootstrap samples.
        low, high: their 2.5 and 97.5 % quantiles.
        together: the best score of all rows taken together, uncorrected; it differs from the mean over folds if the
            metric is not a mean over rows.
    """

    mean: float
    low: float
    high: float
    together: float


@dataclass(frozen=True, eq=False)
class OuterFoldScores:
    """Input of `bates` from one outer fold: the score (V,) of each test row under the fold's winner, and the score that
    its inner cross-validation predicts."""

    rows: Floats
    promised: float


def best_of(means: Floats, maximize: bool) -> NDArray[np.bool_]:
    """Which of the mean scores (C,) are the best one; several if they are equal.

    Configurations often tie. Taking the first of a ranking would be biased, because the ranking was computed with the
    scores that are to be left out; the mean over all ties is not.
    """
    best = means.max() if maximize else means.min()
    return np.asarray(np.isclose(means, best, rtol=SAME, atol=0.0))


def selection_corrected_score(fold_scores: Sequence[Sequence[float]], maximize: bool) -> float:
    """Expected score of the selected configuration, without selection bias.

    Args:
        fold_scores: (C, folds), the inner-fold scores of C configurations.
        maximize: whether a higher score is better.

    Returns:
        The mean over folds of the score of the configuration that is best on the *other* folds; ties are averaged. With
        one fold, the best score.
    """
    scores = np.asarray(fold_scores, dtype=float)
    folds = scores.shape[1]
    if folds < 2:
        return float(scores.max() if maximize else scores.min())
    others = [np.delete(scores, fold, axis=1).mean(axis=1) for fold in range(folds)]
    return float(np.mean([scores[best_of(others[fold], maximize), fold].mean() for fold in range(folds)]))


def bates(folds: Sequence[OuterFoldScores], parts: int, rows: int, confidence: float = 0.95) -> Interval:
    """Confidence interval of Bates, Hastie & Tibshirani (2023, algorithm 1) for the score on the data at hand.

    Args:
        folds: row scores and expected score of each outer fold, of all repeats.
        parts: number of outer folds per repeat.
        rows: number of rows in the dataset.
        confidence: coverage, 0 … 1.

    Returns:
        The interval; without a half width for a single fold.

    For every outer fold, a = (score predicted by cross-validation on the other rows − mean score of its test rows)² and
    b = variance of these rows' scores / their number; mean(a) − mean(b) estimates the squared error of a
    cross-validation on the rows of `parts` − 1 parts. The standard error is its root times
    √((parts − 1) / parts), kept as in their code between that of independent rows and √`parts` times as much.

    Two deviations from the paper: the predicted score is that of the whole search (`selection_corrected_score`),
    because the procedure is the search; and the centre is the mean outer-test score, without their extrapolation to
    training on all `rows`.
    """
    if len(folds) < 2:
        return Interval(float(folds[0].rows.mean()), None)
    everything = np.concatenate([fold.rows for fold in folds])
    promised = np.array([fold.promised for fold in folds])
    a = (promised - np.array([fold.rows.mean() for fold in folds])) ** 2
    b = np.array([fold.rows.var(ddof=1) / len(fold.rows) for fold in folds])
    root = float(np.sqrt(max(0.0, a.mean() - b.mean()) * (parts - 1) / parts))
    least = float(everything.std(ddof=1) / np.sqrt(rows))
    error = min(max(root, least), least * parts**0.5)
    half = float(ndtri(0.5 + confidence / 2)) * error
    return Interval(float(everything.mean()), half, independent=root <= least)


def bootstrap_corrected(
    totals: Sequence[NDArray[Any]], rows: NDArray[np.int64], of_totals: OfTotals, maximize: bool
) -> Corrected:
    """BBC-CV (Tsamardinos, Greasidou & Borboudakis 2018) of the out-of-fold predictions of all configurations.

    A bootstrap sample of the rows chooses the configuration with the best score on it, and the rows left out score it;
    the result is the mean over samples, with their 2.5 and 97.5 % quantiles. Ties for the best are averaged
    (`best_of`).

    Args:
        totals: the sums (N, S) of the metric for each row, per configuration.
        rows: (N,), equal for rows that are drawn together, such as a row that was validated several times.
        of_totals: the score (…) of sums (…, S).
        maximize: whether a higher score is better.
    """
    _, index = np.unique(rows, return_inverse=True)
    distinct, rng, found = int(index.max()) + 1, np.random.default_rng(0), []
    at_once = max(1, TIMES // len(index))
    for start in range(0, BOOTSTRAPS, at_once):
        draws = [rng.integers(0, distinct, distinct) for _ in range(min(at_once, BOOTSTRAPS - start))]
        times = np.stack([np.bincount(draw, minlength=distinct)[index] for draw in draws]).astype(np.float64)
        times = times[(times == 0).any(axis=1)]  # without samples that leave no row out
        drawn, left = (_scores(each, totals, of_totals) for each in (times, (times == 0).astype(np.float64)))
        for on_drawn, on_left in zip(drawn, left, strict=True):
            known = ~np.isnan(on_drawn) & ~np.isnan(on_left)
            if known.any():
                found.append(on_left[known][best_of(on_drawn[known], maximize)].mean())
    whole = _scores(np.ones((1, len(index))), totals, of_totals)[0]
    together = float(np.nanmax(whole) if maximize else np.nanmin(whole))
    low, high = np.quantile(found, [0.025, 0.975]).tolist()
    return Corrected(float(np.mean(found)), low, high, together)


@np.errstate(all="ignore")  # a sample of one class, or of one row, may have no score
def _scores(times: Floats, totals: Sequence[NDArray[Any]], of_totals: OfTotals) -> Floats:
    """The scores (B, C) of C configurations on B samples, which draw each row so many `times` (B, N)."""
    return np.stack([of_totals(times @ each.astype(np.float64)) for each in totals], axis=1)
