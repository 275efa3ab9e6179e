"""The driver: gives chains' jobs to an executor, breadth first, and writes what comes back. One per study."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tuner.errors import LimitReached, NoResultError, UsageError
from tuner.search.chain import Chain
from tuner.search.executors import Executor, Inline, Processes, Running
from tuner.search.group import Group, make_groups
from tuner.search.plan import Prepared, changes, devices, header
from tuner.search.samplers import LEARNING, Proposer
from tuner.search.trial import Record
from tuner.spec.records import RefitRecord
from tuner.spec.sections import Limits, seconds
from tuner.store import Store, lock, read

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
    workers: int = 1
    device: str = "auto"
    fresh: bool = False


def search(prepared: Prepared, wishes: Wishes, listener: Listener) -> None:
    """Search to the total, going on from what the study holds.

    Raises `LimitReached` at a limit with work left, `NoResultError` if no configuration could be trained.
    """
    where = devices(wishes.device)
    with lock(wishes.study):
        store, name = Store(wishes.study), wishes.name or prepared.experiment.name
        now = _open_study(store, prepared, wishes, name)
        stored = read(wishes.study)[name].chains
        chains = [Chain(plan, now["trials"], prepared.metric.maximize, stored[plan.name])
                  for plan in prepared.plan.chains]  # fmt: skip
        if not all(chain.done for chain in chains):
            executor = _executor(prepared, wishes, where)
            try:
                _drive(_groups(prepared, chains), executor, store, name, prepared.experiment.limits, listener)
            finally:
                executor.close()
        if chains[0].total < now["trials"]:  # a grid whose constraints leave fewer cells than its size
            store.write_header(name, {**now, "trials": chains[0].total})
    failed = [chain.name for chain in chains if not any(t.state == "complete" for t in chain.trials)]
    if failed:
        reasons = {t.reason for chain in chains for t in chain.trials if t.state == "failed"}
        text = f"every trial of {', '.join(failed)} failed: {'; '.join(sorted(map(str, reasons)))[:300]}"
        raise NoResultError(text, "smaller learning rates or models; details: tuner report")


def _open_study(store: Store, prepared: Prepared, wishes: Wishes, name: str) -> dict[str, Any]:
    """Make the study or check that it is the same experiment; returns its header with the total of this run."""
    now = header(prepared, name)
    if wishes.trials is not None:
        now["trials"] = wishes.trials
    if wishes.fresh:
        store.delete(name)
    found = read(wishes.study).get(name)
    if found is None:
        store.create(name, now, prepared.metric.maximize)
        return now
    if differences := changes(found.header, now):
        raise UsageError(
            f"the study '{name}' in {wishes.study} was started with another experiment: " + "; ".join(differences[:8]),
            "keep both with --name OTHER, or start over with --fresh (its trials are deleted)",
        )
    # a total below what is finished cannot be had any more
    now["trials"] = max(now["trials"], *(len(chain.trials) for chain in found.chains.values()))
    if found.header["trials"] != now["trials"]:
        store.write_header(name, {**found.header, "trials": now["trials"]})
    return now


def _groups(prepared: Prepared, chains: list[Chain]) -> list[Group]:
    experiment = prepared.experiment
    search, limit = experiment.search, experiment.limits.trial_time
    proposers = {
        chain.name: Proposer(experiment.space, search.sampler, search.seed, chain.name, chain.maximize)
        for chain in chains
    }
    return make_groups(chains, proposers, search, seconds(limit) if limit else None)


def _executor(prepared: Prepared, wishes: Wishes, where: list[str]) -> Executor:
    if wishes.workers == 0:
        return Inline(prepared.dataset, prepared.metric.name, where[0])
    search = prepared.experiment.search
    useful = len(prepared.plan.chains) * (search.batch or 1) if search.sampler in LEARNING else wishes.workers
    return Processes(prepared.dataset, prepared.metric.name, where, min(wishes.workers, useful))


def _drive(
    groups: list[Group], executor: Executor, store: Store, name: str, limits: Limits, listener: Listener
) -> None:
    deadline = _deadline(limits)
    chains = tuple(chain for group in groups for chain in group.chains)

    def write(group: Group, ready: list[tuple[Chain, Record]]) -> None:
        for chain, record in ready:
            if isinstance(record, RefitRecord):
                store.add_refit(name, chain.name, record)
            else:
                store.add_trial(name, chain.name, record, group.frozen(record))
            listener(Finished(chain, record))
            _check_failures(chain, limits)

    in_flight: dict[int, Group] = {}
    for group in groups:
        write(group, group.settle())
    while not all(chain.done for chain in chains):
        _give_out(groups, executor, in_flight)
        for job, outcome in executor.wait(TICK):
            group = in_flight.pop(id(job))
            write(group, group.accept(job, outcome))
        listener(Tick(chains, tuple(executor.running())))
        if time.monotonic() > deadline and not all(chain.done for chain in chains):
            raise LimitReached("the time limit was reached with work left", "the same command goes on")


def _give_out(groups: list[Group], executor: Executor, in_flight: dict[int, Group]) -> None:
    """Fill the free workers: refits first, because they complete a fold, then the group with the fewest trials."""
    waiting = list(groups)
    while executor.free and waiting:
        group = min(waiting, key=lambda g: (not g.searched, g.asked))
        job = group.next_job()
        if job is None:
            waiting.remove(group)
        else:
            executor.submit(job)
            in_flight[id(job)] = group


def _check_failures(chain: Chain, limits: Limits) -> None:
    if limits.failures is not None and chain.failures_in_a_row() >= limits.failures:
        last = chain.trials[-1].reason
        text = f"{limits.failures} trials of {chain.name} failed in a row, the last one: {last}"
        raise NoResultError(text, "mend the search space; limits.failures sets this number")


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
