"""Trains a stored trial again, and compares every value of its curves with the stored ones."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property

from tuner.experiment.records import TrialRecord
from tuner.experiment.sections import trial_time
from tuner.process import use_one_thread
from tuner.search.chain import Chain
from tuner.search.executors import Processes, outcome_of
from tuner.search.group import Group
from tuner.search.header import as_stored
from tuner.search.machine import devices, memory_budget_of
from tuner.search.provenance import conditions, differences
from tuner.store import StoredStudy

CLOSE = 0.02  # the largest difference of curve values, relative above 1, that other versions or machines explain


@dataclass(frozen=True)
class Difference:
    """A value that differs between the stored and the replayed curves: curve, fold and epoch (from 1), and both
    values."""

    curve: str
    fold: int
    epoch: int
    stored: float | None
    again: float | None

    @property
    def size(self) -> float:
        """The absolute difference; infinite if one value is missing."""
        return math.inf if self.stored is None or self.again is None else abs(self.stored - self.again)

    @property
    def scale(self) -> float:
        """The scale of the difference: the stored value, at least 1."""
        return max(1.0, abs(self.stored or 0.0))


@dataclass(frozen=True)
class Replay:
    """A stored trial, the same trial trained again, and the changes in the conditions since."""

    stored: TrialRecord
    again: TrialRecord
    changed: tuple[str, ...]

    @property
    def identical(self) -> bool:
        """Whether state, score and every curve value are the same, to the bit."""
        return _compared_values(self.stored) == _compared_values(self.again)

    @cached_property
    def differences(self) -> list[Difference]:
        """Every value of the curves that differs."""
        ours, theirs = _values(self.stored), _values(self.again)
        places = sorted({*ours, *theirs})
        pairs = ((place, ours.get(place), theirs.get(place)) for place in places)
        return [Difference(*place, before, now) for place, before, now in pairs if before != now]

    @property
    def largest(self) -> float:
        """The largest difference between two values of the curves, or between two scores; infinite if one is
        missing."""
        scores = zip(self.stored.fold_scores, self.again.fold_scores, strict=False)
        return max([each.size for each in self.differences] + [abs(a - b) for a, b in scores], default=0.0)

    @property
    def close(self) -> bool:
        """Whether it differs by no more than the changed conditions explain."""
        same_end = self.stored.state == self.again.state
        return bool(self.changed) and same_end and all(each.size <= CLOSE * each.scale for each in self.differences)

    @property
    def values(self) -> int:
        """The number of values that are compared."""
        return len(_values(self.stored))


def replay(study: StoredStudy, chain: str, stored: TrialRecord, device: str, *, trusted: bool = False) -> Replay:
    """Train a trial of `chain` again in a worker, from the experiment's text in the study.

    Raises `UsageError` if the data or its splits have changed.
    """
    use_one_thread()
    prepared = as_stored(study, trusted=trusted)
    plan = next(plan for plan in prepared.plan.chains if plan.name == chain)
    before = Chain(plan, stored.number + 1, prepared.metric.maximize, study.chains[chain], default=prepared.default)
    limits = prepared.experiment.limits
    group = Group([before], prepared.proposer(chain), prepared.experiment.search, trial_time(limits))
    where = devices(device)
    with closing(Processes(prepared.work, where[:1], 1, memory_budget_of(limits, where))) as executor:
        again = outcome_of(executor, group.job(stored.number, stored.values))[chain]
    assert isinstance(again, TrialRecord)
    now = conditions(where)
    changed = dict.fromkeys(each for run in study.runs for each in differences(run, now))
    return Replay(stored, again, tuple(changed))


def _compared_values(record: TrialRecord) -> tuple[object, ...]:
    values = record.state, record.score, record.fold_scores, record.best_epochs, record.means, record.reason
    return *values, record.curves


def _values(record: TrialRecord) -> dict[tuple[str, int, int], float | None]:
    """Every value of the curves, by curve, fold and epoch."""
    return {
        (curve, fold, epoch): value
        for curve, folds in (("training loss", record.curves.train_loss), ("validation loss", record.curves.loss),
                             ("validation score", record.curves.score))
        for fold, values in enumerate(folds, start=1)
        for epoch, value in enumerate(values, start=1)
    }  # fmt: skip
