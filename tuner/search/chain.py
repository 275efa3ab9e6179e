"""A chain: the search of one outer fold, as a state. What it has finished, what it still has to train, who leads."""

from __future__ import annotations

from tuner.data.resampling import ChainPlan
from tuner.spec.records import RefitRecord, TrialRecord, ranked, to_refit
from tuner.store import StoredChain


class Chain:
    """Trials in order of number, without a gap, and refits by trial number."""

    def __init__(self, plan: ChainPlan, total: int, maximize: bool, stored: StoredChain) -> None:
        self.plan, self.total, self.maximize = plan, total, maximize
        self.trials: list[TrialRecord] = list(stored.trials)
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

    def missing_refits(self) -> list[TrialRecord]:
        """What a chain that has been searched must still train on all its rows; nothing for `final`."""
        if not len(self.plan.test):
            return []
        return [t for t in to_refit(self.trials, self.maximize) if t.number not in self.refits]

    def best(self) -> TrialRecord | None:
        """The winner so far."""
        return next(iter(ranked(self.trials, self.maximize)), None)

    def failures_in_a_row(self) -> int:
        """How many of the last trials failed one after another."""
        count = 0
        for trial in reversed(self.trials):
            if trial.state != "failed":
                break
            count += 1
        return count
