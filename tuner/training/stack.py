"""A stack: K lanes of one configuration, trained in lockstep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tuner.models.layers import Decoder, Dropout, HasLaneState, Lanes, ReadsWholeBatch
from tuner.models.layers.dropout import MASKS_AT_ONCE
from tuner.models.layers.groups import groups_of
from tuner.training.augmentation import Augmentation
from tuner.training.constant_baseline import constant_baseline_losses
from tuner.training.flat import FlatWeights
from tuner.training.group_rates import GroupRates
from tuner.training.lane_data import DatasetTensors, Inputs, LaneData
from tuner.training.lanes import Batches, Lane, padded_to_pair
from tuner.training.layer_monitor import Floats, LayerMonitor
from tuner.training.losses import ReadsBatch, by_row, label_mask, prepare_loss
from tuner.training.penalties import add_l1, clip_norm, clip_value
from tuner.training.recipe import Recipe
from tuner.training.row_sets import RowSet, row_sets
from tuner.training.schedules import LearningRateSchedule
from tuner.training.scorer import Scorer, scorers

GATHER_AT_ONCE = 2**22  # numbers: several batches are gathered in one call, as long as they stay in the cache
SHRINK_THRESHOLD = 0.75
PROBED = 8  # rows of the forward pass that measures how much memory a model keeps for the backward pass
FLOAT = 4  # bytes
INDEX = 40  # bytes per row of a batch: its number four times over while it is shuffled, its weight
SCORED = 8  # numbers held per output of a scored row: outputs, their concatenation, their float64 copy, probabilities
PEAK = 3  # peak memory of a step relative to what its forward pass keeps: gradients and temporaries come on top


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The evaluation of K lanes on their S row sets: `loss` and `score` (K, S); for each set the padded `outputs` (K,
    V, …); and `dead` (K, S, ReLUs), the share of dead units of each ReLU."""

    loss: Tensor
    score: Tensor
    outputs: tuple[Tensor, ...]
    dead: Floats


