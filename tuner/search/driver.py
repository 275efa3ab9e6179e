"""The driver: hands the jobs of all chains to an executor, breadth first, and writes the results. One per study."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from tuner.errors import NoResultError, StudyBusy, TimeIsOver, UsageError
from tuner.experiment.header import StudyHeader
from tuner.experiment.records import RefitRecord, TrialRecord
from tuner.experiment.sections import Limits, seconds, trial_time
from tuner.lock import lock
from tuner.process import use_one_thread
from tuner.search.budget import Budget
from tuner.search.chain import Chain
from tuner.search.events import ChainDone, Finished, Listener, Note, Tick
from tuner.search.executors import Executor, Inline, Processes
from tuner.search.group import Group, make_groups
from tuner.search.header import changes, header
from tuner.search.jobs import Job, Record, TrialJob
from tuner.search.machine import default_workers, devices, memory_budget_of
from tuner.search.options import SearchOptions
from tuner.search.prepare import Prepared
from tuner.search.provenance import begun, conditions, differences, recorded
from tuner.search.samplers import LEARNING
from tuner.store import Entry, Store, StoredChain, StoredStudy, holds_something, read, roll_back

HINTS = {  # for failed trials, by words of their reasons
    "out of memory": "smaller models, or a larger limits.memory",
    "is not a finite number": "smaller learning rates or models",
    "Error: ": "fix the code of the model, or exclude values that do not go together: constraints: […]",
}
FIRST_WORD = 5.0  # seconds to wait for another program before the user is notified
HELD = "another program holds the study file: waiting for it"
T = TypeVar("T")
TICK = 0.25  # seconds between two looks at the clock


def search(
    prepared: Prepared, options: SearchOptions, listener: Listener, empty: Callable[[], Path] | None = None
) -> None:
    """Run the search until every chain has its total of trials, continuing an existing study.

    Args:
        prepared: the experiment with its data and splits.
        options: options of the command line.
        listener: receives every event.
        empty: returns the path of an empty storage to copy for a new study; None: create one here.

    Raises:
        LimitReached: a limit was reached with work left.
        NoResultError: no configuration could be trained.
        UsageError: the study was made with other settings, data or code.
        StudyBusy: another process holds the study.
    """
    use_one_thread()  # also for the GP sampler
    where, name = devices(options.device), options.name or prepared.experiment.name
    limits = options.limits(prepared.experiment.limits)
    with lock(options.study, seconds(options.wait) if options.wait else 0.0) as held, ExitStack() as stack:
        budget = Budget(limits, options.begun)
        found, now = _wait_while_locked(lambda: _stored(prepared, options, name), budget, listener)
        found, again = _without_outside_failures(found)
        chains = _chains(prepared, now, found)
        driver = _Driver(prepared, chains, budget, limits, listener)
        executor = None
        if not driver.done:
            executor = stack.enter_context(closing(_executor(prepared, options, where)))
            driver.submit_jobs(executor)  # the workers start while the study's tables are created
        store = stack.enter_context(closing(Store(options.study, empty, held, driver.busy)))
        _register(store, options, found, now, prepared)
        for chain, numbers in again.items():
            store.forget(name, chain, *numbers)
            listener(Note(f"{chain}: trained again, as the machine was at fault: {_numbers(*numbers)}"))
        if executor:
            runs, here = found.runs if found else (), conditions(where)
            if changed := [each for run in runs[-1:] for each in differences(run, here)]:
                listener(Note(f"since the last run: {', '.join(changed)}; last digits of new trials may differ"))
            finished = sum(len(chain.trials) for chain in chains)
            run = begun(here, options.workers, finished, driver.seconds_left)
            with recorded(store, name, runs, run):
                driver.run(executor, store, name)
    _check_result(chains)


Numbers = tuple[list[int], list[int]]  # of trials and of refits


def _without_outside_failures(found: StoredStudy | None) -> tuple[StoredStudy | None, dict[str, Numbers]]:
    """The study without the trials that failed because of the machine, and the numbers of those trials by chain."""
    if found is None:
        return None, {}
    again = {name: chain.failed_externally for name, chain in found.chains.items() if any(chain.failed_externally)}
    kept = {name: chain.without(*again.get(name, ((), ()))) for name, chain in found.chains.items()}
    return replace(found, chains=kept), again


def _numbers(trials: list[int], refits: list[int]) -> str:
    return ", ".join([*(f"trial {number}" for number in trials), *(f"the refit of trial {n}" for n in refits)])


def _chains(prepared: Prepared, now: StudyHeader, found: StoredStudy | None) -> list[Chain]:
    stored = found.chains if found else {}
    return [
        Chain(plan, now.trials, prepared.metric.maximize, stored.get(plan.name, StoredChain()),
              default=prepared.default, rule=prepared.experiment.search.select)
        for plan in prepared.plan.chains
    ]  # fmt: skip


def _wait_while_locked(read: Callable[[], T], budget: Budget, listener: Listener) -> T:
    """The value that `read` returns; waits while another program locks the file, until the time limit."""
    noted = False
    while True:
        try:
            return read()
        except StudyBusy:  # after some seconds
            if budget.spent:
                raise _time_is_over() from None
        if not noted:
            listener(Note(HELD))
        noted = True


def _stored(prepared: Prepared, options: SearchOptions, name: str) -> tuple[StoredStudy | None, StudyHeader]:
    """The stored study, if it is of the same experiment, and the header with the total of this run."""
    roll_back(options.study)
    now = replace(header(prepared, name), trials=prepared.trials(options.trials))
    found = read(options.study, curves=False).get(name) if holds_something(options.study) else None
    if found is None:
        return None, now
    if options.fresh:
        if options.agreed is not None and found.trials > options.agreed:
            text = f"the study '{name}' has {found.trials} trials by now, and {options.agreed} were to be deleted"
            raise UsageError(text, "run it again, and confirm again")
        return None, now
    if changed := changes(found.header, now, prepared.experiment):
        raise UsageError(
            f"the study '{name}' in {options.study} was started with other settings, data or code: "
            + "; ".join(changed[:8]),
            "keep both with --name OTHER, or start over with --fresh (its trials are deleted)",
        )
    # the total cannot be smaller than the number of finished trials
    return found, replace(now, trials=max(now.trials, *(len(chain.trials) for chain in found.chains.values())))


def _register(
    store: Store, options: SearchOptions, found: StoredStudy | None, now: StudyHeader, prepared: Prepared
) -> None:
    """Create the study in the file, or store its new total."""
    if options.fresh:
        store.delete(now.name)
    if found is None:
        store.create(now)
    elif found.header.trials != now.trials:
        raised = (*found.header.raised, *_completed(prepared, found, now.trials))
        store.keep(now.name, replace(now, raised=raised))


def _completed(prepared: Prepared, found: StoredStudy, total: int) -> list[int]:
    """The stored total, if it was reached and its outer scores could be seen before this run raises it: then the raise
    may be optional stopping. Continuing to a total after a kill or a limit is not."""
    before = found.header.trials
    return [before] if before < total and all(c.done for c in _chains(prepared, found.header, found)) else []


def _check_result(chains: list[Chain]) -> None:
    failed = [chain.name for chain in chains if chain.best is None]
    if failed:
        reasons = {t.reason for chain in chains for t in chain.trials if t.state == "failed"}
        text = f"every trial of {', '.join(failed)} failed: {'; '.join(sorted(map(str, reasons)))[:300]}"
        hints = {hint for reason in reasons for words, hint in HINTS.items() if words in str(reason)}
        raise NoResultError(text, "; ".join([*sorted(hints), "tuner report shows the details"]))


def _executor(prepared: Prepared, options: SearchOptions, where: list[str]) -> Executor:
    memory_budget, work = memory_budget_of(prepared.experiment.limits, where), prepared.work
    if options.workers == 0 and not work.own:
        return Inline(work, where[0], memory_budget)
    workers = default_workers(where) if options.workers is None else max(1, options.workers)  # own code: never here
    search = prepared.experiment.search
    useful = len(prepared.plan.chains) * (search.batch or 1) if search.sampler in LEARNING else workers
    return Processes(work, where, min(workers, useful), memory_budget)


class _Driver:
    """Hands out jobs, takes in their results, writes these, and reports events to the listener."""

    def __init__(
        self, prepared: Prepared, chains: list[Chain], budget: Budget, limits: Limits, listener: Listener
    ) -> None:
        self._chains, self._listener = tuple(chains), listener
        self._done = {chain.name for chain in chains if chain.done}
        self._budget = budget
        self._groups = make_groups(chains, prepared.proposer, prepared.experiment.search, trial_time(limits))
        self._in_flight: dict[Job, Group] = {}
        self._closing = False
        self._waiting = False  # for another program that holds the study
        self._ended = False

    @property
    def done(self) -> bool:
        """Whether nothing is left to train."""
        return all(chain.done for chain in self._chains)

    @property
    def seconds_left(self) -> float | None:
        """Seconds that the run may still take, or None without a limit."""
        return self._budget.left

    def busy(self, seconds: float) -> None:
        """Called while another program holds the study: notify the user once, and keep waiting until the time limit.

        Once the run has ended, raise after `FIRST_WORD` seconds."""
        if self._budget.spent or (self._ended and seconds > FIRST_WORD):
            raise _time_is_over()
        if seconds > FIRST_WORD and not self._waiting:
            self._listener(Note(HELD))
        self._waiting = seconds > FIRST_WORD

    def run(self, executor: Executor, store: Store, name: str) -> None:
        """Run until no work is left or a limit is reached."""
        try:
            self._run(executor, store, name)
        finally:
            self._ended = True

    def _run(self, executor: Executor, store: Store, name: str) -> None:
        self._budget.check_failures(self._chains)
        while not self.done:
            for group in self._groups:
                self._write(store, name, group, group.shared_refits())
            self.submit_jobs(executor)
            if self._closing and not self._in_flight:
                raise _time_is_over()
            for job, outcome in executor.wait(TICK):
                group = self._in_flight.pop(job)
                self._write(store, name, group, group.accept(job, outcome))
            running = executor.running()
            for text in executor.notes():
                self._listener(Note(text))
            self._listener(Tick(self._chains, tuple(running), self._budget.left))
            if self._budget.spent and not self.done:
                raise _time_is_over()
            if not self._closing and self._budget.closing(self._chains, len(running) + executor.free):
                self._close(executor)

    def submit_jobs(self, executor: Executor) -> None:
        """Fill the free workers: refits first, because they complete a fold, then the group with the fewest trials."""
        waiting = list(self._groups)
        while executor.free and waiting:
            group = min(waiting, key=lambda g: (not g.winner_waits, not g.searched, g.proposed))
            job = group.next_job()
            if job is None:
                waiting.remove(group)
            else:
                executor.submit(job)
                self._in_flight[job] = group

    def _close(self, executor: Executor) -> None:
        """Abandon running trials, and use the remaining time for the refits of the current winners."""
        self._closing = True
        for group in self._groups:
            group.close()
        for job in [job for job in self._in_flight if isinstance(job, TrialJob)]:
            executor.abandon(job)
            del self._in_flight[job]

    def _write(self, store: Store, name: str, group: Group, ready: list[tuple[Chain, Record]]) -> None:
        if not ready:
            return
        store.write(name, [_entry(group, chain, record) for chain, record in ready])
        for chain, record in ready:
            self._listener(Finished(chain, record))
        for chain in self._chains:
            if chain.name not in self._done and chain.done:
                self._done.add(chain.name)
                self._listener(ChainDone(chain))
        if any(isinstance(record, TrialRecord) and record.state == "failed" for _, record in ready):
            self._budget.check_failures(self._chains)


def _time_is_over() -> TimeIsOver:
    return TimeIsOver("the time limit was reached with work left")


def _entry(group: Group, chain: Chain, record: Record) -> Entry:
    return Entry(chain.name, record, None if isinstance(record, RefitRecord) else group.frozen(record))
