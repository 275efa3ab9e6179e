"""The data of lanes: one tensor for all, gathered by row number and prepared with each lane's statistics."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from tuner.data.dataset import Dataset
from tuner.data.inputs import Tokens
from tuner.data.preprocess import fit
from tuner.metrics.parts.sums import IGNORED
from tuner.models.layers import Shapes
from tuner.training.lanes import Lane
from tuner.training.losses import TINY, by_row, label_mask
from tuner.training.settings import TrainingSettings

Inputs = tuple[Tensor, ...]


class DatasetTensors:
    """A dataset as tensors on one device, shared by all stacks on that device."""

    def __init__(self, dataset: Dataset, device: torch.device) -> None:
        self.dataset, self.device = dataset, device
        self.features = torch.from_numpy(dataset.features).to(device)
        exact = torch.device("cpu") if device.type == "mps" else device  # which has no float64
        self.targets = torch.from_numpy(dataset.targets).to(device if dataset.classes else exact)
        extra_inputs = (dataset.lengths, None if dataset.side is None else dataset.side.values)
        self.extra_inputs = [torch.from_numpy(a).to(device) for a in extra_inputs if a is not None]
        weights = dataset.training_weights
        self.weights = None if weights is None else torch.from_numpy(weights.astype(np.float64)).to(exact)
        self.missing = bool(np.isnan(dataset.numbers.values).any())

    def read_as(self, settings: TrainingSettings) -> DatasetTensors:
        """The same rows with the text length and vocabulary size of a configuration; the arrays are not copied."""
        if (settings.max_length, settings.vocabulary_size) == (None, None):
            return self
        read = copy.copy(self)
        read.dataset = as_read(self.dataset, settings)
        read.features = self.features[:, : settings.max_length]
        if self.dataset.lengths is not None and settings.max_length is not None:
            read.extra_inputs = [self.extra_inputs[0].clamp(max=settings.max_length), *self.extra_inputs[1:]]
        return read

    @property
    def shapes(self) -> Shapes:
        """The shapes that a model is built for."""
        return shapes_of(self.dataset)

    @property
    def row_size(self) -> int:
        """The size of a row, in units of four bytes."""
        return sum(each[0].numel() * each.element_size() // 4 for each in (self.features, *self.extra_inputs))

    @property
    def answers(self) -> int:
        """How many numbers a model predicts for one row."""
        return self.dataset.outputs * int(np.prod(self.dataset.positions))


def as_read(dataset: Dataset, settings: TrainingSettings) -> Dataset:
    """The data with texts cut at the maximum length, and with the vocabulary size, of a configuration."""
    if not isinstance(dataset.inputs, Tokens):
        return dataset
    return replace(dataset, inputs=dataset.inputs.read_as(settings.max_length, settings.vocabulary_size))


def shapes_of(dataset: Dataset) -> Shapes:
    """The shapes that a model of this data is built for."""
    side = 0 if dataset.side is None else dataset.side.values.shape[1]
    return Shapes(
        dataset.features.shape[1:], dataset.outputs, dataset.sizes, dataset.positions, side, dataset.task == "language"
    )  # fmt: skip


class LaneData:
    """Gathers batches for K lanes; `rows` are row numbers (…, K, B)."""

    def __init__(self, tensors: DatasetTensors, lanes: Sequence[Lane], class_weight: str = "none") -> None:
        self._tensors, self.row_weights = tensors, tensors.weights
        self._class_weight = _balance(tensors, lanes) if class_weight == "balanced" else None
        fitted = [fit(tensors.dataset, lane.train) for lane in lanes]
        stacked = {
            name: torch.from_numpy(np.stack([getattr(p, name) for p in fitted])).to(tensors.device)
            for name in ("fill", "shift", "scale", "codes")
        }
        by_row = [stacked[name][:, None] for name in ("fill", "shift", "scale")]  # (K, 1, D) or (K, 1, C, 1, 1)
        if tensors.dataset.layout == "sequence":
            by_row = [s[:, :, None] for s in by_row]  # (K, 1, 1, D)
        self._fill, self._shift, self._scale = by_row
        self._target_shift, self._target_scale = (
            torch.from_numpy(np.stack(each)[:, None]).to(tensors.targets.device)  # (K, 1, M)
            for each in ([p.target_shift for p in fitted], [p.target_scale for p in fitted])
        )
        self._codes = stacked["codes"]  # (K, F, V)
        self._normaliser = _normaliser(tensors, lanes, self._class_weight)  # (K, 1)

    def select(self, lanes: Tensor) -> LaneData:
        """The data of a selection of the lanes."""
        chosen = copy.copy(self)
        for name in ("_fill", "_shift", "_scale", "_target_shift", "_target_scale", "_codes", "_normaliser"):
            statistic = getattr(self, name)
            setattr(chosen, name, statistic[lanes.to(statistic.device)])
        if self._class_weight is not None:
            chosen._class_weight = self._class_weight[lanes]
        return chosen

    def shares(self, targets: Tensor, weights: Tensor, row_weights: Tensor) -> tuple[Tensor, Tensor | None]:
        """The weights of a batch's losses in its mean loss.

        Args:
            targets: codes (K, B, *positions) or numbers (K, B, M).
            weights: (K, B), weights of a mean over rows; 0 for padding, sum 1 per lane.
            row_weights: (K, B), sample weights, from `weights_of`.

        Returns:
            row_shares: (K, B), the factor of each row's mean loss.
            position_weights: (K, B, *positions), for `by_row`; None without positions and class weights.

        The sum is divided by the number of labelled positions, not by their weights: those have mean 1 over the epoch.
        """
        mask, counted = label_mask(targets), weights
        if mask is not None:
            counted = weights * mask.flatten(2).sum(dim=2)
        shares = counted if mask is None else counted / counted.sum(dim=1, keepdim=True).clamp(min=TINY)
        if self._class_weight is not None:
            of_class = self._class_weight.gather(1, targets.clamp(min=0).flatten(1)).view_as(targets)
            positions = of_class if mask is None else mask * of_class
            mean = positions if mask is None else by_row(of_class, mask)
            shares, mask = shares * mean, positions
        return shares * row_weights, mask

    def weights_of(self, rows: Tensor) -> Tensor:
        """Weights (…, K, B) of rows in training, scaled to a mean of 1 over the labelled positions of each lane."""
        if self.row_weights is None:
            return self._normaliser.float().to(rows.device).expand(rows.shape)
        return (_taken(self.row_weights, rows) * self._normaliser).float().to(rows.device)

    def inputs(self, rows: Tensor) -> Inputs:
        """Prepared features (…, K, B, *row shape); lengths or side numbers beside them."""
        tensors, dataset = self._tensors, self._tensors.dataset
        x, *extra_inputs = (_taken(each, rows) for each in (tensors.features, *tensors.extra_inputs))
        if not dataset.vocabularies:
            return (zero_padded_steps(self._prepared(x), *extra_inputs), *extra_inputs)
        lanes = torch.arange(len(self._codes), device=x.device)[:, None, None]
        columns = torch.arange(self._codes.shape[1], device=x.device)
        known = self._codes[lanes, columns, x]
        return (known, *(self._prepared(each) if each.is_floating_point() else each for each in extra_inputs))

    def _prepared(self, x: Tensor) -> Tensor:
        if self._tensors.missing:
            x = torch.where(x.isnan(), self._fill, x)
        return (x - self._shift).mul_(self._scale)

    def labels(self, rows: Tensor) -> Tensor:
        """Targets in their own units: codes (…, K, B, *positions) or float64 numbers (…, K, B, M)."""
        return _taken(self._tensors.targets, rows)

    def score_weights(self, rows: Tensor, counts: Tensor) -> Tensor:
        """How much each row (K, V) counts in a score, in float64 on the CPU: 0 where it is padding."""
        weights = self._tensors.dataset.score_weights
        each = 1.0 if weights is None else _taken(torch.from_numpy(weights), rows.cpu()).double()
        return counts.cpu().double() * each

    def targets(self, rows: Tensor) -> Tensor:
        """Targets for the loss: class codes, or float32 numbers scaled as each lane's training rows are."""
        labels = self.labels(rows)
        if self._tensors.dataset.classes:
            return labels
        return ((labels - self._target_shift) * self._target_scale).float().to(self._tensors.device)

    def inverse_transform(self, outputs: Tensor) -> Tensor:
        """A model's outputs (K, B, M) as float64 in the target's own units; logits stay as they are."""
        if self._tensors.dataset.classes:
            return outputs
        return outputs.to(self._target_scale.device).double() / self._target_scale + self._target_shift


