"""Train a stored trial again, and compare every value of its curves with what the study keeps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from tuner.errors import ExperimentError, UsageError
from tuner.search.chain import Chain
from tuner.search.executors import Inline
from tuner.search.group import Group
from tuner.search.machine import room_of
from tuner.search.plan import Prepared, changes, devices, header, prepare
from tuner.search.provenance import conditions, differences
from tuner.spec.records import TrialRecord
from tuner.store import StoredStudy

CLOSE = 0.02  # the largest difference between two curves' values that other versions or machines explain


@dataclass(frozen=True)
class Difference:
    """The first value that is another: which curve, fold and epoch (from 1), as stored and as found again."""

    curve: str
    fold: int
    epoch: int
    stored: float | None
    again: float | None


@dataclass(frozen=True)
class Replay:
    """A stored trial, the same trained again, and what has changed since in the conditions."""

    stored: TrialRecord
    again: TrialRecord
    changed: tuple[str, ...]

    @property
    def identical(self) -> bool:
        """Whether state, score and every curve value are the same, to the bit."""
        return _told(self.stored) == _told(self.again)

    @cached_property
    def differences(self) -> list[Difference]:
        """Every value of the curves that is another."""
        ours, theirs = _values(self.stored), _values(self.again)
        places = sorted({*ours, *theirs})
        pairs = ((place, ours.get(place), theirs.get(place)) for place in places)
        return [Difference(*place, before, now) for place, before, now in pairs if before != now]

    @property
    def largest(self) -> float:
        """The largest difference between two values of the curves; infinite where one has no value."""
        pairs = [(each.stored, each.again) for each in self.differences]
        return max((math.inf if a is None or b is None else abs(a - b) for a, b in pairs), default=0.0)

    @property
    def close(self) -> bool:
        """Whether it differs by no more than the changed conditions explain."""
        return bool(self.changed) and self.stored.state == self.again.state and self.largest <= CLOSE

    @property
    def values(self) -> int:
        """How many values are compared."""
        return len(_values(self.stored))


def replay(study: StoredStudy, chain: str, number: int, device: str) -> Replay:
    """Train trial `number` of `chain` again, from the experiment's text as the study keeps it.

    Raises `UsageError` where the data or its splits are not what they were.
    """
    torch.set_num_threads(1)
    stored = next(trial for trial in study.chains[chain].trials if trial.number == number)
    prepared = _prepared(study)
    plan = next(plan for plan in prepared.plan.chains if plan.name == chain)
    before = Chain(plan, number + 1, prepared.metric.maximize, study.chains[chain], default=prepared.default)
    group = Group([before], prepared.proposer(chain), prepared.experiment.search)
    where = devices(device)
    executor = Inline(prepared.dataset, prepared.metric.name, where[0], room_of(prepared.experiment.limits, where))
    executor.submit(group.job(number, stored.values))
    ((_, outcome),) = executor.wait(0)
    again = outcome[chain]
    assert isinstance(again, TrialRecord)
    return Replay(stored, again, tuple(differences(study.runs, conditions(where[:1]))))


def _prepared(study: StoredStudy) -> Prepared:
    """The experiment as it was, with its data as it is."""
    try:
        prepared = prepare(Path(study.header["file"]), study.header["text"])
    except ExperimentError as error:
        raise UsageError(f"the experiment of '{study.name}' cannot be read any more:\n{error.message}") from error
    if changed := changes(study.header, header(prepared, study.name)):
        raise UsageError(f"the trial cannot be repeated: {'; '.join(changed)}", "put the data back as it was")
    return prepared


def _told(record: TrialRecord) -> tuple[object, ...]:
    said = record.state, record.score, record.fold_scores, record.best_epochs, record.means, record.reason
    return *said, record.curves


def _values(record: TrialRecord) -> dict[tuple[str, int, int], float | None]:
    """Every value of the curves, by curve, fold and epoch."""
    return {
        (curve, fold, epoch): value
        for curve, folds in (("training loss", record.curves.train_loss), ("validation loss", record.curves.loss),
                             ("validation score", record.curves.score))
        for fold, values in enumerate(folds, start=1)
        for epoch, value in enumerate(values, start=1)
    }  # fmt: skip
