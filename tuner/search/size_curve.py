"""The learning curve over training size: one configuration trained on growing shares of the training rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from tuner.search.catalogue import model
from tuner.search.plan import Prepared
from tuner.seeds import seed_of
from tuner.spec.records import TrialRecord
from tuner.spec.selection import refit_epochs
from tuner.training.lane_data import Table
from tuner.training.lanes import Lane
from tuner.training.loop import Curves, train
from tuner.training.settings import TrainingSettings
from tuner.training.stack import Recipe

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
FEWEST = 2  # rows to train on


def size_curve(
    prepared: Prepared, trial: TrialRecord, device: str, heard: Callable[[float], object] = lambda share: None
) -> list[dict[str, Any]]:
    """Per share of the training rows: how many rows, and the scores of every inner fold of the final chain.

    A smaller share is part of every larger one. All folds of a share are lanes of one stack. It trains as a refit does:
    for the median best epoch, without looking at validation rows. `training` are scores on the rows trained on.
    """
    torch.set_num_threads(1)
    settings = dict(trial.configuration["training"], epochs=refit_epochs(trial), early_stopping=None)
    module = model(trial.configuration["model"]["name"])
    shaped = module.Settings.model_validate(trial.configuration["model"])
    recipe = Recipe(
        lambda shapes, lanes: module.build(shaped, shapes, lanes),
        TrainingSettings.model_validate(settings),
        prepared.metric,
    )
    table, final = Table(prepared.dataset, torch.device(device)), prepared.plan.chains[-1]
    orders = [
        np.random.default_rng(seed_of(prepared.experiment.search.seed, "curve", fold.train)).permutation(fold.train)
        for fold in final.folds
    ]
    points = []
    for share in SHARES:
        lanes = []
        for fold, order in zip(final.folds, orders, strict=True):
            rows = np.sort(order[: max(FEWEST, round(share * len(order)))])
            seed = seed_of(prepared.experiment.search.seed, trial.number, rows)
            lanes.append(Lane(rows, (fold.validation, rows), seed))
        curves = train(recipe, lanes, table, _everything).curves
        last = [_last(row) for row in curves.score.tolist()]
        mean_rows = round(float(np.mean([len(lane.train) for lane in lanes])))
        points.append({"share": share, "rows": mean_rows, "validation": last[0::2], "training": last[1::2]})
        heard(share)
    return points


def _everything(epoch: int, curves: Curves) -> np.ndarray:
    return np.ones(len(curves.lanes), dtype=bool)


def _last(scores: list[float]) -> float | None:
    """The score after the last epoch; None where the training broke."""
    return None if np.isnan(scores[-1]) else scores[-1]
