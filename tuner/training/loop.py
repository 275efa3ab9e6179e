"""Trains the lanes of one configuration: after each epoch of all stacks, decides which lanes go on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuner.training.constant_baseline import ConstantBaseline
from tuner.training.early_stopping import progress
from tuner.training.fitting import ENDLESS, MemoryBudget, build_stacks
from tuner.training.lane_data import DatasetTensors
from tuner.training.lanes import Lane
from tuner.training.layer_monitor import Floats, LaneStatistics, LayerMonitor, StackStatistics
from tuner.training.recipe import Recipe
from tuner.training.stack import Evaluation, Stack

Curve = NDArray[np.float64]
Mask = NDArray[np.bool_]
Outputs = NDArray[np.float32] | NDArray[np.float64]  # logits, or numbers in the target's units


@dataclass(frozen=True, eq=False)
class Curves:
    """Per epoch: training loss of each lane (K, E); loss and score of each view (V, E).

    A *view* is a lane evaluated on one of its row sets; `lanes` (V,) are the views' lanes, in order. After the
    last epoch of a view its values are NaN; `broken` holds the epoch and the reason for each view that diverged.
    `best` (V,) is the epoch that counts, from 1.
    """

    lanes: NDArray[np.int64]
    train_loss: Curve
    loss: Curve
    score: Curve
    best: NDArray[np.int64]
    broken: dict[int, tuple[int, str]]

    @property
    def counting(self) -> Curve:
        """The scores (V,) at the best epochs."""
        return np.take_along_axis(self.score, self.best[:, None] - 1, axis=1)[:, 0]


StoppingRule = Callable[[int, Curves], Mask]


class Diverged(Exception):
    """A loss or a score is no longer a number."""


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """The result of training: the curves; the number of weights and biases of a lane; the statistics of the layers;
    the outputs (V, …) of some views in every epoch, and of others at their best epoch; and the losses of a constant
    prediction.

    Weights are discarded: the chosen configuration is retrained on more rows."""

    curves: Curves
    parameters: int
    layer_statistics: StackStatistics
    outputs: dict[int, list[Outputs]]
    counting_outputs: dict[int, Outputs]
    constant_baseline: ConstantBaseline


@dataclass(frozen=True, eq=False)
class RefitResult:
    """The result of a refit: the training loss of each epoch (E,), and after the last epoch the score and the outputs
    (V, …) on its evaluated rows and the statistics of the layers."""

    train_loss: Curve
    score: float
    reading: LaneStatistics
    outputs: Outputs


# parameters: what is trained, on what, until when, in how much memory, and what is kept
def train(
    recipe: Recipe,
    lanes: Sequence[Lane],
    tensors: DatasetTensors,
    judge: StoppingRule,
    memory_budget: MemoryBudget = ENDLESS,
    keep: Collection[int] = (),
    keep_counting: Collection[int] = (),
) -> TrainingResult:
    """Train every lane for up to `settings.epochs` epochs, evaluating all views after each.

    Args:
        recipe: model, training settings and metric.
        lanes: K trainings.
        tensors: the data, as tensors.
        judge: called after each epoch (from 1) with the curves so far; returns which views (V,) to continue.
        memory_budget: memory budget in bytes; stacks are split to fit, which changes no curve.
        keep: views whose outputs are kept for every epoch.
        keep_counting: views whose outputs are kept at their best epoch.

    Returns:
        the curves, the kept outputs, layer statistics and baseline losses.

    Raises:
        DoesNotFit: even the smallest stacks exceed `memory_budget`.
    """
    stacks = build_stacks(recipe, lanes, tensors, memory_budget)
    diary = _CurveRecorder(recipe, lanes, keep, keep_counting)
    constant_baseline = _constant_baseline(stacks, lanes)
    while diary.epoch < recipe.settings.epochs and diary.running.any():
        for stack in stacks:
            if diary.lane_runs(stack.positions).any():
                diary.write(stack.positions, stack.train_epoch(), stack.gradient_norms(), stack.evaluate())
        curves = diary.close_epoch()
        diary.running &= judge(diary.epoch, curves)
        for stack in stacks:
            stack.release(torch.from_numpy(diary.lane_runs(stack.positions)))
    layer_statistics = diary.layer_statistics(stacks[0].layer_monitor)
    return TrainingResult(
        diary.curves(),
        stacks[0].parameter_count(),
        layer_statistics,
        diary.outputs,
        diary.counting_outputs,
        constant_baseline,
    )


def _constant_baseline(stacks: Sequence[Stack], lanes: Sequence[Lane]) -> ConstantBaseline:
    """The losses of constant predictions, for all lanes and views in order."""
    train = np.empty(len(lanes))
    held_out: list[list[float]] = [[] for _ in lanes]
    for stack in stacks:
        on_train, on_sets = stack.constant_baseline([lanes[position] for position in stack.positions])
        train[stack.positions] = on_train.numpy()
        for index, position in enumerate(stack.positions):
            held_out[position] = on_sets[index].tolist()
    return ConstantBaseline(train, np.array([loss for of_lane in held_out for loss in of_lane]))


# parameters: those of `train`, and for how long
def train_fixed_epochs(
    recipe: Recipe,
    lane: Lane,
    tensors: DatasetTensors,
    epochs: int,
    on_epoch: Callable[[int], object],
    memory_budget: MemoryBudget = ENDLESS,
) -> RefitResult:
    """Train one lane for exactly `epochs` epochs, then score its first evaluation set once. Used for refits.

    Args:
        epochs: number of epochs; there is no early stopping.
        on_epoch: called with the number of each finished epoch, from 1.
        memory_budget: memory budget in bytes.

    Returns:
        training loss (E,), and score, outputs (V, …) and layer statistics after the last epoch.

    Raises:
        Diverged: a loss or the score is not finite.
        DoesNotFit: the lane needs more memory than `memory_budget`.
    """
    (stack,) = build_stacks(recipe, [lane], tensors, memory_budget)
    losses, norms = np.empty(epochs), np.empty((epochs, len(stack.layer_monitor.layers)))
    for epoch in range(epochs):
        losses[epoch] = stack.train_epoch()[0].item()
        norms[epoch] = stack.gradient_norms()[0]
        if not np.isfinite(losses[epoch]):
            raise Diverged(not_finite("training loss", epoch + 1))
        on_epoch(epoch + 1)
    found = stack.evaluate()
    loss, score = found.loss[0, 0].item(), found.score[0, 0].item()
    for what, value in (("test loss", loss), ("test score", score)):
        if not np.isfinite(value):
            raise Diverged(not_finite(what, epochs))
    reading = LaneStatistics(stack.layer_monitor.layers, stack.layer_monitor.relus, norms, found.dead[0, 0])
    return RefitResult(losses, score, reading, found.outputs[0][0, : len(lane.evaluations[0])].numpy())


def not_finite(what: str, epoch: int) -> str:
    """The reason of a trial that diverged."""
    return f"the {what} is not a finite number in epoch {epoch}"


class _CurveRecorder:
    """Records the curves of all views epoch by epoch, and which views are still running."""

    def __init__(
        self, recipe: Recipe, lanes: Sequence[Lane], keep: Collection[int] = (), keep_counting: Collection[int] = ()
    ) -> None:
        settings = recipe.settings
        self._keep_counting, self._last_outputs = frozenset(keep_counting), dict[int, Outputs]()
        self.counting_outputs: dict[int, Outputs] = {}
        self.outputs: dict[int, list[Outputs]] = {view: [] for view in keep}
        self._rows = [len(rows) for lane in lanes for rows in lane.evaluations]
        self.maximize = recipe.metric.maximize
        self.patience = settings.early_stopping.patience if settings.early_stopping else None
        self.epoch = 0
        self.broken: dict[int, tuple[int, str]] = {}
        self.lanes = np.repeat(np.arange(len(lanes)), [len(lane.evaluations) for lane in lanes])
        self.running = np.ones(len(self.lanes), dtype=bool)
        self.best = np.ones(len(self.lanes), dtype=np.int64)
        self._train_loss = np.full((len(lanes), settings.epochs), np.nan)
        self._loss = np.full((len(self.lanes), settings.epochs), np.nan)
        self._score = self._loss.copy()
        self._norms: list[Floats] = []  # of each epoch
        self._dead: list[Floats] = []

    def lane_runs(self, positions: Sequence[int]) -> Mask:
        """Whether the lanes at `positions` have a view that is still running."""
        return np.isin(positions, self.lanes[self.running])

    def write(self, positions: list[int], train_loss: Tensor, norms: Floats, found: Evaluation) -> None:
        """Record an epoch of the lanes at `positions`; views that have stopped are left as they are."""
        by_lane = [np.flatnonzero(self.lanes == position) for position in positions]
        views = np.concatenate(by_lane)
        for index, own in enumerate(by_lane):
            for number, view in enumerate(own.tolist()):
                outputs = found.outputs[number][index, : self._rows[view]].numpy()
                if view in self.outputs and len(self.outputs[view]) == self.epoch and self.running[view]:
                    self.outputs[view].append(outputs.copy())
                if view in self._keep_counting and self.running[view]:
                    self._last_outputs[view] = outputs.copy()
        running = self.running[views]
        for curve, values in ((self._loss, found.loss), (self._score, found.score)):
            curve[views, self.epoch] = np.where(running, values.numpy().reshape(-1), np.nan)
        self._train_loss[positions, self.epoch] = np.where(self.lane_runs(positions), train_loss.cpu().numpy(), np.nan)
        if len(self._norms) == self.epoch:
            self._norms.append(np.full((len(self._train_loss), norms.shape[1]), np.nan))
            self._dead.append(np.full((len(self.lanes), found.dead.shape[2]), np.nan))
        self._norms[-1][positions] = norms
        self._dead[-1][views] = found.dead.reshape(len(views), -1)

    def layer_statistics(self, layer_monitor: LayerMonitor) -> StackStatistics:
        """The statistics of all layers, epochs and lanes."""
        return StackStatistics(
            layer_monitor.layers, layer_monitor.relus, np.stack(self._norms, axis=1), np.stack(self._dead, axis=1)
        )

    def close_epoch(self) -> Curves:
        """Find out which views have diverged, and which have patience left."""
        now = self.epoch
        self.epoch += 1
        columns = (
            ("training loss", self._train_loss[self.lanes, now]),
            ("validation loss", self._loss[:, now]),
            ("validation score", self._score[:, now]),
        )
        for what, values in columns:
            for view in np.flatnonzero(self.running & ~np.isfinite(values)):
                self.broken.setdefault(int(view), (self.epoch, not_finite(what, self.epoch)))
        best, going = progress(self._score[:, : self.epoch], self.patience, self.maximize)
        self.best = np.where(self.running, best, self.best)
        for kept, outputs in self._last_outputs.items():
            if self.best[kept] == self.epoch:
                self.counting_outputs[kept] = outputs
        self.running &= going
        self.running[list(self.broken)] = False
        return self.curves()

    def curves(self) -> Curves:
        """The curves recorded so far."""
        upto = slice(self.epoch)
        return Curves(
            self.lanes,
            self._train_loss[:, upto],
            self._loss[:, upto],
            self._score[:, upto],
            self.best,
            dict(self.broken),
        )
