"""A group of chains that share their trials: it chooses the next job, and adds results to the chains.

Samplers that learn have one chain per group. Grid and random propose the same configurations to every chain, so chains
that share trainings form one group, and each configuration is trained for all of them at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from optuna.trial import FrozenTrial

from tuner.data.inputs import Rows
from tuner.experiment.records import FoldCurves, RefitRecord, TrialRecord
from tuner.experiment.sections import NoPruner, Search
from tuner.experiment.selection import refit_epochs
from tuner.experiment.space import Values
from tuner.search.chain import Chain
from tuner.search.jobs import ChainView, Job, Outcome, Record, RefitJob, TrialJob
from tuner.search.samplers import Proposer
from tuner.search.sharing import chain_groups, layout
from tuner.search.stopping import Thresholds, thresholds
from tuner.seeds import seed_of
from tuner.training.lanes import Lane

ROUND = 8  # trials per round if only the pruner learns: enough for many workers, few enough to learn from


class Group:
    """Proposes trials in rounds, each based on the rounds before it only, so that results never depend on timing."""

    def __init__(
        self, chains: Sequence[Chain], proposer: Proposer, search: Search, time_limit: float | None = None
    ) -> None:
        self.chains, self._proposer, self._search = tuple(chains), proposer, search
        self._layout = layout([chain.plan for chain in chains])
        self._time_limit = time_limit
        patient = not isinstance(search.pruner, NoPruner)
        self._round = (search.batch or (1 if proposer.learns else ROUND)) if proposer.learns or patient else None
        self._leaders: dict[str, int] = {}  # by chain: the last trial that led
        self._thresholds: dict[tuple[str, int, int], Thresholds | None] = {}
        for number in range(self._finished):
            self._forget(number)
        self._absorb()
        self._asked = self._finished
        self._refitting: set[tuple[str, int]] = set()
        self._closed = False
        self._learned = 0
        self._learn()

    @property
    def total(self) -> int:
        """The number of trials to reach."""
        return self.chains[0].total

    @property
    def proposed(self) -> int:
        """The number of trials that have been proposed or are finished."""
        return self._asked

    @property
    def _finished(self) -> int:
        """The number of trials that every chain has finished without a gap."""
        return len(self.chains[0].trials)

    @property
    def searched(self) -> bool:
        """Whether all trials are finished."""
        return self._finished >= self.total

    def close(self) -> None:
        """Propose no more trials in this run, and refit the winners so far."""
        self._closed = True

    def next_job(self) -> Job | None:
        """The next job that does not depend on a running one; None if there is none."""
        if self.searched or self._closed:
            return self._next_refit()
        self._asked = max(self._asked, self._finished)  # early trials may have joined the finished ones
        while self._asked in self.chains[0].early:
            self._asked += 1
        number = self._asked
        if number >= self.total:
            return None
        if self._finished < self._start(number):
            return None
        self._asked += 1
        return self.job(number, self._proposer.propose(number))

    def _start(self, number: int) -> int:
        """The number of trials that must be finished before this one is proposed."""
        return 0 if self._round is None else number - number % self._round

    def job(self, number: int, values: Values) -> TrialJob:
        """The job that trains the trial of this number with these values."""
        configuration = self._proposer.space.configuration(values)
        lanes = tuple(Lane(rows.train, rows.evaluations, self._seed(number, rows.train)) for rows in self._layout.lanes)
        views = tuple(self._view(chain, self._start(number), configuration.epochs) for chain in self.chains)
        return TrialJob(number, values, configuration, lanes, views, self._time_limit)

    def _view(self, chain: Chain, start: int, epochs: int) -> ChainView:
        key = (chain.name, start, epochs)
        if key not in self._thresholds:  # the same for a whole round
            self._thresholds = {k: v for k, v in self._thresholds.items() if k[1] == start}
            self._thresholds[key] = thresholds(self._search.pruner, chain.trials[:start], epochs, chain.maximize)
        views, refit = self._layout.views[chain.name], self._layout.refits[chain.name]
        return ChainView(chain.name, views, chain.plan.test, self._thresholds[key], refit, chain.plan.alone)

    def accept(self, job: Job, outcome: Outcome) -> list[tuple[Chain, Record]]:
        """Add the outcome of a job to its chains.

        Args:
            job: the finished job.
            outcome: a record per chain name.

        Returns:
            (chain, record) pairs to write to the study.
        """
        by_name = {chain.name: chain for chain in self.chains}
        if isinstance(job, RefitJob):
            return [self._refitted(by_name[name], record) for name, record in outcome.items()]
        for name, record in outcome.items():
            assert isinstance(record, TrialRecord)
            by_name[name].early[job.number] = record
        self._absorb()
        self._learn()
        return [(by_name[name], record) for name, record in outcome.items()]

    def _absorb(self) -> None:
        while (number := self._finished) in self.chains[0].early:
            for chain in self.chains:
                chain.add(chain.early.pop(number))
            self._forget(number)

    def _forget(self, number: int) -> None:
        """Drop a trial's curves from memory, and its possible refit unless it may still be needed."""
        for chain in self.chains:
            leads, before = chain.leads(number), self._leaders.get(chain.name, 0)
            trial = chain.trials[number]
            kept = trial.refit if leads or number == 0 else None
            chain.trials[number] = replace(trial, curves=FoldCurves(), row_scores=None, refit=kept)
            if leads:
                self._leaders[chain.name] = number
                if before:
                    chain.trials[before] = replace(chain.trials[before], refit=None)

    def _refitted(self, chain: Chain, record: Record) -> tuple[Chain, Record]:
        assert isinstance(record, RefitRecord)
        chain.refits[record.number] = replace(record, after=len(chain.trials))
        return chain, chain.refits[record.number]

    def _learn(self) -> None:
        """Report the complete rounds to the sampler."""
        if not self._proposer.learns or self._round is None:
            return
        upto = self._finished - self._finished % self._round
        for trial in self.chains[0].trials[self._learned : upto]:
            self._proposer.learn(trial)
        self._learned = max(self._learned, upto)

    def _waiting_refits(self) -> list[tuple[Chain, TrialRecord]]:
        """Refits that are needed and not yet running: winners first, then defaults."""
        found = [
            (chain, trial)
            for chain in self.chains
            for trial in chain.missing_refits()
            if (chain.name, trial.number) not in self._refitting and trial.refit is None
        ]
        return sorted(found, key=lambda pair: pair[1] is not pair[0].winner)

    @property
    def winner_waits(self) -> bool:
        """Whether a winner still has to be refitted; until then its outer fold has no score."""
        ready = self.searched or self._closed
        return ready and any(trial is chain.winner for chain, trial in self._waiting_refits())

    def _next_refit(self) -> Job | None:
        """The job of the first refit that is due, which counts as running from now on; None if none is due."""
        for chain, trial in self._waiting_refits():
            self._refitting.add((chain.name, trial.number))
            rows = chain.plan.rows
            lane = Lane(rows, (chain.plan.test,), self._seed(trial.number, rows))
            epochs = refit_epochs(trial)
            return RefitJob(
                chain.name, trial.number, trial.configuration, lane, epochs, self._time_limit, trial.threshold
            )
        return None

    def shared_refits(self) -> list[tuple[Chain, Record]]:
        """Add refits that a trial of another chain has already trained: same rows, seed, epoch and test rows.

        Returns:
            (chain, record) pairs to write to the study.
        """
        ready = self.chains if self.searched or self._closed else ()
        return [
            self._refitted(chain, trial.refit)
            for chain in ready
            for trial in chain.missing_refits()
            if trial.refit is not None
        ]

    def frozen(self, record: TrialRecord) -> FrozenTrial:
        """The record as an Optuna trial."""
        return self._proposer.frozen(record)

    def _seed(self, number: int, rows: Rows) -> int:
        """The seed of a training: the same in every chain for the same trial and training rows."""
        return seed_of(self._search.seed, number, rows)


def make_groups(
    chains: Sequence[Chain], propose: Callable[[str], Proposer], search: Search, time_limit: float | None
) -> list[Group]:
    """Put chains that share trainings into groups; `propose` makes the proposer of a chain."""
    by_name = {chain.name: chain for chain in chains}
    plans = [chain.plan for chain in chains]
    together = chain_groups(plans, search.sampler)
    return [
        Group([by_name[plan.name] for plan in members], propose(members[0].name), search, time_limit)
        for members in together
    ]
