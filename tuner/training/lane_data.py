"""The data as lanes see it: one tensor for all, gathered by row number, prepared with each lane's own statistics."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import torch
from torch import Tensor

from tuner.data.dataset import Dataset
from tuner.data.preprocess import Preparation, fit
from tuner.training.lanes import Lane


class Table:
    """The dataset as tensors on a device; shared by all stacks there."""

    def __init__(self, dataset: Dataset, device: torch.device) -> None:
        self.dataset, self.device = dataset, device
        self.features = torch.from_numpy(dataset.features).to(device)
        self.targets = torch.from_numpy(dataset.targets).to(device)
        self.missing = bool(np.isnan(dataset.features).any())


class LaneData:
    """Batches of K lanes; `rows` are (…, K, B) row numbers, `row_size` the numbers in a row."""

    def __init__(self, table: Table, lanes: Sequence[Lane], class_weight: str = "none") -> None:
        self._table = table
        self._class_weight = _balance(table, lanes) if class_weight == "balanced" else None
        self.row_size = table.features[0].numel()
        fitted = [fit(table.dataset, lane.train) for lane in lanes]
        stacked = {
            f.name: torch.from_numpy(np.stack([getattr(p, f.name) for p in fitted])).to(table.device)
            for f in fields(Preparation)
        }
        by_row = [stacked[name][:, None] for name in ("fill", "shift", "scale")]  # (K, 1, D) or (K, 1, C, 1, 1)
        if table.dataset.layout == "sequence":
            by_row = [s[:, :, None] for s in by_row]  # (K, 1, 1, D)
        self._fill, self._shift, self._scale = by_row
        self._target_shift = stacked["target_shift"][:, None]  # (K, 1, M)
        self._target_scale = stacked["target_scale"][:, None]

    def select(self, lanes: Tensor) -> LaneData:
        """The same for these lanes only."""
        chosen = copy.copy(self)
        for name in ("_fill", "_shift", "_scale", "_target_shift", "_target_scale"):
            setattr(chosen, name, getattr(self, name)[lanes])
        if self._class_weight is not None:
            chosen._class_weight = self._class_weight[lanes]
        return chosen

    def balanced(self, targets: Tensor, weights: Tensor) -> Tensor:
        """Each lane's row weights (K, B), those of rare classes larger if that is asked for; their sum stays 1."""
        if self._class_weight is None:
            return weights
        larger = weights * self._class_weight.gather(1, targets)
        return larger / larger.sum(dim=1, keepdim=True)

    def features(self, rows: Tensor) -> Tensor:
        """Prepared features (…, K, B, *row shape)."""
        x = self._table.features.index_select(0, rows.flatten()).view(*rows.shape, *self._table.features.shape[1:])
        if self._table.missing:
            x = torch.where(x.isnan(), self._fill, x)
        return (x - self._shift).mul_(self._scale)

    def labels(self, rows: Tensor) -> Tensor:
        """Targets in their own units: codes (…, K, B) or numbers (…, K, B, M)."""
        taken = self._table.targets.index_select(0, rows.flatten())
        return taken.view(*rows.shape, *self._table.targets.shape[1:])

    def targets(self, rows: Tensor) -> Tensor:
        """Targets as the loss wants them: codes, or numbers scaled by each lane's training rows."""
        labels = self.labels(rows)
        if self._table.dataset.task == "classification":
            return labels
        return (labels - self._target_shift) * self._target_scale

    def in_units(self, outputs: Tensor) -> Tensor:
        """A model's outputs (K, B, M) in the target's own units; logits stay as they are."""
        if self._table.dataset.task == "classification":
            return outputs
        return outputs / self._target_scale + self._target_shift


def _balance(table: Table, lanes: Sequence[Lane]) -> Tensor:
    """rows / (classes · rows of the class) in each lane's training rows (K, C), as scikit-learn's "balanced"."""
    classes = table.dataset.outputs
    counts = np.stack([np.bincount(table.dataset.targets[lane.train], minlength=classes) for lane in lanes])
    weight = counts.sum(axis=1, keepdims=True) / (classes * np.maximum(counts, 1))
    return torch.from_numpy(weight.astype(np.float32)).to(table.device)
