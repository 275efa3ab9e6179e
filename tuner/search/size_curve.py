"""The learning curve over training size: one configuration trained on growing shares of the training rows."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch

from tuner.errors import NoResultError
from tuner.search.machine import room_of
from tuner.search.plan import Prepared
from tuner.search.trial import recipe_of
from tuner.seeds import seed_of
from tuner.spec.records import SizePoint, TrialRecord
from tuner.spec.selection import refit_epochs
from tuner.training.fitting import DoesNotFit
from tuner.training.lane_data import Table
from tuner.training.lanes import Lane
from tuner.training.loop import Judge, train

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
FEWEST = 2  # rows to train on


def size_curve(
    prepared: Prepared, trial: TrialRecord, device: str, heard: Callable[[float], object] = lambda share: None
) -> list[SizePoint]:
    """The scores of every inner fold of the final chain, on validation and on training rows, at each share.

    A smaller share is part of every larger one. All folds of a share are lanes of one stack. It trains as a refit does,
    for the median best epoch and without looking at validation rows; a smaller share for more epochs, so that every
    share moves the weights as often. Raises `NoResultError` where there is no memory for it.
    """
    torch.set_num_threads(1)
    seed, final = prepared.experiment.search.seed, prepared.plan.chains[-1]
    table, room = Table(prepared.dataset, torch.device(device)), room_of(prepared.experiment.limits, [device])
    orders = [np.random.default_rng(seed_of(seed, "curve", f.train)).permutation(f.train) for f in final.folds]
    points = []
    for share in SHARES:
        lanes = []
        for fold, order in zip(final.folds, orders, strict=True):
            rows = np.sort(order[: max(FEWEST, round(share * len(order)))])
            lanes.append(Lane(rows, (fold.validation,), seed_of(seed, trial.number, rows), by_heart=True))
        training = trial.configuration["training"]
        planned = {name: math.ceil(training[name] / share) for name in ("epochs", "warmup")}
        recipe = recipe_of(trial.configuration, prepared.work, **planned, early_stopping=None)
        try:
            scores = train(recipe, lanes, table, _until(math.ceil(refit_epochs(trial) / share)), room).curves.score
        except DoesNotFit as error:
            raise NoResultError(f"the learning curve does not fit into memory: {error}", "limits.memory") from error
        last = [None if np.isnan(score) else float(score) for score in scores[:, -1]]
        rows_used = round(float(np.mean([len(lane.train) for lane in lanes])))
        points.append(SizePoint(rows_used, tuple(last[0::2]), tuple(last[1::2])))
        heard(share)
    return points


def _until(last: int) -> Judge:
    """Everything is wanted up to an epoch."""
    return lambda epoch, curves: np.full(len(curves.lanes), epoch < last)
