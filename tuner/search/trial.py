"""A trial as a job, and the pure function that runs it: `TrialJob` → `TrialRecord`, `RefitJob` → `RefitRecord`.

This is what a worker imports. It knows no study, no sampler and no clock but the trial's own time limit.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tuner import registry
from tuner.data.dataset import Dataset, Rows
from tuner.data.resampling import disjoint
from tuner.spec.records import FoldCurves, RefitRecord, TrialRecord
from tuner.spec.space import Values
from tuner.training.lane_data import Table
from tuner.training.lanes import Lane
from tuner.training.loop import Diverged, Trained, train, train_blind
from tuner.training.metrics import METRICS
from tuner.training.settings import TrainingSettings
from tuner.training.stack import Recipe

Heard = Callable[[int], object]


@dataclass(frozen=True, eq=False)
class TrialJob:
    """Score one configuration on inner folds; `held_out` are the rows that no lane may touch."""

    chain: str
    number: int
    values: Values
    configuration: dict[str, Any]
    lanes: tuple[Lane, ...]
    held_out: Rows
    time_limit: float | None = None

    @property
    def epochs(self) -> int:
        """Epochs to train at most."""
        return int(self.configuration["training"]["epochs"])


@dataclass(frozen=True, eq=False)
class RefitJob:
    """Train one configuration on all rows of a chain for `epochs` epochs, then score its outer-test rows once."""

    chain: str
    number: int
    configuration: dict[str, Any]
    lane: Lane
    epochs: int


Job = TrialJob | RefitJob
Record = TrialRecord | RefitRecord


class TooLong(Exception):
    """The trial took longer than `limits.trial_time`."""


class Runner:
    """Runs jobs on one device: the data stands there as one table, for all jobs."""

    def __init__(self, dataset: Dataset, metric: str, device: str) -> None:
        torch.set_num_threads(1)  # results depend on the number of threads; workers are the parallelism
        self._metric = METRICS[metric]
        self._table = Table(dataset, torch.device(device))

    def run(self, job: Job, heard: Heard = lambda epoch: None) -> Record:
        """Run one job; whatever goes wrong inside becomes a record with the reason. `heard` is told every epoch."""
        start = time.perf_counter()
        try:
            recipe = Recipe(*_model_and_training(job.configuration), self._metric)
            if isinstance(job, RefitJob):
                return self._refit(recipe, job, heard, start)
            return self._trial(recipe, job, heard, start)
        except Exception as error:
            return failure(job, explain(error), time.perf_counter() - start, traceback.format_exc())
        finally:
            if torch.cuda.is_available() and self._table.device.type == "cuda":
                torch.cuda.empty_cache()

    def _trial(self, recipe: Recipe, job: TrialJob, heard: Heard, start: float) -> TrialRecord:
        for lane in job.lanes:
            disjoint(lane.train, *lane.evaluations, job.held_out)
        means: list[float] = []

        def judge(epoch: int, mean: float) -> bool:
            means.append(plain(mean))
            heard(epoch)
            if job.time_limit is not None and time.perf_counter() - start > job.time_limit:
                raise TooLong(f"took longer than limits.trial_time ({job.time_limit:g} s), in epoch {epoch}")
            return True

        trained = train(recipe, job.lanes, self._table, judge)
        return _record(job, trained, means, time.perf_counter() - start)

    def _refit(self, recipe: Recipe, job: RefitJob, heard: Heard, start: float) -> RefitRecord:
        losses, scores = train_blind(recipe, job.lane, self._table, job.epochs, heard)
        seconds = time.perf_counter() - start
        return RefitRecord(job.number, job.epochs, seconds, float(scores[0]), tuple(plain(v) for v in losses))


def _record(job: TrialJob, trained: Trained, means: list[float], seconds: float) -> TrialRecord:
    curves = trained.curves
    scores = tuple(float(v) for v in curves.counting[:, 0])
    return TrialRecord(
        number=job.number,
        state="complete",
        values=job.values,
        configuration=job.configuration,
        seconds=seconds,
        score=float(np.mean(scores)),
        fold_scores=scores,
        best_epochs=tuple(int(e) for e in curves.best[:, 0]),
        means=tuple(means),
        curves=FoldCurves(_rows(curves.train_loss), _rows(curves.loss[:, 0]), _rows(curves.score[:, 0])),
        parameters=trained.parameters,
    )


def failure(job: Job, reason: str, seconds: float, details: str | None = None) -> Record:
    """The record of a job that could not be done."""
    if isinstance(job, RefitJob):
        return RefitRecord(job.number, job.epochs, seconds, reason=reason, details=details)
    return TrialRecord(job.number, "failed", job.values, job.configuration, seconds, reason=reason, details=details)


def explain(error: Exception) -> str:
    """Why a trial failed, in a few words."""
    if isinstance(error, Diverged | TooLong):
        return str(error)
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error):
        return "out of memory"
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}"[:300]


def plain(value: float) -> float:
    """A float rounded to seven digits, what float32 knows: short to store, the same wherever it is read."""
    return float(f"{value:.7g}")


def _rows(curves: NDArray[np.float64]) -> tuple[tuple[float | None, ...], ...]:
    return tuple(tuple(None if np.isnan(v) else plain(v) for v in row) for row in curves)


def _model_and_training(configuration: Mapping[str, Any]) -> tuple[Any, TrainingSettings]:
    module = registry.load("tuner.models", configuration["model"]["name"])
    settings = module.Settings.model_validate(configuration["model"])
    training = TrainingSettings.model_validate(configuration["training"])
    return lambda shapes, lanes: module.build(settings, shapes, lanes), training
