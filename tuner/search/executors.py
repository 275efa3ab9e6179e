"""Where jobs run: in this process, or in worker processes that the driver can kill. An executor never chooses."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from multiprocessing.sharedctypes import Synchronized
from typing import Protocol

import torch
import torch.multiprocessing  # lets tensors travel to workers through shared memory

from tuner.data.dataset import Dataset
from tuner.errors import LimitReached, UsageError
from tuner.search.trial import Job, Outcome, Runner, explain, failure

GRACE = 5.0  # seconds beyond its limit after which a trial that does not stop by itself is killed


@dataclass(frozen=True)
class Running:
    """What a worker is doing now."""

    job: Job
    epoch: int
    seconds: float


@dataclass(frozen=True)
class NotStarted:
    """A worker's word that it cannot work at all: no fault of any trial."""

    reason: str


class Executor(Protocol):
    """Takes jobs while `free` is above 0, and gives back what is finished."""

    @property
    def free(self) -> int: ...
    def submit(self, job: Job) -> None: ...
    def wait(self, timeout: float) -> list[tuple[Job, Outcome]]: ...
    def running(self) -> list[Running]: ...
    def close(self) -> None: ...


class Inline:
    """One job at a time in this process; for tests, debugging and small machines."""

    def __init__(self, dataset: Dataset, metric: str, device: str, memory: float = math.inf) -> None:
        self._runner = Runner(dataset, metric, device, memory)
        self._job: Job | None = None

    @property
    def free(self) -> int:
        """1 if nothing waits."""
        return int(self._job is None)

    def submit(self, job: Job) -> None:
        """Keep the job for the next `wait`."""
        self._job = job

    def wait(self, timeout: float) -> list[tuple[Job, Outcome]]:
        """Run it."""
        job, self._job = self._job, None
        return [(job, self._runner.run(job))] if job else []

    def running(self) -> list[Running]:
        """Nothing runs between two calls."""
        return []

    def close(self) -> None:
        """Nothing to close."""


@dataclass(eq=False)
class _Worker:
    process: ForkServerProcess
    pipe: Connection
    epoch: Synchronized[int]
    device: str
    job: Job | None = None
    since: float = 0.0


class Processes:
    """Workers as forkserver processes with torch loaded: 0.03 s to start, killable, gone when the driver is gone.

    `memory` is what the stacks of each may take, in bytes.
    """

    def __init__(
        self, dataset: Dataset, metric: str, devices: Sequence[str], workers: int, memory: float = math.inf
    ) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._metric, self._memory = metric, memory
        # one copy of the data for all workers: tensors travel through shared memory
        tensors = [torch.from_numpy(array) for array in (dataset.features, dataset.targets)]
        shared = [tensor.share_memory_() for tensor in tensors]  # type: ignore[no-untyped-call]
        self._data = (replace(dataset, features=dataset.features[:0], targets=dataset.targets[:0]), *shared)
        self._workers: list[_Worker] = []
        try:
            for number in range(workers):
                self._workers.append(self._start(devices[number % len(devices)]))
        except BaseException:
            self.close()
            raise

    @property
    def free(self) -> int:
        """How many workers have no job."""
        return sum(worker.job is None for worker in self._workers)

    def submit(self, job: Job) -> None:
        """Hand the job to a free worker."""
        worker = next(w for w in self._workers if w.job is None)
        if not worker.process.is_alive():  # it died while idle: no fault of this job
            worker = self._replace(worker)
        worker.job, worker.since, worker.epoch.value = job, time.monotonic(), 0
        with contextlib.suppress(OSError):  # it died just now: wait() finds its end and reports the job
            worker.pipe.send(job)

    def wait(self, timeout: float) -> list[tuple[Job, Outcome]]:
        """What has finished, waiting up to `timeout` seconds for something to."""
        busy = {w.pipe: w for w in self._workers if w.job is not None}
        ready = wait([*busy, *(w.process.sentinel for w in busy.values())], timeout)
        done: list[tuple[Job, Outcome]] = []
        for pipe, worker in busy.items():
            job = worker.job
            assert job is not None
            if pipe in ready or worker.process.sentinel in ready:
                done.append((job, self._collect(worker, job)))
            elif self._overdue(worker, job):
                reason = f"took longer than limits.trial_time ({job.time_limit:g} s), and was killed"
                done.append((job, failure(job, reason, time.monotonic() - worker.since)))
                self._replace(worker)
        return done

    def running(self) -> list[Running]:
        """What each busy worker is doing."""
        now = time.monotonic()
        return [Running(w.job, w.epoch.value, now - w.since) for w in self._workers if w.job is not None]

    def close(self) -> None:
        """Kill every worker: what they were at is simply not finished."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
            worker.pipe.close()
        self._workers = []

    @staticmethod
    def _overdue(worker: _Worker, job: Job) -> bool:
        return job.time_limit is not None and time.monotonic() - worker.since > job.time_limit + GRACE

    def _collect(self, worker: _Worker, job: Job) -> Outcome:
        try:
            outcome: Outcome | NotStarted = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join()
            code = worker.process.exitcode or 0
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            outcome = failure(job, f"the worker process died ({how})", time.monotonic() - worker.since)
            self._replace(worker)
        if isinstance(outcome, NotStarted):
            hint = "fewer --workers, or --device cpu"
            raise UsageError(f"a worker cannot begin on {worker.device}: {outcome.reason}", hint)
        worker.job = None
        return outcome

    def _replace(self, worker: _Worker) -> _Worker:
        worker.process.kill()
        worker.process.join()
        worker.pipe.close()
        fresh = self._start(worker.device)
        self._workers[self._workers.index(worker)] = fresh
        return fresh

    def _start(self, device: str) -> _Worker:
        here, there = self._context.Pipe()
        epoch = self._context.Value("i", 0, lock=False)  # one writer; a lock could die held
        process = self._context.Process(
            target=_work, args=(there, *self._data, self._metric, device, self._memory, epoch), daemon=True
        )
        try:
            process.start()
        except (OSError, EOFError) as error:
            raise LimitReached(f"no worker process can be started: {error}", "the same command goes on") from error
        there.close()
        return _Worker(process, here, epoch, device)


def _work(
    pipe: Connection,
    dataset: Dataset,
    features: torch.Tensor,
    targets: torch.Tensor,
    metric: str,
    device: str,
    memory: float,
    epoch: Synchronized[int],
) -> None:
    """A worker's life: jobs in, records out, until the driver is gone."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # often sent to all; the driver hears them, and decides
    threading.Thread(target=_end_with_driver, daemon=True).start()
    try:
        whole = replace(dataset, features=features.numpy(), targets=targets.numpy())
        runner = Runner(whole, metric, device, memory)
    except Exception as error:
        pipe.send(NotStarted(explain(error)))
        return

    def heard(now: int, *_: float) -> None:
        epoch.value = now

    while True:
        try:
            job: Job = pipe.recv()
        except EOFError:
            return
        pipe.send(runner.run(job, heard))


def _end_with_driver() -> None:
    """Wait for the driver's end, however it comes, and end at once: no orphan goes on training."""
    driver = multiprocessing.parent_process()
    assert driver is not None
    driver.join()
    os._exit(1)
