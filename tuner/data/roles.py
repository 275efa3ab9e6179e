"""What is known of each row beside what a model reads and answers: how it may be cut, and how much it counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

WeightsFor = Literal["both", "training", "scores"]
NEVER_TESTED = -1  # in a split: the row trains in every outer fold


@dataclass(frozen=True, eq=False)
class Roles:
    """The roles of N rows.

    Attributes:
        groups: (N,), rows with the same number stay together in a fold.
        order: (N,), the time of each row.
        until: (N,), the time when all targets of a row are known, where that is later: the last step of a forecast.
        split: (N,), which outer fold tests a row, from 0 up, or `NEVER_TESTED`.
        weights: (N,), how much a row counts, in training, in scores or in both, as `weights_for` says.
    """

    groups: NDArray[np.int64] | None = None
    order: NDArray[np.float64] | None = None
    until: NDArray[np.float64] | None = None
    split: NDArray[np.int64] | None = None
    weights: NDArray[np.float64] | None = None
    weights_for: WeightsFor = "both"