class Stack:
    """K models with their optimizer and their data, trained one epoch at a time.

    `positions` are the indices of its lanes among all lanes of the trial. By convention, every parameter and buffer of
    a model has the lane as dimension 0, so that lanes can be removed.
    """

    def __init__(
        self, recipe: Recipe, lanes: Sequence[Lane], positions: Sequence[int], tensors: DatasetTensors
    ) -> None:
        self.positions = list(positions)
        self._settings = recipe.settings
        random = Lanes(tuple(lane.seed for lane in lanes), tensors.device)
        self.model = recipe.build(tensors.shapes, random).to(tensors.device)
        self._decoder = self.model if isinstance(self.model, Decoder) else None
        settings = recipe.settings
        self._flat = FlatWeights(self.model)
        self.layer_monitor = LayerMonitor(self.model)
        self._counting = [module for module in self.model.modules() if isinstance(module, ReadsWholeBatch)]
        self._loss, groups = recipe.loss(tensors.dataset.task, random), groups_of(self.model)
        self._optimizer = recipe.optimizer(self._flat, groups, random)
        self._rates = GroupRates(groups, self._flat, self._optimizer.learning_rate)
        self._schedule = LearningRateSchedule(
            recipe.schedule, settings.warmup, settings.epochs, len(lanes), tensors.device
        )
        self._augmented = Augmentation(settings, random)
        self._batches = Batches(lanes, settings.batch_size, tensors.device)
        self._data = LaneData(tensors, lanes, settings.class_weight)
        self._row_size, self._answers, self._outputs = tensors.row_size, tensors.answers, tensors.dataset.outputs
        self._sets = row_sets(lanes, tensors.row_size, tensors.device)
        self._scorers = scorers(tensors.dataset, recipe.metric, lanes, tune_threshold=recipe.tune_threshold)
        few, more = (self._probe(rows) for rows in (PROBED, 2 * PROBED))
        self._kept_per_row = -(-(more - few) // (PROBED * len(lanes)))
        # independent of the batch size, such as transposed weights
        self._kept_once = max(0, few // len(lanes) - PROBED * self._kept_per_row)

    def train_epoch(self) -> Tensor:
        """Train for one epoch; returns the mean training loss of each lane (K,)."""
        self.model.train()
        rows, weights = self._batches.epoch(), self._batches.weights
        at_once = max(1, GATHER_AT_ONCE // (rows[0].numel() * self._row_size))
        losses: list[Tensor] = []
        label_counts: list[Tensor] = []  # labelled positions of each row, where it can have several
        for start in range(0, len(rows), at_once):
            chunk = slice(start, start + at_once)
            inputs, targets = zip(*self._data.inputs(rows[chunk]), strict=True), self._data.targets(rows[chunk])
            for step in zip(inputs, targets, weights[chunk], self._data.weights_of(rows[chunk]), strict=True):
                losses.append(self._step(len(losses), *step))
                if (mask := label_mask(step[1])) is not None:
                    label_counts.append(mask.flatten(2).sum(dim=2))
        # (steps, K, B): the weight of each row's loss in the epoch's mean; by its labelled positions if it has several
        shares = weights.cpu() * self._batches.shares[:, :, None].cpu()
        if label_counts:
            shares = torch.stack(label_counts).cpu() * (shares > 0)
        if self._data.row_weights is not None:
            shares = shares * self._data.row_weights[rows.to(self._data.row_weights.device)].cpu()
        if label_counts or self._data.row_weights is not None:
            shares = shares / shares.transpose(0, 1).flatten(1).sum(dim=1)[:, None]
        parts = torch.stack(losses).cpu().double() * shares
        mean = parts.transpose(0, 1).flatten(1).sum(dim=1)  # each lane's own row: no sum depends on the others
        self._schedule.ended(mean)
        return mean

    def _step(self, number: int, inputs: Inputs, y: Tensor, weights: Tensor, row_weights: Tensor) -> Tensor:
        """Train on one batch; returns the loss of each row (K, B). `weights` (K, B) are the weights of a mean, 0 for
        padding; `row_weights` (K, B) are the weights that the data gives to its rows."""
        together, steps = self._settings.accumulate, self._batches.steps
        first = number - number % together
        count = min(together, steps - first)  # batches that make one step
        for module in self._counting:
            module.counts = weights > 0
        prepare_loss(self._loss, weights > 0, training=True)
        inputs, y = self._augmented(inputs, y)
        shares, mask = self._data.shares(y, weights, row_weights)
        at_positions = self._loss(self._answer(inputs, y), y)
        losses = by_row(at_positions, mask)
        # lanes share no parameters, so each gets the gradient of its own mean loss
        self._flat.differentiate(losses, shares if count == 1 else shares / count, first=number == first)
        if number == first + count - 1:
            self._optimizer_step(number, steps)
        return (
            by_row(at_positions.detach(), label_mask(y)) if self._settings.class_weight != "none" else losses.detach()
        )

    def _optimizer_step(self, number: int, steps: int) -> None:
        """Make one step of the optimizer."""
        settings, weights, gradients = self._settings, self._flat.weights, self._flat.gradients
        if number == steps - 1:
            self._norms = self.layer_monitor.norms(self._flat.last_gradients)  # before clipping
        if settings.l1:
            add_l1(gradients, weights, settings.l1)
        if settings.clip_grad_norm:
            clip_norm(gradients, settings.clip_grad_norm)
        if settings.clip_grad_value:
            clip_value(gradients, settings.clip_grad_value)
        together = settings.accumulate
        factor = self._schedule.factor(number // together, -(-steps // together))
        self._optimizer.step(weights, gradients, self._rates.applied(factor, self._schedule.epoch))

    def _answer(self, inputs: Inputs, y: Tensor) -> Tensor:
        """The output of the model; a decoder is given the true tokens before each step (teacher forcing)."""
        out: Tensor = self.model(*inputs) if self._decoder is None else self.model(*inputs, targets=y)
        return out

    @torch.no_grad()
    def evaluate(self) -> Evaluation:
        """Score each lane on each of its row sets."""
        self.model.eval()
        with self.layer_monitor.listening():
            found = [self._evaluate(*each) for each in zip(self._sets, self._scorers, strict=True)]
        loss, score, outputs, dead = zip(*found, strict=True)
        return Evaluation(torch.stack(loss, dim=1), torch.stack(score, dim=1), outputs, np.stack(dead, axis=1))

    @torch.no_grad()
    def constant_baseline(self, lanes: Sequence[Lane]) -> tuple[Tensor, Tensor]:
        """The loss of the best constant prediction on the lanes' training rows (K,) and on their row sets (K, S)."""
        balanced = self._settings.class_weight == "balanced"
        try:
            return constant_baseline_losses(self._loss, self._data, lanes, self._sets, self._outputs, balanced=balanced)
        except Exception:
            if not isinstance(self._loss, ReadsBatch):
                raise
            unknown = torch.full((len(lanes), 1 + len(self._sets)), torch.nan)  # the user's loss takes no constants
            return unknown[:, 0], unknown[:, 1:]

    def gradient_norms(self) -> Floats:
        """Of the last step, by lane and layer (K, layers)."""
        return self._norms

    def _evaluate(self, on: RowSet, scorer: Scorer) -> tuple[Tensor, Tensor, Tensor, Floats]:
        outputs, losses, label_counts = [], [], []
        for rows, counts in zip(*(torch.split(each, on.width, dim=1) for each in (on.rows, on.counts)), strict=True):
            inputs, y = self._data.inputs(rows), self._data.targets(rows)
            prepare_loss(self._loss, counts, training=False)
            out = self._answer(inputs, y)
            mask = label_mask(y)
            losses.append(by_row(self._loss(out, y), mask))
            label_counts.append(torch.ones_like(losses[-1]) if mask is None else mask.flatten(2).sum(dim=2))
            outputs.append(
                self._data.inverse_transform(out) if self._decoder is None else self._decoder.decode(*inputs)
            )
        weights = self._data.score_weights(on.rows, on.counts)
        shares = torch.cat(label_counts, dim=1).cpu().double() * weights
        loss = (torch.cat(losses, dim=1).cpu().double() * shares).sum(-1) / shares.sum(-1)
        whole = torch.cat(outputs, dim=1).cpu()
        return loss, scorer(whole), whole, self.layer_monitor.dead(len(on.rows))

    @torch.no_grad()
    def release(self, running: Tensor) -> None:
        """Remove the lanes that are not `running` (K,), once they make up a quarter of the stack: copying the remaining
        weights takes time, too."""
        if running.sum() > SHRINK_THRESHOLD * len(running) or not running.any() or len(running) == 2:
            return
        index = torch.tensor(padded_to_pair(torch.nonzero(running)[:, 0].tolist()))
        here = index.to(self._flat.weights.device)
        self._flat.replace(self._flat.weights[here])
        self._optimizer.select(here)
        self._schedule.select(here)
        self._augmented.select(index.tolist())
        if isinstance(self._loss, HasLaneState):
            self._loss.select(index.tolist())
        for module in self.model.modules():
            for name, buffer in module.named_buffers(recurse=False):
                setattr(module, name, buffer[here])
            if isinstance(module, HasLaneState):
                module.select(index.tolist())
        self._batches.select(index)
        self._data = self._data.select(here)
        self._sets = tuple(each.select(here) for each in self._sets)
        self._scorers = tuple(each.select(index.tolist()) for each in self._scorers)
        self.positions = [self.positions[i] for i in index.tolist()]

    @property
    def index_bytes(self) -> int:
        """Bytes of the row numbers and weights of all batches of all lanes."""
        batches = INDEX * self._batches.weights.numel()
        return batches + sum(INDEX * each.rows.numel() for each in self._sets)

    @property
    def gather_bytes(self) -> int:
        """Bytes of the gathered batches of an epoch, before and after scaling."""
        epoch = self._batches.weights.numel() * self._row_size
        return 2 * FLOAT * min(epoch, max(GATHER_AT_ONCE, epoch // self._batches.steps))

    @property
    def step_bytes(self) -> int:
        """Peak bytes of a training step, or of an evaluation if that is more, per lane."""
        per_row = self._row_size + self._kept_per_row
        drops = sum(isinstance(module, Dropout) and module.p > 0 for module in self.model.modules())
        training = PEAK * self._batches.width * per_row + drops * MASKS_AT_ONCE
        wide = 1 if self._decoder is None else self._decoder.beam
        scoring = (wide * each.width * per_row + SCORED * each.rows.shape[1] * self._answers for each in self._sets)
        return FLOAT * (self._kept_once + max(training, *scoring))

    def _probe(self, count: int) -> int:
        """How many numbers a forward pass of `count` rows keeps for the backward pass."""
        kept: dict[int, torch.UntypedStorage] = {}

        def note(tensor: Tensor) -> None:
            storage = tensor.untyped_storage()  # whole: a view keeps all of it
            kept[storage.data_ptr()] = storage  # keep a reference, so that its address is not reused

        rows = self._sets[0].rows[:, :count]
        weights = self._flat.weights.untyped_storage().data_ptr()
        self.model.eval()  # no dropout: the probe must not consume random numbers of the training
        with torch.autograd.graph.saved_tensors_hooks(note, lambda nothing: nothing):
            self._answer(self._data.inputs(rows), self._data.targets(rows))
        kept.pop(weights, None)
        return sum(storage.nbytes() for storage in kept.values()) // FLOAT

    def parameter_count(self) -> int:
        """The number of weights and biases of one lane."""
        return self._flat.per_lane()
