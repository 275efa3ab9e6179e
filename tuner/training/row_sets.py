"""The row sets that lanes are evaluated on, cut into pieces whose size depends on the set alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tuner.data.inputs import Rows
from tuner.training.lanes import BatchPlan, Lane, batch_plan

PIECE_NUMBERS = 2**18  # of one lane, in one forward pass


@dataclass(frozen=True, eq=False)
class RowSet:
    """One evaluation set of every lane, padded to a common length.

    Attributes:
        rows: (K, V), row numbers; padding repeats the set's first row.
        counts: bool (K, V), False for padding.
        width: rows per forward pass.
    """

    rows: Tensor
    counts: Tensor
    width: int

    def select(self, lanes: Tensor) -> RowSet:
        """The row set of a selection of the lanes."""
        return RowSet(self.rows[lanes], self.counts[lanes], self.width)


def widths(lane: Lane, row_size: int) -> tuple[int, ...]:
    """Rows of one forward pass over each of a lane's row sets.

    BLAS and torch choose a product's kernel, and so its rounding, by the number of rows. So a set is always taken in
    pieces of one size: then its scores are the same, to the bit, whatever stack evaluates it.
    """
    return tuple(_width(len(rows), row_size) for rows in lane.evaluations)


def _width(rows: int, row_size: int) -> int:
    return 1024 if rows > 2048 and 1024 * row_size <= PIECE_NUMBERS else 256 if rows > 192 else 64


def stacks_of(lanes: Sequence[Lane], batch_size: int | str, row_size: int) -> list[list[int]]:
    """Groups of lanes, by position, that can train in lockstep: their batches and pieces of row sets match."""
    groups: dict[tuple[BatchPlan, tuple[int, ...]], list[int]] = {}
    for position, lane in enumerate(lanes):
        key = (batch_plan(len(lane.train), batch_size), widths(lane, row_size))
        groups.setdefault(key, []).append(position)
    return list(groups.values())


def row_sets(lanes: Sequence[Lane], row_size: int, device: torch.device) -> tuple[RowSet, ...]:
    """The row sets of lanes that have the same widths."""
    by_set = zip(*(lane.evaluations for lane in lanes), strict=True)
    return tuple(row_set(rows, width, device) for rows, width in zip(by_set, widths(lanes[0], row_size), strict=True))


def row_set(sets: Sequence[Rows], width: int, device: torch.device) -> RowSet:
    """Pad each set to a multiple of `width` by repeating its first row, so that a lane never sees rows of another lane;
    padding is masked out."""
    size = math.ceil(max(map(len, sets)) / width) * width
    rows = np.stack([np.append(own, np.repeat(own[:1], size - len(own))) for own in sets])
    valid = np.arange(size) < np.array([[len(own)] for own in sets])
    return RowSet(torch.from_numpy(rows).to(device), torch.from_numpy(valid).to(device), width)
