"""Early stopping as a rule about curves: which epoch counts, and which lanes are still worth training."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def progress(
    scores: NDArray[np.float64], patience: int | None, maximize: bool
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The best epoch of each validation curve, and whether it may continue (Prechelt 1998).

    Args:
        scores: (…, E), validation scores so far; NaN after a curve has ended.
        patience: epochs without improvement after which a curve ends; None: no early stopping.
        maximize: whether a higher score is better.

    Returns:
        best: (…), the first epoch with the best score, counted from 1; without `patience`, the last epoch.
        going: (…), whether the curve has patience left.
    """
    epochs = scores.shape[-1]
    if patience is None:
        return np.full(scores.shape[:-1], epochs), np.ones(scores.shape[:-1], dtype=bool)
    worst = -np.inf if maximize else np.inf
    known = np.where(np.isnan(scores), worst, scores)
    best = (known.argmax(axis=-1) if maximize else known.argmin(axis=-1)) + 1
    return best, epochs - best < patience
