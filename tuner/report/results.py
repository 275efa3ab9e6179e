"""The results of a study as frozen values: the outer score, the winner of each fold, the ranking. Without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from tuner.errors import NoStudyYet, UsageError, did_you_mean
from tuner.experiment.header import ChainHeader, Dummy
from tuner.experiment.packing import unpack
from tuner.experiment.records import RefitRecord, TrialRecord
from tuner.experiment.selection import Selection, ranked
from tuner.metrics import METRICS
from tuner.metrics.parts.metric import OfSums
from tuner.report.by_row import Corrected, OuterFoldScores, bates, bootstrap_corrected, selection_corrected_score
from tuner.report.gains import Gain, adjusted
from tuner.report.statistics import (
    Interval,
    corrected_interval,
    corrected_p,
    differences,
    expected_half_width,
    tibshirani,
)
from tuner.store import StoredChain, StoredStudy, read, read_trial

Kind = Literal["corrected", "bates"]  # kind of the score's interval
REPEATS = 5  # repeats of the outer folds that the report recommends: more gain little (benchmarks/README.md)
FEW = 50  # rows or groups: with fewer, repeats are not counted as evidence (benchmarks/intervals.py)


@dataclass(frozen=True)
class OuterFold:
    """One outer fold: its winner, and the scores of winner, default and dummy on its test rows."""

    name: str
    rows: int
    test: int
    digest: str
    winner: TrialRecord | None
    refit: RefitRecord | None
    default: RefitRecord | None
    dummy: Dummy

    @property
    def score(self) -> float | None:
        """The outer-test score of the winner."""
        return self.refit.score if self.refit else None


class Results:
    """A study, read once; every number of the report is a property. `others`: the other studies of its file."""

    def __init__(self, study: StoredStudy, path: Path, kind: Kind = "corrected", others: Sequence[str] = ()) -> None:
        self.path, self.kind, self.others = path, kind, tuple(others)
        self.study, self.name, self.header, self.chains = study, study.name, study.header, study.chains
        self.metric: str = study.header.metric
        self.maximize: bool = study.header.maximize
        self.total: int = study.header.trials
        self.selections = {
            chain.name: Selection(self.maximize, study.header.select, chain.share) for chain in study.header.chains
        }

    @cached_property
    def folds(self) -> tuple[OuterFold, ...]:
        """Every outer fold of the plan, finished or not."""
        return tuple(self._fold(chain) for chain in self.header.outer)

    def _fold(self, chain: ChainHeader) -> OuterFold:
        stored = self.chains[chain.name]
        done = len(stored.trials) >= self.total
        winner = self.selections[chain.name].chosen(stored.trials) if done else self._last_winner(chain.name, stored)
        return OuterFold(
            chain.name, chain.rows, chain.test, chain.digest,
            winner=winner,
            refit=stored.refits.get(winner.number) if winner else None,
            default=stored.refits.get(0) if self.header.default else None,
            dummy=chain.dummy or Dummy("", None, ignores_features=True),
        )  # fmt: skip

    def _last_winner(self, chain: str, stored: StoredChain) -> TrialRecord | None:
        """For a chain that has not reached its total: the last winner that was refitted."""
        for refit in sorted(stored.refits.values(), key=lambda refit: -refit.after):
            then = self.selections[chain].chosen(trial for trial in stored.trials if trial.number < refit.after)
            if then and then.number == refit.number:
                return then
        return None

    @cached_property
    def scored(self) -> tuple[OuterFold, ...]:
        """The outer folds with a test score."""
        return tuple(fold for fold in self.folds if fold.score is not None)

    @property
    def complete(self) -> bool:
        """Whether every chain has all its trials, and every outer fold its score."""
        if any(len(chain.trials) < self.total for chain in self.chains.values()):
            return False
        return all(
            trial.number in self.chains[fold.name].refits
            for fold in self.folds
            for trial in self.selections[fold.name].to_refit(self.chains[fold.name].trials, default=self.header.default)
        )

    @property
    def flat(self) -> bool:
        """Whether there are no outer folds, so that the only score is the one that the search optimized."""
        return not self.folds

    @property
    def final(self) -> StoredChain:
        """The chain on all rows, which chooses the configuration to deploy."""
        return self.chains["final"]

    @cached_property
    def deployed(self) -> TrialRecord | None:
        """The winner of the final chain so far."""
        return self.selections["final"].chosen(self.final.trials)

    @cached_property
    def score(self) -> Interval | None:
        """The mean outer-test score with an interval of the wanted kind."""
        if self.kind == "bates":
            found = self._bates() if self.scored else None
        else:
            found = self._interval([fold.score for fold in self.scored if fold.score is not None])
        return found and found.within(*self.header.bounds)

    def _bates(self) -> Interval:
        needs = {
            "a metric that is a mean over rows which count alike": self.header.by_row,
            "rows that are cut at random": self.header.cut == "random",
            "inner folds that are the other outer parts (inner: shared, outer: 3 or more)": self._shared(),
            "outer-test folds of several rows": min(fold.test for fold in self.folds) > 1,
            "the rule select: best": self.header.select == "best",
        }
        if missing := [need for need, met in needs.items() if not met]:
            text = f"--interval bates needs {' and '.join(missing)}, which {self.name} does not have"
            raise UsageError(text, "--interval corrected")
        held = []
        for fold in self.scored:
            assert fold.refit and fold.refit.row_scores
            tried = [trial.fold_scores for trial in self.ranking(fold.name)]
            held.append(OuterFoldScores(unpack(fold.refit.row_scores), selection_corrected_score(tried, self.maximize)))
        return bates(held, len(self.folds) // self.header.repeats, self.header.dataset.rows)

    @property
    def half_with_repeats(self) -> float | None:
        """The half width of the interval to expect with `REPEATS` repeats, if there is one now."""
        scores = [fold.score for fold in self.scored if fold.score is not None]
        once = self.header.repeats == 1 and self.header.repeatable and self.kind == "corrected"
        if len(scores) < 2 or not once or self.few:
            return None
        return expected_half_width(scores, self.test_share, REPEATS)

    def _shared(self) -> bool:
        """Whether every chain's inner folds are the outer parts but one."""
        parts = len(self.folds) // self.header.repeats
        return parts > 2 and all(chain.folds == parts - 1 for chain in self.header.outer)

    @cached_property
    def corrected(self) -> float | None:
        """The best score of a flat search minus its estimated bias (Tibshirani & Tibshirani 2009); not nested."""
        chosen, sign = self.deployed, -1 if self.maximize else 1
        if not self.flat or chosen is None or chosen.score is None or self.header.select != "best":
            return None
        if len(chosen.fold_scores) < 2:
            return None
        errors = [[sign * score for score in trial.fold_scores] for trial in self.ranking()]
        return chosen.score + sign * tibshirani(errors)

    @cached_property
    def bootstrapped(self) -> Corrected | None:
        """The best score of a flat search by bootstrap bias-corrected cross-validation, if row scores are stored."""
        metric = METRICS.get(self.header.metric)
        kept = [trial.row_scores for trial in self.ranking()]
        best = self.header.select == "best" and self.header.cut != "time"  # whose rows cannot be resampled
        validated = self.header.chains[0].validated
        if not self.flat or not kept or None in kept or not best or validated is None or metric is None:
            return None
        totals = [unpack(each) for each in kept if each is not None]
        if not isinstance(metric.compute, OfSums):
            return None
        if totals[0].ndim == 1:  # scores of rows, whose mean is that of the set
            totals = [np.stack([np.ones(len(each)), each], axis=1) for each in totals]
        return bootstrap_corrected(totals, unpack(validated), metric.compute.score, self.maximize)

    @property
    def storage_warnings(self) -> list[str]:
        """Warnings about records that another program, or a second search at the same time, wrote into the file."""
        doubled = [(name, number) for name, chain in self.chains.items() for number in chain.doubled]
        doubles = [f"trial {number} of {name} is stored twice; the first one is used" for name, number in doubled]
        foreign = sum(chain.foreign for chain in self.chains.values())
        return doubles + (
            [f"the file has {foreign} trials that were not written by tuner; they are ignored"] if foreign else []
        )

    @cached_property
    def inner_best(self) -> float | None:
        """The mean inner score of the winners of the scored outer folds."""
        seen = [fold.winner.score for fold in self.scored if fold.winner and fold.winner.score is not None]
        return sum(seen) / len(seen) if seen else None

    @cached_property
    def optimism(self) -> float | None:
        """How much better the inner score is than the outer one: positive if it is optimistic."""
        if self.score is None or self.inner_best is None:
            return None
        return (self.inner_best - self.score.mean) * (1 if self.maximize else -1)

    @property
    def against_default(self) -> Gain | None:
        """Tuned against the default configuration, paired over the outer folds."""
        return self._gains.get("default")

    @property
    def against_dummy(self) -> Gain | None:
        """Tuned against a predictor that ignores the features, paired over the outer folds."""
        return self._gains.get("dummy")

    @cached_property
    def _gains(self) -> dict[str, Gain]:
        """Every comparison that the report makes, with p-values adjusted for their number."""
        found = {
            "default": self._compare([(f.score, f.default.score if f.default else None) for f in self.scored]),
            "dummy": self._compare([(f.score, f.dummy.score) for f in self.scored]),
        }
        return adjusted({name: gain for name, gain in found.items() if gain is not None})

    def _compare(self, pairs: Sequence[tuple[float | None, float | None]]) -> Gain | None:
        both = [(a, b) for a, b in pairs if a is not None and b is not None]
        if not both:
            return None
        ours, theirs = zip(*both, strict=True)
        gains = differences(ours, theirs) if self.maximize else differences(theirs, ours)
        gain = self._interval(gains)
        assert gain is not None
        p = corrected_p(gains, self.test_share, self.max_independent)
        return Gain(sum(theirs) / len(theirs), gain, tuple(gains), p)

    @cached_property
    def default(self) -> TrialRecord | None:
        """Trial 0, if it is the default configuration; its values are the same in every chain."""
        if not self.header.default:
            return None
        first = (chain.trials[0] for chain in self.chains.values() if chain.trials)
        return next((trial for trial in first if trial.number == 0), None)

    @cached_property
    def default_score(self) -> Interval | None:
        """Mean outer-test score of the default configuration with its corrected interval, on the scored folds."""
        scores = [fold.default.score for fold in self.scored if fold.default and fold.default.score is not None]
        found = self._interval(scores)
        return found and found.within(*self.header.bounds)

    def _interval(self, values: Sequence[float]) -> Interval | None:
        return corrected_interval(values, self.test_share, max_independent=self.max_independent) if values else None

    @property
    def few(self) -> bool:
        """Whether there are so few rows or groups that further repeats are no further evidence."""
        return bool(0 < self.header.units < FEW)

    @property
    def max_independent(self) -> int | None:
        """How many outer scores count in an interval: with few rows or groups, those of one repeat."""
        return len(self.folds) // self.header.repeats if self.few else None

    @property
    def test_share(self) -> float:
        """The number of test rows per training row in the outer folds."""
        return sum(f.test / f.rows for f in self.folds) / len(self.folds)

    def ranking(self, chain: str = "final") -> list[TrialRecord]:
        """The complete trials of a chain, best first."""
        return ranked(self.chain(chain).trials, self.maximize)

    def chain(self, name: str) -> StoredChain:
        """A chain by name. Raises `UsageError`."""
        if name not in self.chains:
            raise UsageError(f"no chain '{name}' in the study '{self.name}'", did_you_mean(name, self.chains))
        return self.chains[name]

    def trial(self, chain: str, number: int) -> TrialRecord:
        """A finished trial of a chain by number. Raises `UsageError`."""
        trials = self.chain(chain).trials
        found = next((trial for trial in trials if trial.number == number), None)
        if found is None:
            last = max((trial.number for trial in trials), default=None)
            hint = "no trial is finished" if last is None else f"tuner report --chain {chain} lists those up to {last}"
            raise UsageError(f"{chain} has no finished trial {number}", hint)
        return found

    def whole(self, chain: str, trial: TrialRecord) -> TrialRecord:
        """The trial with its curves."""
        return read_trial(self.path, self.name, chain, trial.number)

    @property
    def began(self) -> str:
        """When its last run began, in ISO 8601; empty if no run is recorded."""
        return self.study.runs[-1].start if self.study.runs else ""

    def unscored(self) -> list[str]:
        """The reasons why finished outer folds have no score."""
        return [f"{fold.name} ({fold.refit.reason})" for fold in self.folds if fold.refit and fold.refit.score is None]

    def pruned(self) -> tuple[int, float]:
        """(trials that were stopped early, share of all planned epochs that this saved at most)."""
        trials = [t for chain in self.chains.values() for t in chain.trials if t.state != "failed"]
        planned = [t.configuration.epochs for t in trials]
        stopped = [(all_, t.epochs) for all_, t in zip(planned, trials, strict=True) if t.state == "pruned"]
        return len(stopped), sum(all_ - done for all_, done in stopped) / max(sum(planned), 1)

    def finished(self) -> int:
        """The number of finished trials over all chains."""
        return sum(len(chain.trials) for chain in self.chains.values())


def load(path: Path, name: str | None = None, *, curves: bool = False, kind: Kind = "corrected") -> Results:
    """The results of one study of a file.

    Args:
        name: name of the study; None for the one that ran last.
        curves: also load the learning curves of all trials; `Results.whole` reads those of one.
        kind: interval of the score.

    Raises:
        UsageError: there is no such study.
        StorageError: the file is not a study, or is damaged.
    """
    studies = {results.name: results for results in every(path, curves=curves, kind=kind)}
    name = name or max(reversed(studies), key=lambda each: studies[each].began)  # of equal ones the newest
    if name not in studies:
        raise UsageError(f"no study '{name}' in {path}", did_you_mean(name, studies))
    return studies[name]


def every(path: Path, *, curves: bool = False, kind: Kind = "corrected") -> list[Results]:
    """The results of every study of the file, oldest first. Raises `NoStudyYet`."""
    studies = read(path, curves=curves, older=True)
    if not studies:
        raise NoStudyYet(f"{path} holds no tuner study", "tuner search FILE makes one")
    return [Results(study, path, kind, [each for each in studies if each != name]) for name, study in studies.items()]
