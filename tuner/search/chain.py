"""A chain: the search of one outer fold, as a state. What it has finished, what it still has to train, who leads."""

from __future__ import annotations

from tuner.data.resampling import ChainPlan
from tuner.experiment.records import RefitRecord, TrialRecord
from tuner.experiment.selection import Rule, Selection, ranked
from tuner.store import StoredChain


class Chain:
    """Trials in order of number, without a gap; those `early` that wait for one before them (they are written at
    once, and found again after a restart); refits by number.

    `default` says whether trial 0 is the default configuration, and not a draw because that breaks a constraint.
    """

    def __init__(
        self,
        plan: ChainPlan,
        total: int,
        maximize: bool,
        stored: StoredChain,
        *,
        default: bool = True,
        rule: Rule = "best",
    ) -> None:
        self.plan, self.total, self.maximize, self.default = plan, total, maximize, default
        self.selection = Selection(maximize, rule, plan.share)
        self.trials: list[TrialRecord] = []
        self.early = {trial.number: trial for trial in stored.trials}
        self.best: TrialRecord | None = None  # the winner so far
        while len(self.trials) in self.early:
            self.add(self.early.pop(len(self.trials)))
        self.refits: dict[int, RefitRecord] = dict(stored.refits)

    @property
    def name(self) -> str:
        """outer-1 … or final."""
        return self.plan.name

    @property
    def searched(self) -> bool:
        """Whether all trials are finished."""
        return len(self.trials) >= self.total

    @property
    def done(self) -> bool:
        """Whether the trials and the refits that they call for are finished."""
        return self.searched and not self.missing_refits()

    @property
    def finished(self) -> list[TrialRecord]:
        """All that are finished, also those that wait for one before them."""
        return [*self.trials, *self.early.values()]

    @property
    def winner(self) -> TrialRecord | None:
        """Whom the rule chooses so far."""
        return self.selection.chosen(self.trials)

    def leads(self, number: int) -> bool:
        """Whether the rule would choose this trial so far."""
        leader = self.best if self.selection.rule == "best" else self.winner  # the former is known without a search
        return leader is not None and leader.number == number

    def missing_refits(self) -> list[TrialRecord]:
        """What a chain that has been searched must still train on all its rows; nothing for `final`."""
        if not len(self.plan.test):
            return []
        wanted = self.selection.to_refit(self.trials, default=self.default)
        return [trial for trial in wanted if trial.number not in self.refits]

    def add(self, trial: TrialRecord) -> None:
        """The trial of the next number is finished."""
        self.trials.append(trial)
        order = ranked([trial] if self.best is None else [self.best, trial], self.maximize)
        self.best = next(iter(order), None)
