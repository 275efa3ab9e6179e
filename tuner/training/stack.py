"""A stack: K lanes of one configuration trained in lockstep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from tuner.models.layers import Lanes, Shapes
from tuner.training.lane_data import LaneData, Table
from tuner.training.lanes import Batches, Lane
from tuner.training.losses import BY_TASK
from tuner.training.metrics import Metric
from tuner.training.settings import TrainingSettings

Build = Callable[[Shapes, Lanes], nn.Module]
GATHER_AT_ONCE = 2**22  # numbers: several batches are gathered in one call, as long as they stay in the cache
EVALUATE_AT_ONCE = 2**22


@dataclass(frozen=True)
class Recipe:
    """How one configuration is trained and scored; the same for every stack of a trial."""

    build: Build
    settings: TrainingSettings
    metric: Metric


class Stack:
    """K models, their optimizer and their data; moved on one epoch at a time."""

    def __init__(self, recipe: Recipe, lanes: Sequence[Lane], table: Table) -> None:
        self._metric, self._loss = recipe.metric, BY_TASK[table.dataset.task]
        random = Lanes(tuple(lane.seed for lane in lanes), table.device)
        shapes = Shapes(tuple(table.features.shape[1:]), table.dataset.outputs)
        self.model = recipe.build(shapes, random).to(table.device)
        settings = recipe.settings
        self._optimizer = settings.optimizer.build(self.model.parameters(), settings.weight_decay)
        self._batches = Batches(lanes, settings.batch_size, table.device)
        self._data = LaneData(table, lanes)
        self._sets, self._mask = _padded_sets(lanes, table.device)
        self._best: list[Tensor] = []

    def train_epoch(self) -> Tensor:
        """One pass over every lane's training rows; the mean training loss of each lane (K,)."""
        self.model.train()
        rows = self._batches.epoch()
        total = rows.new_zeros(rows.shape[1], dtype=torch.float32)
        row_size = self._data.features(rows[:1, :, :1])[0, 0].numel()
        at_once = max(1, GATHER_AT_ONCE // (rows[0].numel() * row_size))
        for start in range(0, len(rows), at_once):
            chunk = rows[start : start + at_once]
            features, targets = self._data.features(chunk), self._data.targets(chunk)
            for step, (x, y) in enumerate(zip(features, targets, strict=True), start):
                total += self._step(x, y, self._batches.weights[step]) * self._batches.shares[step]
        return total

    def _step(self, x: Tensor, y: Tensor, weights: Tensor) -> Tensor:
        losses = self._loss(self.model(x), y, weights)
        self._optimizer.zero_grad()
        losses.sum().backward()  # type: ignore[no-untyped-call]  # lanes share no weight, so each gets the gradient of its own loss
        self._optimizer.step()
        return losses.detach()

    @torch.no_grad()
    def evaluate(self) -> tuple[Tensor, Tensor]:
        """Loss and score (K, S) of each lane on each of its row sets."""
        self.model.eval()
        lanes, sets, size = self._sets.shape
        rows = self._sets.view(lanes, sets * size)
        outputs, losses = [], []
        row_size = self._data.features(rows[:, :1])[0].numel()
        for chunk in torch.split(rows, max(1, EVALUATE_AT_ONCE // (lanes * row_size)), dim=1):
            out = self.model(self._data.features(chunk))
            flat = (lanes * chunk.shape[1], 1)
            losses.append(self._loss(out.flatten(0, 1)[:, None], self._data.targets(chunk).flatten(0, 1)[:, None],
                                     out.new_ones(flat)).view(lanes, -1))  # fmt: skip
            outputs.append(self._data.in_units(out))
        loss = torch.cat(losses, dim=1).view(lanes, sets, size) * self._mask
        labels = self._data.labels(rows)
        score = self._metric.function(
            torch.cat(outputs, dim=1).view(lanes, sets, size, -1).cpu(),
            labels.view(lanes, sets, size, *labels.shape[2:]).cpu(),
            self._mask.cpu(),
        )
        return (loss.sum(-1) / self._mask.sum(-1)).cpu(), score

    @torch.no_grad()
    def keep(self, better: Tensor) -> None:
        """Keep the weights of the lanes in `better` (K,) as their best so far."""
        if not self._best:
            self._best = [p.detach().clone() for p in self.model.parameters()]
        better = better.to(self._sets.device)
        for best, now in zip(self._best, self.model.parameters(), strict=True):
            torch.where(better.view(-1, *[1] * (now.ndim - 1)), now, best, out=best)

    @torch.no_grad()
    def restore(self) -> None:
        """Put back each lane's best weights."""
        for best, now in zip(self._best, self.model.parameters(), strict=False):
            now.copy_(best)

    def parameter_count(self) -> int:
        """Weights and biases of one lane."""
        return sum(p[0].numel() for p in self.model.parameters())


def _padded_sets(lanes: Sequence[Lane], device: torch.device) -> tuple[Tensor, Tensor]:
    """Row numbers (K, S, V) and where they count; a shorter set is padded with a row that does not."""
    size = max(len(rows) for lane in lanes for rows in lane.evaluations)
    shape = (len(lanes), len(lanes[0].evaluations), size)
    padded, mask = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=bool)
    for k, lane in enumerate(lanes):
        for s, rows in enumerate(lane.evaluations):
            padded[k, s, : len(rows)] = rows
            mask[k, s, : len(rows)] = True
    return torch.from_numpy(padded).to(device), torch.from_numpy(mask).to(device)
