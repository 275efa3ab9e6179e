"""The state of a chain, the search of one outer fold: finished trials, missing refits, the best trial so far."""

from __future__ import annotations

from tuner.data.resampling import ChainPlan
from tuner.experiment.records import RefitRecord, TrialRecord
from tuner.experiment.selection import Rule, Selection, ranked
from tuner.store import StoredChain


class Chain:
    """The trials and refits of a chain.

    Attributes:
        trials: finished trials in the order of their numbers, without a gap.
        early: finished trials that wait for one with a smaller number; they are already stored.
        refits: by trial number.
        best: the complete trial with the best score so far.
        default: whether trial 0 is the default configuration; False if that breaks a constraint, and trial 0 was drawn.
    """

    # parameters: the plan, what is stored, and four settings of the search
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
        self.best: TrialRecord | None = None
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
        """Whether all trials and the refits that they need are finished."""
        return self.searched and not self.missing_refits()

    @property
    def finished(self) -> list[TrialRecord]:
        """All finished trials, including the early ones."""
        return [*self.trials, *self.early.values()]

    @property
    def winner(self) -> TrialRecord | None:
        """The trial that the selection rule chooses so far."""
        return self.selection.chosen(self.trials)

    def leads(self, number: int) -> bool:
        """Whether the selection rule chooses this trial so far."""
        leader = self.best if self.selection.rule == "best" else self.winner  # the former is known without a search
        return leader is not None and leader.number == number

    def missing_refits(self) -> list[TrialRecord]:
        """Trials that must still be refitted on all rows of the chain; none for `final`."""
        if not len(self.plan.test):
            return []
        wanted = self.selection.to_refit(self.trials, default=self.default)
        return [trial for trial in wanted if trial.number not in self.refits]

    def add(self, trial: TrialRecord) -> None:
        """Add the finished trial of the next number."""
        self.trials.append(trial)
        order = ranked([trial] if self.best is None else [self.best, trial], self.maximize)
        self.best = next(iter(order), None)
