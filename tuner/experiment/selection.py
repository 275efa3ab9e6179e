"""Rules that choose the winner of a chain, and the number of epochs of its refit."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from tuner.experiment.records import TrialRecord

Rule = Literal["best", "one_se", "lower_bound"]


def ranked(trials: Iterable[TrialRecord], maximize: bool) -> list[TrialRecord]:
    """The complete trials, best first; the earlier one of equals."""
    complete = [t for t in trials if t.state == "complete" and t.score is not None]
    sign = -1.0 if maximize else 1.0
    return sorted(complete, key=lambda t: (sign * (t.score or 0.0), t.number))


@dataclass(frozen=True)
class Selection:
    """How a chain chooses among its complete trials; `share` is validation rows per training row of its folds.

    best: the best score. one_se (Breiman et al. 1984): the smallest model whose score lies within one standard error
    of the best, by parameters, then by epochs trained (not by seconds, which differ from run to run). lower_bound: the
    best score less one standard error. The standard error is the corrected one: inner folds overlap as outer ones do.
    """

    maximize: bool
    rule: Rule = "best"
    share: float = 0.0

    def chosen(self, trials: Iterable[TrialRecord]) -> TrialRecord | None:
        """The winner, or None."""
        order = ranked(trials, self.maximize)
        if not order or self.rule == "best":
            return next(iter(order), None)
        if self.rule == "lower_bound":
            return max(order, key=self.bound)  # of equals, the first: the better one
        least = self.bound(order[0])
        near = [trial for trial in order if self._sign * (trial.score or 0.0) >= least]
        return min(near, key=lambda trial: (trial.parameters or 0, trial.epochs))

    def bound(self, trial: TrialRecord) -> float:
        """The score minus its standard error, on a scale where larger is better."""
        return self._sign * (trial.score or 0.0) - self.error(trial)

    def error(self, trial: TrialRecord) -> float:
        """The standard error of a trial's score; 0 with a single fold."""
        return corrected_error(trial.fold_scores, self.share) if len(trial.fold_scores) > 1 else 0.0

    @property
    def _sign(self) -> int:
        return 1 if self.maximize else -1

    def to_refit(self, trials: Sequence[TrialRecord], *, default: bool = True) -> tuple[TrialRecord, ...]:
        """The trials that a finished chain refits on all its rows: its winner, and trial 0 if that is the default."""
        winner = self.chosen(trials)
        order = ranked(trials, self.maximize)
        chosen = [*([winner] if winner else []), *(t for t in order if default and t.number == 0)]
        return tuple({trial.number: trial for trial in chosen}.values())


def corrected_error(values: Sequence[float], test_share: float, max_independent: int | None = None) -> float:
    """Standard error of the mean of resampled test scores, or of their differences (Nadeau & Bengio 2003).

    √((1/J + n_test/n_train) · s²): the training sets overlap, so s/√J would be far too small. J is at most
    `most`.
    """
    return math.sqrt((1 / min(len(values), max_independent or len(values)) + test_share) * statistics.variance(values))


def refit_epochs(trial: TrialRecord) -> int:
    """The epochs of a refit: the median of the inner folds' best epochs, rounded up; test rows have no influence."""
    return -int(-statistics.median(trial.best_epochs) // 1)
