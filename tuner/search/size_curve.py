"""The learning curve over training size: one configuration trained on growing shares of the training rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import closing
from multiprocessing.connection import Connection

import numpy as np
import torch

from tuner.data.dataset import Pair
from tuner.errors import LimitReached, NoResultError, TunerError, lacking
from tuner.experiment.records import SizePoint, TrialRecord
from tuner.experiment.selection import refit_epochs
from tuner.search.child import Child
from tuner.search.machine import memory_budget_of
from tuner.search.prepare import Prepared
from tuner.search.recipe import check_own, recipe_of
from tuner.search.trial import explain
from tuner.search.workers import Task
from tuner.seeds import seed_of
from tuner.training.fitting import DoesNotFit, MemoryBudget
from tuner.training.lane_data import DatasetTensors
from tuner.training.lanes import Lane
from tuner.training.loop import StoppingRule, train

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
FEWEST = 2  # rows to train on


def size_curve(
    prepared: Prepared, trial: TrialRecord, device: str, on_point: Callable[[float], object] = lambda share: None
) -> list[SizePoint]:
    """The scores of every inner fold of the final chain, on validation and on training rows, at each share.

    A smaller share is part of every larger one. All folds of a share are lanes of one stack. Training is like a refit:
    for the median best epoch, without using validation rows. Smaller shares train for more epochs, so that every share
    makes the same number of steps. Runs in a child process, because it may run user code.

    Args:
        prepared: the experiment with its data and splits.
        trial: the trial with the configuration.
        device: the device to train on.
        on_point: called with each finished share.

    Raises:
        NoResultError: the training failed, for example for lack of memory.
        LimitReached: the machine lacks a resource, or the child process died.
    """
    seed, folds = prepared.experiment.search.seed, prepared.plan.chains[-1].folds
    memory_budget, task = memory_budget_of(prepared.experiment.limits, [device]), Task.share(prepared.work)
    pairs = [(fold.train, fold.validation) for fold in folds]
    child = Child.start(_train, task, pairs, seed, trial, device, memory_budget)
    points: list[SizePoint] = []
    with closing(child.pipe):
        try:
            for share in SHARES:
                point = child.answer()
                if isinstance(point, TunerError):
                    raise point
                if not isinstance(point, SizePoint):
                    text = f"the learning curve cannot be trained: {point}"
                    raise NoResultError(text, "a larger limits.memory, or another configuration")
                points.append(point)
                on_point(share)
        except EOFError:
            raise child.died("trained") from None
        finally:
            child.end()
    return points


# parameters: all that a new process needs
def _train(pipe: Connection, task: Task, folds: Sequence[Pair], seed: int, trial: TrialRecord, device: str,
           memory_budget: MemoryBudget) -> None:  # fmt: skip
    """In the child: send a point for each share, or the reason for a failure."""
    try:
        work = task.whole
        check_own(work)
        tensors = DatasetTensors(work.dataset, torch.device(device))
        orders = [np.random.default_rng(seed_of(seed, "curve", train)).permutation(train) for train, _ in folds]
        for share in SHARES:
            lanes = []
            for (_, validation), order in zip(folds, orders, strict=True):
                rows = np.sort(order[: max(FEWEST, round(share * len(order)))])
                lanes.append(Lane(rows, (validation,), seed_of(seed, trial.number, rows), score_training_rows=True))
            training = trial.configuration.training
            planned = {name: math.ceil(training[name] / share) for name in ("epochs", "warmup")}
            recipe = recipe_of(trial.configuration, work, **planned, early_stopping=None)
            scores = train(
                recipe, lanes, tensors, _until(math.ceil(refit_epochs(trial) / share)), memory_budget
            ).curves.score
            last = [None if np.isnan(score) else float(score) for score in scores[:, -1]]
            rows_used = round(float(np.mean([len(lane.train) for lane in lanes])))
            pipe.send(SizePoint(rows_used, tuple(last[0::2]), tuple(last[1::2])))
    except DoesNotFit as error:
        pipe.send(f"it does not fit into memory, {error}")
    except TunerError as error:
        pipe.send(error)
    except BaseException as error:
        pipe.send(LimitReached(lack) if (lack := lacking(error)) else explain(error))


def _until(last: int) -> StoppingRule:
    """A stopping rule that stops all lanes after epoch `last`."""
    return lambda epoch, curves: np.full(len(curves.lanes), epoch < last)
