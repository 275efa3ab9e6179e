"""Trains the lanes of one configuration: all stacks one epoch, then all are judged, then the next epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuner.training.early_stopping import progress
from tuner.training.lane_data import Table
from tuner.training.lanes import Lane, stacks_of
from tuner.training.stack import Recipe, Stack

Curve = NDArray[np.float64]
Judge = Callable[[int, float], bool]


class Diverged(Exception):
    """A loss or a score is no longer a number."""


@dataclass(frozen=True, eq=False)
class Curves:
    """Per epoch: training loss of each lane (K, E); loss and score of each lane on each of its row sets (K, S, E).

    A lane that stopped early has NaN after its last epoch. `best` (K, S) is the epoch that counts, from 1.
    """

    train_loss: Curve
    loss: Curve
    score: Curve
    best: NDArray[np.int64]

    @property
    def counting(self) -> Curve:
        """The scores (K, S) at the epochs that count."""
        return np.take_along_axis(self.score, self.best[..., None] - 1, axis=-1)[..., 0]


@dataclass(frozen=True, eq=False)
class Trained:
    """What training leaves: the curves, and the stacks with the weights of each lane's best epoch.

    Of a lane with several row sets, the best epoch is that of the first."""

    curves: Curves
    stacks: tuple[tuple[Stack, list[int]], ...]  # each with the positions of its lanes
    complete: bool  # False where the judge ended it

    @property
    def parameters(self) -> int:
        """Weights and biases of one lane."""
        return self.stacks[0][0].parameter_count()


def build_stacks(recipe: Recipe, lanes: Sequence[Lane], table: Table) -> tuple[tuple[Stack, list[int]], ...]:
    """The lanes in as few stacks as can go in lockstep, each stack with the positions of its lanes."""
    for lane in lanes:
        lane.check()
    groups = stacks_of(lanes, recipe.settings.batch_size)
    return tuple((Stack(recipe, [lanes[i] for i in group], table), group) for group in groups)


def train(recipe: Recipe, lanes: Sequence[Lane], table: Table, judge: Judge) -> Trained:
    """Train every lane for up to `epochs` epochs, evaluating after each. Raises `Diverged`.

    After each epoch `judge` hears the mean over lanes and sets of the score that would count if training ended now;
    it answers whether to go on.
    """
    stacks = build_stacks(recipe, lanes, table)
    diary = _Diary(recipe, len(lanes), len(lanes[0].evaluations))
    patient = recipe.settings.early_stopping is not None
    go_on = True
    while go_on and diary.epoch < recipe.settings.epochs and diary.running.any():
        for stack, positions in stacks:
            if diary.running[positions].any():
                diary.write(positions, stack.train_epoch(), *stack.evaluate())
        curves = diary.close_epoch()
        if patient:
            for stack, positions in stacks:
                stack.keep(torch.from_numpy(curves.best[positions, 0] == diary.epoch))
        go_on = judge(diary.epoch, float(curves.counting.mean()))
    for stack, _ in stacks:
        stack.restore()
    return Trained(diary.curves(), stacks, complete=go_on)


def train_blind(
    recipe: Recipe, lane: Lane, table: Table, epochs: int, heard: Callable[[int], object]
) -> tuple[Curve, Curve]:
    """Train one lane for exactly `epochs` epochs and only then score its row sets, once: the refit.

    Returns the training loss per epoch (E,) and the scores (S,). Raises `Diverged`.
    """
    ((stack, _),) = build_stacks(recipe, [lane], table)
    losses = np.empty(epochs)
    for epoch in range(epochs):
        losses[epoch] = stack.train_epoch().item()
        _must_be_finite(losses[epoch], "training loss", epoch + 1)
        heard(epoch + 1)
    scores = stack.evaluate()[1][0].double().numpy()
    _must_be_finite(scores, "test score", epochs)
    return losses, scores


class _Diary:
    """Writes the curves of all lanes, epoch by epoch, and knows which still run."""

    def __init__(self, recipe: Recipe, lanes: int, sets: int) -> None:
        settings = recipe.settings
        self.maximize = recipe.metric.maximize
        self.patience = settings.early_stopping.patience if settings.early_stopping else None
        self.epoch = 0
        self.running = np.ones((lanes, sets), dtype=bool)
        self.best = np.ones((lanes, sets), dtype=np.int64)
        self._train_loss = np.full((lanes, settings.epochs), np.nan)
        self._loss = np.full((lanes, sets, settings.epochs), np.nan)
        self._score = self._loss.copy()

    def write(self, positions: list[int], train_loss: Tensor, loss: Tensor, score: Tensor) -> None:
        """The next epoch of the lanes at `positions`; a row set that has stopped is left as it was."""
        running = self.running[positions]
        self._train_loss[positions, self.epoch] = np.where(running.any(axis=1), train_loss.cpu().numpy(), np.nan)
        self._loss[positions, :, self.epoch] = np.where(running, loss.numpy(), np.nan)
        self._score[positions, :, self.epoch] = np.where(running, score.numpy(), np.nan)

    def close_epoch(self) -> Curves:
        """Check that all is finite, and find who goes on."""
        now = self.epoch
        self.epoch += 1
        _must_be_finite(self._train_loss[self.running.any(axis=1), now], "training loss", self.epoch)
        _must_be_finite(self._loss[self.running, now], "validation loss", self.epoch)
        _must_be_finite(self._score[self.running, now], "validation score", self.epoch)
        self.best, self.running = progress(self._score[..., : self.epoch], self.patience, self.maximize)
        return self.curves()

    def curves(self) -> Curves:
        """All that has been written."""
        upto = slice(self.epoch)
        return Curves(self._train_loss[:, upto], self._loss[..., upto], self._score[..., upto], self.best)


def _must_be_finite(values: Curve | float, what: str, epoch: int) -> None:
    if not np.isfinite(values).all():
        raise Diverged(f"the {what} is not a finite number in epoch {epoch}")
