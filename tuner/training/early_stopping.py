"""Early stopping as a rule about curves: which epoch counts, and which lanes are still worth training."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def progress(
    scores: NDArray[np.float64], patience: int | None, maximize: bool
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(epoch that counts, from 1; whether to go on) for curves (…, E) so far; after its end, a curve is NaN.

    With `patience`, the first epoch with the best score counts, and a curve ends when that lies `patience` epochs
    back (Prechelt 1998). Without, the last epoch counts: the number of epochs is then what was asked for.
    """
    epochs = scores.shape[-1]
    if patience is None:
        return np.full(scores.shape[:-1], epochs), np.ones(scores.shape[:-1], dtype=bool)
    worst = -np.inf if maximize else np.inf
    known = np.where(np.isnan(scores), worst, scores)
    best = (known.argmax(axis=-1) if maximize else known.argmin(axis=-1)) + 1
    return best, epochs - best < patience
