"""Proposes configurations: the default first, then grid cells in order, or Optuna's random, TPE or GP sampler.

Every proposal is seeded by the study's seed and the trial's number (for samplers that learn also by the chain), so
proposals do not depend on the process, the time or the number of restarts.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from tuner.errors import NoResultError
from tuner.experiment import grid
from tuner.experiment.records import TrialRecord
from tuner.experiment.space import Choice, Domain, Parameter, Space, Value, Values
from tuner.process import silence_optuna
from tuner.seeds import seed_of

MOST_COUNTED = 200_000  # cells of a grid with constraints
MOST_ATTEMPTS = 1000  # draws per trial before the constraints are considered to exclude all configurations
LEARNED_ATTEMPTS = 5
LEARNING = ("tpe", "gp")
STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}

silence_optuna()


def distribution(domain: Domain) -> BaseDistribution:
    """The domain as an Optuna distribution."""
    if isinstance(domain, Choice):
        return CategoricalDistribution(domain.options)
    if domain.integer:
        return IntDistribution(int(domain.low), int(domain.last), domain.log, int(domain.step or 1))
    return FloatDistribution(domain.low, domain.last, domain.log, domain.step)


class Proposer:
    """Proposes the trials of one chain and learns from those that are finished."""

    def __init__(self, space: Space, sampler: str, seed: int, chain: str, maximize: bool) -> None:
        self.space, self.sampler, self.seed, self.chain = space, sampler, seed, chain
        self.maximize = maximize
        self.learns = sampler in LEARNING
        self._distributions = {p.path: distribution(p.domain) for p in space.parameters}
        self._cells: list[Values] = []
        self._rest = _sequence(space) if sampler == "grid" else iter(())
        self._study = optuna.create_study(direction="maximize" if maximize else "minimize")
        self._worst: float | None = None

    def available(self, total: int) -> int:
        """The number of trials that there can be, at most `total`: a grid is limited to the cells that constraints
        admit. Raises `NoResultError`."""
        if self.sampler != "grid":
            return total
        if not self.space.constraints:
            return min(total, grid.size(self.space))
        self._reach(min(total, MOST_COUNTED + 1))
        if len(self._cells) > MOST_COUNTED and total > MOST_COUNTED:
            text = f"the constraints admit more than {MOST_COUNTED:,} cells of the grid"
            raise NoResultError(text, "search.trials says how many of them to try")
        return min(total, len(self._cells))

    def _reach(self, total: int) -> None:
        self._cells += itertools.islice(self._rest, max(0, total - len(self._cells)))

    def propose(self, number: int) -> Values:
        """The configuration of trial `number` (from 0). Deterministic, given the reported trials.

        Returns:
            Parameter path → value, active parameters only.

        Raises:
            NoResultError: no draw satisfies the constraints.
            IndexError: a grid has fewer than `number` + 1 cells (see `available`).
        """
        if self.sampler == "grid":
            self._reach(number + 1)
            return self._cells[number]
        if number == 0 and self.space.admits(default := self.space.default()):
            return default
        for attempt in range(MOST_ATTEMPTS):
            values = self._draw(number, attempt)
            if self.space.admits(values):
                return values
        raise NoResultError(
            f"no configuration satisfies the constraints in {MOST_ATTEMPTS:,} draws", "loosen the constraints"
        )

    def _draw(self, number: int, attempt: int) -> Values:
        purpose = (self.seed, number, attempt, *((self.chain,) if self.learns else ()))
        # a sampler that learns would keep proposing the same excluded region
        name = self.sampler if attempt < LEARNED_ATTEMPTS else "random"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna marks grouped TPE as experimental on every draw
            self._study.sampler = _sampler(name, seed_of(*purpose) % 2**32)
            trial = self._study.ask()
            values = self.space.walk(lambda parameter: self._suggest(trial, parameter))
            # samplers ignore failed trials, so a mere proposal does not influence later draws
            self._study.tell(trial, state=TrialState.FAIL)
        return values

    def _suggest(self, trial: Trial, parameter: Parameter) -> Value:
        path, domain = parameter.path, parameter.domain
        if isinstance(domain, Choice):
            chosen: Value = trial.suggest_categorical(path, domain.options)
            return chosen
        wanted = self._distributions[path]
        if isinstance(wanted, IntDistribution):
            return trial.suggest_int(path, wanted.low, wanted.high, step=wanted.step, log=wanted.log)
        assert isinstance(wanted, FloatDistribution)
        return domain.nearest(trial.suggest_float(path, wanted.low, wanted.high, step=wanted.step, log=wanted.log))

    def learn(self, record: TrialRecord) -> None:
        """Report a finished trial to the sampler; call in order of trial numbers.

        A failed trial is reported as infeasible to TPE, and with the worst score so far to GP, so that both avoid its
        neighbourhood. Optuna's samplers ignore trials in state FAIL.
        """
        if not self.learns:
            return
        if record.score is not None:
            worse = min if self.maximize else max
            self._worst = record.score if self._worst is None else worse(self._worst, record.score)
        if record.state != "failed":
            self._study.add_trial(self.frozen(record))
        elif self.sampler == "tpe" or self._worst is not None:
            self._study.add_trial(
                create_trial(
                    state=TrialState.COMPLETE,
                    value=0.0 if self._worst is None else self._worst,
                    params=record.values,
                    distributions=self._of(record),
                    constraints={"failed": 1.0} if self.sampler == "tpe" else None,
                )
            )

    def frozen(self, record: TrialRecord) -> FrozenTrial:
        """The record as an Optuna trial."""
        return create_trial(
            state=STATES[record.state],
            value=record.score if record.state == "complete" else None,
            params=record.values,
            distributions=self._of(record),
            intermediate_values=dict(enumerate(record.means, start=1)),
        )

    def _of(self, record: TrialRecord) -> dict[str, BaseDistribution]:
        return {path: self._distributions[path] for path in record.values}


def _sampler(name: str, seed: int) -> BaseSampler:
    if name == "tpe":
        return TPESampler(seed=seed, multivariate=True, group=True, constant_liar=False)
    return GPSampler(seed=seed, deterministic_objective=False) if name == "gp" else RandomSampler(seed=seed)


def _sequence(space: Space) -> Iterator[Values]:
    """The default's cell first, then every other admissible cell in order."""
    default = space.default(on_grid=True)
    if space.admits(default):
        yield default
    yield from (cell for cell in grid.cells(space) if cell != default)
