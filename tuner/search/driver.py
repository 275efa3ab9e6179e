"""The driver: gives chains' jobs to an executor, breadth first, and writes what comes back. One per study."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import torch

from tuner.errors import LimitReached, NoResultError, UsageError
from tuner.lock import lock
from tuner.search.chain import Chain
from tuner.search.executors import Executor, Inline, Processes, Running
from tuner.search.group import Group, make_groups
from tuner.search.machine import cores, room_of
from tuner.search.plan import Prepared, changes, devices, header
from tuner.search.samplers import LEARNING
from tuner.search.trial import Record
from tuner.spec.records import RefitRecord, failures_in_a_row, ranked
from tuner.spec.sections import Limits, seconds
from tuner.store import Entry, Store, StoredChain, StoredStudy, holds_something, mend, read, read_trial

TICK = 0.25  # seconds between two looks at the clock


@dataclass(frozen=True)
class Finished:
    """A trial or refit is done and written."""

    chain: Chain
    record: Record


@dataclass(frozen=True)
class Tick:
    """A moment has passed; what runs now."""

    chains: tuple[Chain, ...]
    running: tuple[Running, ...]


Listener = Callable[[Finished | Tick], None]


@dataclass(frozen=True)
class Wishes:
    """What the command line adds to an experiment."""

    study: Path
    name: str | None = None
    trials: int | None = None
    workers: int | None = None  # by default the cores, on accelerators one for each; 0: in this process
    device: str = "auto"
    fresh: bool = False


def search(prepared: Prepared, wishes: Wishes, listener: Listener, empty: Callable[[], Path] | None = None) -> None:
    """Search to the total, going on from what the study holds; a new one begins as the storage `empty` tells of.

    Raises `LimitReached` at a limit with work left, `NoResultError` if no configuration could be trained.
    """
    torch.set_num_threads(1)  # the GP sampler's results depend on it, as trainings do
    where, name = devices(wishes.device), wishes.name or prepared.experiment.name
    with lock(wishes.study), ExitStack() as stack:
        mend(wishes.study)
        found, now = _stored(prepared, wishes, name)
        chains = _chains(prepared, now, found)
        driver = _Driver(prepared, chains, listener)
        executor = None
        if not driver.done:
            executor = stack.enter_context(closing(_executor(prepared, wishes, where)))
            driver.give_out(executor)  # the workers begin while the study's tables are made
        store = stack.enter_context(closing(Store(wishes.study, empty)))
        _register(store, wishes, name, found, now, prepared.metric.maximize)
        if executor:
            driver.run(executor, store, name)
    _check_result(chains)


def _chains(prepared: Prepared, now: Mapping[str, Any], found: StoredStudy | None) -> list[Chain]:
    stored = found.chains if found else {}
    return [
        Chain(plan, now["trials"], prepared.metric.maximize, stored.get(plan.name, StoredChain()),
              default=prepared.default)
        for plan in prepared.plan.chains
    ]  # fmt: skip


def _stored(prepared: Prepared, wishes: Wishes, name: str) -> tuple[StoredStudy | None, dict[str, Any]]:
    """The study as it is, if it is the same experiment, and its header with the total of this run."""
    now = header(prepared, name)
    now["trials"] = prepared.proposer("").available(wishes.trials or now["trials"])
    going_on = holds_something(wishes.study) and not wishes.fresh
    found = read(wishes.study, curves=False).get(name) if going_on else None
    if found is None:
        return None, now
    if differences := changes(found.header, now):
        raise UsageError(
            f"the study '{name}' in {wishes.study} was started with another experiment: " + "; ".join(differences[:8]),
            "keep both with --name OTHER, or start over with --fresh (its trials are deleted)",
        )
    # a total below what is finished cannot be had any more
    now["trials"] = max(now["trials"], *(len(chain.trials) for chain in found.chains.values()))
    return _with_curves(wishes.study, found, prepared.metric.maximize), now


def _with_curves(path: Path, found: StoredStudy, maximize: bool) -> StoredStudy:
    """The study with the curves of those trials that may be refitted: memory need not hold all of them."""
    wanted = {0}
    for chain in found.chains.values():
        wanted |= {trial.number for trial in ranked(chain.trials, maximize)[:1]}
        wanted |= {trial.number for place, trial in enumerate(chain.trials) if trial.number != place}  # after a gap
    chains = {}
    for name, chain in found.chains.items():
        trials = (read_trial(path, found.name, name, t.number) if t.number in wanted else t for t in chain.trials)
        chains[name] = replace(chain, trials=tuple(trials))
    return replace(found, chains=chains)


def _register(
    store: Store, wishes: Wishes, name: str, found: StoredStudy | None, now: dict[str, Any], maximize: bool
) -> None:
    """Make the study in the file, or its new total known there."""
    if wishes.fresh:
        store.delete(name)
    if found is None:
        store.create(name, now, maximize)
    elif found.header["trials"] != now["trials"]:
        store.write_header(name, {**found.header, "trials": now["trials"]})


def _check_result(chains: list[Chain]) -> None:
    failed = [chain.name for chain in chains if chain.best is None]
    if failed:
        reasons = {t.reason for chain in chains for t in chain.trials if t.state == "failed"}
        text = f"every trial of {', '.join(failed)} failed: {'; '.join(sorted(map(str, reasons)))[:300]}"
        raise NoResultError(text, "smaller learning rates or models; details: tuner report")


def _executor(prepared: Prepared, wishes: Wishes, where: list[str]) -> Executor:
    room, on = room_of(prepared.experiment.limits, where), (prepared.dataset, prepared.metric.name)
    if wishes.workers == 0:
        return Inline(*on, where[0], room)
    workers = wishes.workers or (cores() if where == ["cpu"] else len(where))
    search = prepared.experiment.search
    useful = len(prepared.plan.chains) * (search.batch or 1) if search.sampler in LEARNING else workers
    return Processes(*on, where, min(workers, useful), room)


class _Driver:
    """Gives out jobs, takes them back, writes what came of them, and tells the listener."""

    def __init__(self, prepared: Prepared, chains: list[Chain], listener: Listener) -> None:
        self._chains, self._listener = tuple(chains), listener
        limits, search = prepared.experiment.limits, prepared.experiment.search
        self._most_failures = limits.failures
        self._deadline = _deadline(limits)
        trial_time = seconds(limits.trial_time) if limits.trial_time else None
        self._groups = make_groups(chains, prepared.proposer, search, trial_time)
        self._in_flight: dict[int, Group] = {}

    @property
    def done(self) -> bool:
        """Whether nothing is left to train."""
        return all(chain.done for chain in self._chains)

    def run(self, executor: Executor, store: Store, name: str) -> None:
        """Until nothing is left, or a limit is reached."""
        self._check_failures()
        while not self.done:
            for group in self._groups:
                self._write(store, name, group, group.settle())
            self.give_out(executor)
            for job, outcome in executor.wait(TICK):
                group = self._in_flight.pop(id(job))
                self._write(store, name, group, group.accept(job, outcome))
            self._listener(Tick(self._chains, tuple(executor.running())))
            if time.monotonic() > self._deadline and not self.done:
                raise LimitReached("the time limit was reached with work left", "the same command goes on")

    def give_out(self, executor: Executor) -> None:
        """Fill the free workers: refits first, because they complete a fold, then the group with the fewest trials."""
        waiting = list(self._groups)
        while executor.free and waiting:
            group = min(waiting, key=lambda g: (not g.searched, g.asked))
            job = group.next_job()
            if job is None:
                waiting.remove(group)
            else:
                executor.submit(job)
                self._in_flight[id(job)] = group

    def _write(self, store: Store, name: str, group: Group, ready: list[tuple[Chain, Record]]) -> None:
        if ready:
            store.write(name, [_entry(group, chain, record) for chain, record in ready])
        for chain, record in ready:
            self._listener(Finished(chain, record))
        self._check_failures()

    def _check_failures(self) -> None:
        for chain in self._chains:
            if self._most_failures is not None and failures_in_a_row(chain.trials) >= self._most_failures:
                last = next(t.reason for t in reversed(chain.trials) if t.state == "failed")
                text = f"{self._most_failures} trials of {chain.name} failed in a row, the last one: {last}"
                raise NoResultError(text, "mend the search space; limits.failures sets this number")


def _entry(group: Group, chain: Chain, record: Record) -> Entry:
    return Entry(chain.name, record, None if isinstance(record, RefitRecord) else group.frozen(record))


def _deadline(limits: Limits) -> float:
    """The monotonic time at which to stop: the earlier of `time` and `until`, else never."""
    ends = [float("inf")]
    if limits.time:
        ends.append(time.monotonic() + seconds(limits.time))
    if limits.until:
        hour, minute = map(int, limits.until.split(":"))
        now = datetime.now().astimezone()
        then = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
        if then <= now:
            then += timedelta(days=1)
        # wall clock to wall clock in UTC, so that a night with a daylight-saving change has its true length
        then = then.replace(tzinfo=None).astimezone()
        ends.append(time.monotonic() + (then - now).total_seconds())
    return min(ends)
