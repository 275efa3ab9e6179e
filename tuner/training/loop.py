"""Trains the lanes of one configuration: all stacks one epoch, then all are judged, then the next epoch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuner.training.early_stopping import progress
from tuner.training.fitting import ENDLESS, Room, build_stacks
from tuner.training.lane_data import Table
from tuner.training.lanes import Lane
from tuner.training.stack import Recipe

Curve = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Curves:
    """Per epoch: training loss of each lane (K, E); loss and score of each view (V, E).

    A *view* is a lane evaluated on one of its row sets; `lanes` (V,) are the views' lanes, in order. A view that has
    stopped is NaN after its last epoch; `broken` says of a view that is no longer a number in which epoch, and why.
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
        """The scores (V,) at the epochs that count."""
        return np.take_along_axis(self.score, self.best[:, None] - 1, axis=1)[:, 0]


Judge = Callable[[int, Curves], Mask]


class Diverged(Exception):
    """A loss or a score is no longer a number."""


@dataclass(frozen=True, eq=False)
class Trained:
    """What training leaves: the curves, how many weights and biases a lane has, and per epoch the outputs (V, …) of the
    views that were to be kept.

    No weights: what is chosen is trained again on more rows."""

    curves: Curves
    parameters: int
    outputs: dict[int, list[NDArray[np.float32]]]


def train(
    recipe: Recipe,
    lanes: Sequence[Lane],
    table: Table,
    judge: Judge,
    room: Room = ENDLESS,
    keep: Collection[int] = (),
) -> Trained:
    """Train every lane for up to `epochs` epochs, evaluating after each.

    After each epoch `judge` sees the curves so far, and answers which views (V,) are still wanted. A lane trains on
    while any of its views is wanted and has patience left. Stacks are cut where a step would not fit into `room`; no
    curve depends on that. Of the views in `keep` the outputs of every epoch are kept. Raises `DoesNotFit`.
    """
    stacks = build_stacks(recipe, lanes, table, room)
    diary = _Diary(recipe, lanes, keep)
    while diary.epoch < recipe.settings.epochs and diary.running.any():
        for stack in stacks:
            if diary.lane_runs(stack.positions).any():
                diary.write(stack.positions, stack.train_epoch(), *stack.evaluate())
        curves = diary.close_epoch()
        diary.running &= judge(diary.epoch, curves)
        for stack in stacks:
            stack.release(torch.from_numpy(diary.lane_runs(stack.positions)))
    return Trained(diary.curves(), stacks[0].parameter_count(), diary.outputs)


def train_blind(
    recipe: Recipe, lane: Lane, table: Table, epochs: int, heard: Callable[[int], object], room: Room = ENDLESS
) -> tuple[Curve, Curve, NDArray[np.float32]]:
    """Train one lane for exactly `epochs` epochs and only then score its row sets, once: the refit.

    Returns the training loss per epoch (E,), the scores (S,) and the outputs (V, …) on its first row set. Raises
    `Diverged`, `DoesNotFit`.
    """
    (stack,) = build_stacks(recipe, [lane], table, room)
    losses = np.empty(epochs)
    for epoch in range(epochs):
        losses[epoch] = stack.train_epoch()[0].item()
        if not np.isfinite(losses[epoch]):
            raise Diverged(not_finite("training loss", epoch + 1))
        heard(epoch + 1)
    *found, outputs = stack.evaluate()
    loss, score = (values[0].double().numpy() for values in found)
    for what, values in (("test loss", loss), ("test score", score)):
        if not np.isfinite(values).all():
            raise Diverged(not_finite(what, epochs))
    return losses, score, outputs[0][0, : len(lane.evaluations[0])].numpy()


def not_finite(what: str, epoch: int) -> str:
    """The reason of a trial that diverged."""
    return f"the {what} is not a finite number in epoch {epoch}"


class _Diary:
    """Writes the curves of all views, epoch by epoch, and knows which still run."""

    def __init__(self, recipe: Recipe, lanes: Sequence[Lane], keep: Collection[int] = ()) -> None:
        settings = recipe.settings
        self.outputs: dict[int, list[NDArray[np.float32]]] = {view: [] for view in keep}
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

    def lane_runs(self, positions: Sequence[int]) -> Mask:
        """Whether the lanes at `positions` have a view that still runs."""
        return np.isin(positions, self.lanes[self.running])

    def write(
        self, positions: list[int], train_loss: Tensor, loss: Tensor, score: Tensor, outputs: list[Tensor]
    ) -> None:
        """The next epoch of the lanes at `positions`; a view that has stopped is left as it was."""
        by_lane = [np.flatnonzero(self.lanes == position) for position in positions]
        views = np.concatenate(by_lane)
        for place, own in enumerate(by_lane):
            for number, view in enumerate(own.tolist()):
                if view in self.outputs and len(self.outputs[view]) == self.epoch and self.running[view]:
                    self.outputs[view].append(outputs[number][place, : self._rows[view]].numpy().copy())
        running = self.running[views]
        for curve, values in ((self._loss, loss), (self._score, score)):
            curve[views, self.epoch] = np.where(running, values.numpy().reshape(-1), np.nan)
        self._train_loss[positions, self.epoch] = np.where(self.lane_runs(positions), train_loss.cpu().numpy(), np.nan)

    def close_epoch(self) -> Curves:
        """Find which views broke, and which have patience left."""
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
        self.running &= going
        self.running[list(self.broken)] = False
        return self.curves()

    def curves(self) -> Curves:
        """All that has been written."""
        upto = slice(self.epoch)
        return Curves(
            self.lanes,
            self._train_loss[:, upto],
            self._loss[:, upto],
            self._score[:, upto],
            self.best,
            dict(self.broken),
        )
