"""Early stopping of trials: a chain's finished trials become a threshold per epoch, plain numbers in a job."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tuner.experiment.records import TrialRecord
from tuner.experiment.sections import Halving, NoPruner, Percentile, Pruner


@dataclass(frozen=True)
class Thresholds:
    """The score that a trial must reach at each epoch, None where it is not asked; by its best epoch or its last."""

    values: tuple[float | None, ...]
    by_best: bool

    def prunes(self, means: Sequence[float], maximize: bool) -> bool:
        """Whether a trial with these mean scores per epoch falls behind at its last one."""
        limit = self.values[len(means) - 1]
        if limit is None:
            return False
        sign = 1 if maximize else -1
        reached = max(sign * mean for mean in means) if self.by_best else sign * means[-1]
        return reached < sign * limit


def thresholds(pruner: Pruner, trials: Sequence[TrialRecord], epochs: int, maximize: bool) -> Thresholds | None:
    """What the next trial must reach, by the chain's finished trials; None while everything may go on."""
    if isinstance(pruner, NoPruner):
        return None
    if isinstance(pruner, Halving):
        return Thresholds(tuple(_rung(pruner, trials, epoch, maximize) for epoch in range(1, epochs + 1)), False)
    complete = [trial.means for trial in trials if trial.state == "complete"]
    if not complete or len(complete) < pruner.warmup_trials:
        return None
    share = pruner.percentile if isinstance(pruner, Percentile) else 50.0
    share = 100.0 - share if maximize else share
    longest = max(map(len, complete))
    table = np.full((len(complete), longest), np.nan)
    for row, means in zip(table, complete, strict=True):
        row[: len(means)] = means
    limits = np.nanpercentile(table, share, axis=0).tolist()
    checked = [limit if epoch > pruner.warmup_epochs else None for epoch, limit in enumerate(limits, start=1)]
    return Thresholds((*checked, *[None] * (epochs - longest)), True)


def _rung(pruner: Halving, trials: Sequence[TrialRecord], epoch: int, maximize: bool) -> float | None:
    """Asynchronous successive halving (Li et al. 2020): at epochs first · factorⁿ, only the best 1/factor go on."""
    rung = math.log(epoch / pruner.first, pruner.factor) if epoch >= pruner.first else -1.0
    if rung < 0 or not math.isclose(rung, round(rung), abs_tol=1e-9):
        return None
    there = sorted((t.means[epoch - 1] for t in trials if len(t.means) >= epoch), reverse=maximize)
    places = max(1, (len(there) + 1) // pruner.factor)  # the new trial counts too
    return there[places - 1] if len(there) >= places else None
