"""A lane as a value; how lanes are shuffled and cut into batches, and which of them can share a stack."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tuner.data.dataset import disjoint
from tuner.data.inputs import Rows
from tuner.models.layers.lanes import chosen
from tuner.seeds import seed_of

# torch's elementwise kernels process two vectors (16 numbers with AVX2) at a time and round sigmoid, swish, mish and
# elu differently in the remainder. Whole vectors per lane leave no remainder, so results do not depend on a lane's
# position
WHOLE = 16


@dataclass(frozen=True, eq=False)
class Lane:
    """One independent training: its training rows, the row sets that it is evaluated on, and its seed.

    `score_training_rows`: a last row set is the training rows themselves, to measure overfitting."""

    train: Rows
    held_out: tuple[Rows, ...]
    seed: int
    score_training_rows: bool = False

    @property
    def evaluations(self) -> tuple[Rows, ...]:
        """Every row set that it is evaluated on."""
        return (*self.held_out, self.train) if self.score_training_rows else self.held_out

    def check(self) -> None:
        """Raise if a training row is evaluated; the row sets of several chains may overlap."""
        for rows in self.held_out:
            disjoint(self.train, rows)


@dataclass(frozen=True)
class BatchPlan:
    """A lane's epoch: `steps` batches of at most `width` rows. Depends on that lane alone."""

    steps: int
    width: int


def batch_plan(rows: int, batch_size: int | str) -> BatchPlan:
    """Nearly equal batches, like `numpy.array_split`: every row once, no tiny last batch.

    The width is a multiple of `WHOLE`, so that folds which differ by a row share a stack, and that no lane ends within
    a vector.
    """
    size = rows if batch_size == "full" else min(int(batch_size), rows)
    steps = math.ceil(rows / size)
    return BatchPlan(steps, math.ceil(math.ceil(rows / steps) / WHOLE) * WHOLE)


def padded_to_pair(lanes: list[int]) -> list[int]:
    """The lanes; a single lane is listed twice, because BLAS rounds one matrix product differently from a batch of
    products.

    The duplicate makes a refit bit-identical to the same training in any other stack. It costs a fifth of a step where
    lanes share calls (mlp), and a second training where they do not (lstm).
    """
    return lanes * 2 if len(lanes) == 1 else lanes


class Batches:
    """The shuffled batches of K lanes with one batch plan, epoch after epoch."""

    def __init__(self, lanes: Sequence[Lane], batch_size: int | str, device: torch.device) -> None:
        plan = batch_plan(len(lanes[0].train), batch_size)
        self.steps, self.width, self.device = plan.steps, plan.width, device
        self._rows = [torch.from_numpy(lane.train) for lane in lanes]
        self._generators = [torch.Generator().manual_seed(seed_of(lane.seed, "order")) for lane in lanes]
        slots = [_slots(len(lane.train), plan) for lane in lanes]
        self._slots = [torch.from_numpy(slot) for slot, _ in slots]
        counts = torch.from_numpy(np.stack([used for _, used in slots], axis=1))  # (S, K, B), 1 for a real row
        sizes = counts.sum(dim=2, keepdim=True)
        self.weights = (counts / sizes).to(device)  # (S, K, B): a batch's loss is the mean over its rows
        self.shares = (sizes[:, :, 0] / sizes.sum(dim=0).T).to(device)  # (S, K): a batch's share of its epoch

    def select(self, index: Tensor) -> None:
        """Keep only these lanes."""
        lanes = index.tolist()
        self._rows = [self._rows[i] for i in lanes]
        self._generators = chosen(self._generators, lanes)
        self._slots = [self._slots[i] for i in lanes]
        here = index.to(self.device)
        self.weights, self.shares = self.weights[:, here], self.shares[:, here]

    def epoch(self) -> Tensor:
        """Row numbers (S, K, B), shuffled by each lane's own generator; padding repeats a row with weight 0."""
        orders = [
            rows[torch.randperm(len(rows), generator=g)][slots]
            for rows, g, slots in zip(self._rows, self._generators, self._slots, strict=True)
        ]
        return torch.stack(orders, dim=1).to(self.device)


def _slots(rows: int, plan: BatchPlan) -> tuple[np.ndarray, np.ndarray]:
    """Positions in the shuffled order (S, B), and 1 where a position is a row of the batch, else 0."""
    positions = np.zeros((plan.steps, plan.width), dtype=np.int64)
    used = np.zeros((plan.steps, plan.width), dtype=np.float32)
    for step, batch in enumerate(np.array_split(np.arange(rows), plan.steps)):
        positions[step, : len(batch)] = batch
        used[step, : len(batch)] = 1.0
    return positions, used
