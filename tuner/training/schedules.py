"""Learning-rate schedules: the factor applied to the learning rate at each step, as in torch's schedulers of the same
name.

A schedule always spans the configured number of epochs, even if training ends earlier. Only `ReduceOnPlateau` depends
on the training; it monitors the training loss, because a refit has no validation loss.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from pydantic import Field
from torch import Tensor

from tuner.experiment.settings import Settings


@dataclass(frozen=True)
class ScheduleStep:
    """A step of a training, from 0: the epoch, the step in it, steps per epoch, and the epochs planned."""

    epoch: int
    step: int
    steps: int
    epochs: int


class Constant(Settings):
    """The learning rate as it is."""

    name: Literal["constant"] = "constant"

    def at(self, now: ScheduleStep) -> float:
        """1."""
        return 1.0


class Step(Settings):
    """Multiplied by gamma every step_size epochs."""

    name: Literal["step"] = "step"
    step_size: int = Field(10, ge=1, le=1_000_000, description="epochs between two drops")
    gamma: float = Field(0.1, gt=0, le=1, description="factor of a drop")

    def at(self, now: ScheduleStep) -> float:
        """gamma^⌊epoch / step_size⌋."""
        return float(self.gamma ** (now.epoch // self.step_size))


class Exponential(Settings):
    """Multiplied by gamma after every epoch."""

    name: Literal["exponential"] = "exponential"
    gamma: float = Field(0.95, gt=0, le=1, description="factor of an epoch")

    def at(self, now: ScheduleStep) -> float:
        """gamma^epoch."""
        return float(self.gamma**now.epoch)


class Cosine(Settings):
    """Down towards 0 along half a cosine, epoch by epoch (Loshchilov & Hutter 2017, without restarts)."""

    name: Literal["cosine"] = "cosine"

    def at(self, now: ScheduleStep) -> float:
        """(1 + cos(π · epoch / epochs)) / 2."""
        return _half_cosine(1.0, 0.0, now.epoch / now.epochs)


class OneCycle(Settings):
    """Up from 1/div_factor to 1 and down to nearly 0, both along half a cosine, step by step (Smith & Topin 2019)."""

    name: Literal["one_cycle"] = "one_cycle"
    pct_start: float = Field(0.3, gt=0, lt=1, description="share of the steps that rise")
    div_factor: float = Field(25.0, ge=1, le=1e6, description="the first learning rate is 1/this of the largest")
    final_div_factor: float = Field(1e4, ge=1, le=1e9, description="the last one is 1/this of the first")

    def at(self, now: ScheduleStep) -> float:
        """torch's OneCycleLR, momentum left alone: the peak is the last step of the rise, the end the last of all."""
        step, last = now.epoch * now.steps + now.step, now.epochs * now.steps - 1
        first, peak = 1 / self.div_factor, self.pct_start * (last + 1) - 1
        if step <= peak:
            return _half_cosine(first, 1.0, step / peak if peak > 0 else 1.0)
        return _half_cosine(1.0, first / self.final_div_factor, (step - peak) / (last - peak))


def _half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


class ReduceOnPlateau(Settings):
    """Multiplied, lane by lane, whenever the training loss has not fallen for more than patience epochs."""

    name: Literal["reduce_on_plateau"] = "reduce_on_plateau"
    factor: float = Field(0.1, gt=0, lt=1, description="factor of a drop")
    patience: int = Field(
        10, ge=0, le=100_000, description="epochs without improvement before the learning rate is reduced"
    )
    threshold: float = Field(1e-4, ge=0, le=1, description="share by which the loss must fall to count")

    def at(self, now: ScheduleStep) -> float:
        """1: what it does depends on the lane."""
        return 1.0


AnySchedule = Constant | Step | Exponential | Cosine | OneCycle | ReduceOnPlateau


class Schedule(Protocol):
    """The factor of the learning rate at each step."""

    def at(self, now: ScheduleStep) -> float: ...


class LearningRateSchedule:
    """The factor on the learning rate of K lanes, step after step: warm-up, then the schedule over what is left."""

    def __init__(self, schedule: Schedule, warmup: int, epochs: int, lanes: int, device: torch.device) -> None:
        self._schedule, self._warmup, self._epochs, self._epoch = schedule, warmup, epochs, 0
        self._plateau = schedule if isinstance(schedule, ReduceOnPlateau) else None
        self._factor = torch.ones(lanes, 1, device=device)
        self._best = torch.full((lanes,), math.inf, dtype=torch.double)
        self._bad = torch.zeros(lanes, dtype=torch.long)

    @property
    def epoch(self) -> int:
        """The current epoch, from 0."""
        return self._epoch

    def factor(self, step: int, steps: int) -> float | Tensor:
        """The factor of step `step` of `steps` in the current epoch: one number, or one per lane (K, 1)."""
        warming = self._warmup * steps
        done = self._epoch * steps + step
        if done < warming:
            now, rise = ScheduleStep(0, 0, steps, max(1, self._epochs - self._warmup)), (done + 1) / (warming + 1)
        else:
            now, rise = ScheduleStep(self._epoch - self._warmup, step, steps, max(1, self._epochs - self._warmup)), 1.0
        whole = rise * self._schedule.at(now)
        return whole * self._factor if self._plateau else whole

    def ended(self, losses: Tensor) -> None:
        """Advance to the next epoch, given the training losses (K,) of this one."""
        self._epoch += 1
        if self._plateau is None or self._epoch <= self._warmup:
            return
        improved = losses < self._best * (1 - self._plateau.threshold)
        self._best = torch.where(improved, losses, self._best)
        self._bad = torch.where(improved, 0, self._bad + 1)
        drop = self._bad > self._plateau.patience
        self._bad = torch.where(drop, 0, self._bad)
        factors = torch.where(drop, self._plateau.factor, 1.0)[:, None]
        self._factor = self._factor * factors.to(self._factor)

    def select(self, lanes: Tensor) -> None:
        """Go on with these lanes only."""
        self._factor = self._factor[lanes]
        self._best, self._bad = self._best[lanes.cpu()], self._bad[lanes.cpu()]
