"""The driver: gives chains' jobs to an executor, breadth first, and writes what comes back. One per study."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tuner.errors import LimitReached, NoResultError, UsageError
from tuner.search.chain import Chain
from tuner.search.executors import Executor, Inline, Processes, Running
from tuner.search.plan import Prepared, changes, devices, header
from tuner.search.samplers import LEARNING, Proposer
from tuner.spec.records import RefitRecord, TrialRecord
from tuner.spec.sections import Limits, seconds
from tuner.store import Store, StoredChain, lock, read

TICK = 0.25  # seconds between two looks at the clock


@dataclass(frozen=True)
class Finished:
    """A trial or refit is done and written."""

    chain: Chain
    record: TrialRecord | RefitRecord


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
        chains = [_chain(prepared, i, now["trials"], stored) for i in range(len(prepared.plan.chains))]
        if not all(chain.done for chain in chains):
            executor = _executor(prepared, wishes, where)
            try:
                _drive(chains, executor, store, name, prepared.experiment.limits, listener)
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


def _chain(prepared: Prepared, index: int, total: int, stored: Mapping[str, StoredChain]) -> Chain:
    experiment, plan = prepared.experiment, prepared.plan.chains[index]
    search = experiment.search
    proposer = Proposer(experiment.space, search.sampler, search.seed, plan.name, prepared.metric.maximize)
    limit = experiment.limits.trial_time
    return Chain(plan, proposer, total, search.seed, search.batch, stored[plan.name], seconds(limit) if limit else None)


def _executor(prepared: Prepared, wishes: Wishes, where: list[str]) -> Executor:
    if wishes.workers == 0:
        return Inline(prepared.dataset, prepared.metric.name, where[0])
    search = prepared.experiment.search
    useful = len(prepared.plan.chains) * search.batch if search.sampler in LEARNING else wishes.workers
    return Processes(prepared.dataset, prepared.metric.name, where, min(wishes.workers, useful))


def _drive(
    chains: list[Chain], executor: Executor, store: Store, name: str, limits: Limits, listener: Listener
) -> None:
    deadline = _deadline(limits)
    by_name = {chain.name: chain for chain in chains}
    while True:
        idle = _give_out(chains, executor)
        if idle and all(chain.done for chain in chains):
            return
        for job, record in executor.wait(TICK):
            chain = by_name[job.chain]
            for ready in chain.accept(record):
                _write(store, name, chain, ready)
                listener(Finished(chain, ready))
            _check_failures(chain, limits)
        listener(Tick(tuple(chains), tuple(executor.running())))
        if time.monotonic() > deadline and not all(chain.done for chain in chains):
            raise LimitReached("the time limit was reached with work left", "the same command goes on")


def _give_out(chains: list[Chain], executor: Executor) -> bool:
    """Fill the free workers, the chain with the fewest trials first; returns whether nothing is in flight."""
    waiting = list(chains)
    while executor.free and waiting:
        chain = min(waiting, key=lambda c: (not c.searched, c.asked))  # a refit first: it completes a fold
        job = chain.next_job()
        if job is None:
            waiting.remove(chain)
        else:
            executor.submit(job)
    return len(waiting) == 0


def _write(store: Store, name: str, chain: Chain, record: TrialRecord | RefitRecord) -> None:
    if isinstance(record, RefitRecord):
        store.add_refit(name, chain.name, record)
    else:
        store.add_trial(name, chain.name, record, chain.frozen(record))


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
