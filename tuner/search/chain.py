"""A chain: the serial search of one outer fold. It decides what to run next and takes back what came of it."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.trial import FrozenTrial

from tuner.data.dataset import Rows
from tuner.data.resampling import ChainPlan
from tuner.search.samplers import Proposer
from tuner.search.trial import Job, RefitJob, TrialJob
from tuner.seeds import seed_of
from tuner.spec.records import RefitRecord, TrialRecord, ranked, refit_epochs, to_refit
from tuner.store import StoredChain
from tuner.training.lanes import Lane


class Chain:
    """Trials are proposed in rounds of `batch`, each from the rounds before it; so results never depend on timing."""

    def __init__(
        self,
        plan: ChainPlan,
        proposer: Proposer,
        total: int,
        seed: int,
        batch: int,
        stored: StoredChain,
        time_limit: float | None = None,
    ) -> None:
        self.plan, self.total, self._proposer, self._seed = plan, total, proposer, seed
        self._batch = batch if proposer.learns else None
        self._time_limit = time_limit
        self.trials: list[TrialRecord] = []  # finished, in order of number, without a gap
        self.refits: dict[int, RefitRecord] = dict(stored.refits)
        self._early: dict[int, TrialRecord] = {}  # finished before a trial of a smaller number
        self._asked = len(stored.trials)
        self._refitting: set[int] = set()
        self._learned = 0
        for record in stored.trials:
            self._append(record)

    @property
    def name(self) -> str:
        """outer-1 … or final."""
        return self.plan.name

    @property
    def asked(self) -> int:
        """How many trials have been given out or are finished."""
        return self._asked

    @property
    def searched(self) -> bool:
        """Whether all trials are finished."""
        return len(self.trials) >= self.total

    @property
    def done(self) -> bool:
        """Whether the trials and the refits that they call for are finished."""
        return self.searched and not self._missing_refits()

    def next_job(self) -> Job | None:
        """The next job that does not have to wait for one in flight."""
        if self.searched:
            return self._next_refit()
        number = self._asked
        if number >= self.total:
            return None
        if self._batch is not None and len(self.trials) < number - number % self._batch:
            return None
        values = self._proposer.propose(number)
        if values is None:  # a grid whose constraints leave fewer cells than its size
            self.total = number
            return self.next_job()
        self._asked += 1
        lanes = tuple(Lane(f.train, (f.validation,), self._lane_seed(number, f.train)) for f in self.plan.folds)
        configuration = self._proposer.space.configuration(values)
        return TrialJob(self.name, number, values, configuration, lanes, self.plan.test, self._time_limit)

    def accept(self, record: TrialRecord | RefitRecord) -> Sequence[TrialRecord | RefitRecord]:
        """Take a finished job back; returns what may now be written, in order."""
        if isinstance(record, RefitRecord):
            self.refits[record.number] = record
            return (record,)
        self._early[record.number] = record
        ready = []
        while len(self.trials) in self._early:
            ready.append(self._early.pop(len(self.trials)))
            self._append(ready[-1])
        return ready

    def frozen(self, record: TrialRecord) -> FrozenTrial:
        """The record as Optuna's own tools see it."""
        return self._proposer.frozen(record)

    def best(self) -> TrialRecord | None:
        """The winner so far."""
        return next(iter(ranked(self.trials, self._proposer.maximize)), None)

    def failures_in_a_row(self) -> int:
        """How many of the last trials failed one after another."""
        count = 0
        for trial in reversed(self.trials):
            if trial.state != "failed":
                break
            count += 1
        return count

    def _append(self, record: TrialRecord) -> None:
        self.trials.append(record)
        if self._batch is None or len(self.trials) % self._batch == 0:
            for trial in self.trials[self._learned :]:
                self._proposer.learn(trial)
            self._learned = len(self.trials)

    def _missing_refits(self) -> list[TrialRecord]:
        if not len(self.plan.test):
            return []
        chosen = to_refit(self.trials, self._proposer.maximize)
        return [t for t in chosen if t.number not in self.refits]

    def _next_refit(self) -> Job | None:
        for trial in self._missing_refits():
            if trial.number not in self._refitting:
                self._refitting.add(trial.number)
                rows = self.plan.rows
                lane = Lane(rows, (self.plan.test,), self._lane_seed(trial.number, rows))
                return RefitJob(self.name, trial.number, trial.configuration, lane, refit_epochs(trial))
        return None

    def _lane_seed(self, number: int, rows: Rows) -> int:
        """The same rows under the same trial are the same training, whichever chain asks."""
        return seed_of(self._seed, number, rows)