def _taken(values: Tensor, rows: Tensor) -> Tensor:
    """The rows (…, K, B) of a table, on the table's device."""
    return values.index_select(0, rows.flatten().to(values.device)).view(*rows.shape, *values.shape[1:])


def zero_padded_steps(x: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Sequences (…, T, D) with every step after the last one set to 0."""
    if lengths is None:
        return x
    return x * (torch.arange(x.shape[-2], device=x.device) < lengths[..., None])[..., None]


def _normaliser(tensors: DatasetTensors, lanes: Sequence[Lane], class_weight: Tensor | None) -> Tensor:
    """Labelled positions of each lane's training rows, divided by the sum of their weights (K, 1)."""
    found = np.ones((len(lanes), 1))
    for index, lane in enumerate(lanes if class_weight is not None or tensors.weights is not None else ()):
        targets, weights = tensors.dataset.targets[lane.train], np.ones(len(lane.train))
        if tensors.weights is not None:
            weights = tensors.weights[torch.from_numpy(lane.train).to(tensors.weights.device)].cpu().numpy()
        positions = np.ones(targets.shape if tensors.dataset.classes else (len(targets), 1))
        if tensors.dataset.classes:
            positions *= targets != IGNORED
        counted = positions.sum()
        if class_weight is not None:
            positions = positions * class_weight[index].cpu().double().numpy()[np.maximum(targets, 0)]
        found[index] = counted / (positions.reshape(len(weights), -1).sum(axis=1) @ weights)
    return torch.from_numpy(found).to(tensors.device if tensors.weights is None else tensors.weights.device)


def _balance(tensors: DatasetTensors, lanes: Sequence[Lane]) -> Tensor:
    """rows / (classes · rows of the class) in each lane's training rows (K, C), as scikit-learn's "balanced"."""
    classes = tensors.dataset.outputs
    labelled = [codes[codes != IGNORED] for codes in (tensors.dataset.targets[lane.train] for lane in lanes)]
    counts = np.stack([np.bincount(codes, minlength=classes) for codes in labelled])
    weight = counts.sum(axis=1, keepdims=True) / (classes * np.maximum(counts, 1))
    return torch.from_numpy(weight.astype(np.float32)).to(tensors.device)
