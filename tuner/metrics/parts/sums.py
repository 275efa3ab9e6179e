"""Weighted sums over places, in one group or in several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

IGNORED = -1  # a class code without a label, which losses and metrics skip; `ignore_index` in PyTorch
Array = NDArray[Any]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sums:
    """The weight of every place (P,), and the group (P,) in which it is summed, one of `groups`; None: all in one."""

    weights: Floats
    groups: int = 1
    group: NDArray[np.intp] | None = None

    def of(self, values: Array) -> Floats:
        """The weighted sums (G, S) of values (P, S); those of places of weight 0 may be anything."""
        weighted = (np.where(self.weights[:, None] > 0, values, 0.0) * self.weights[:, None]).T
        if self.group is None:
            return np.asarray(np.ascontiguousarray(weighted).sum(axis=1)[None])
        columns = [np.bincount(self.group, each, self.groups) for each in weighted]
        return np.stack(columns, axis=1).astype(np.float64)

    def of_mean(self, values: Array) -> Floats:
        """The sums (G, 2) that a mean of values (P,) takes: of the weights, and of the weighted values."""
        return self.of(np.stack([np.ones(len(values)), values], axis=1))

    def of_class(self, codes: NDArray[np.int64], classes: int) -> Floats:
        """The summed weights (G, C) of the places of each class, of codes (P,); a code below 0 is of no class."""
        known = codes >= 0
        cells = codes if self.group is None else self.group * classes + codes
        counts = np.bincount(cells[known], self.weights[known], self.groups * classes)
        return counts.reshape(self.groups, classes).astype(np.float64)
