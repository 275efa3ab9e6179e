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
    """The score that a trial must reach at each epoch (None: not checked).

    It is compared with the best score so far if `by_best`, else with the last one."""

    values: tuple[float | None, ...]
    by_best: bool

    def prunes(self, means: Sequence[float], maximize: bool) -> bool:
        """Whether a trial with these mean scores per epoch is pruned at its last epoch."""
        limit = self.values[len(means) - 1]
        if limit is None:
            return False
        sign = 1 if maximize else -1
        reached = max(sign * mean for mean in means) if self.by_best else sign * means[-1]
        return reached < sign * limit


def thresholds(pruner: Pruner, trials: Sequence[TrialRecord], epochs: int, maximize: bool) -> Thresholds | None:
    """The pruning thresholds of the next trial.

    Args:
        pruner: the settings of the pruner.
        trials: finished trials of the chain.
        epochs: planned epochs of the next trial.
        maximize: whether a higher score is better.

    Returns:
        A score per epoch (E,), None at epochs without a check; None if nothing can be pruned yet.
    """
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
    curves = np.full((len(complete), longest), np.nan)
    for row, means in zip(curves, complete, strict=True):
        row[: len(means)] = means
    limits = np.nanpercentile(curves, share, axis=0).tolist()
    checked = [limit if epoch > pruner.warmup_epochs else None for epoch, limit in enumerate(limits, start=1)]
    return Thresholds((*checked, *[None] * (epochs - longest)), True)


def _rung(pruner: Halving, trials: Sequence[TrialRecord], epoch: int, maximize: bool) -> float | None:
    """Asynchronous successive halving (Li et al. 2020): at epochs first · factorⁿ, only the best 1/factor continue."""
    rung = math.log(epoch / pruner.first, pruner.factor) if epoch >= pruner.first else -1.0
    if rung < 0 or not math.isclose(rung, round(rung), abs_tol=1e-9):
        return None
    there = sorted((t.means[epoch - 1] for t in trials if len(t.means) >= epoch), reverse=maximize)
    places = max(1, (len(there) + 1) // pruner.factor)  # including the new trial
    return there[places - 1] if len(there) >= places else None
