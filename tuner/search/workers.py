"""A worker: a forkserver process that takes jobs from a pipe and sends back what came of them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import torch
import torch.multiprocessing  # lets tensors travel to workers through shared memory

from tuner.errors import LimitReached, TunerError
from tuner.search.jobs import Job, Outcome, Work
from tuner.search.trial import OutOfMemory, Runner, explain
from tuner.training.fitting import DoesNotFit, Room

RESTART = 0.5  # seconds


@dataclass(frozen=True)
class NotStarted:
    """A worker's word that it cannot work at all: no fault of any trial."""

    reason: str
    hint: str | None


@dataclass(frozen=True)
class TooLarge:
    """A worker's word that the job takes `needed` bytes, more than it was given room for."""

    needed: float


@dataclass(frozen=True)
class Outside:
    """The job failed for a reason that may lie outside of it; what becomes of it if it does so again."""

    outcome: Outcome


Answer = Outcome | NotStarted | TooLarge | Outside


ARRAYS = ("features", "targets", "side", "lengths", "weights")


@dataclass(frozen=True)
class Task:
    """What all workers of a search have in common: the data (its arrays apart, in shared memory) and the metric."""

    work: Work
    arrays: dict[str, torch.Tensor]

    @classmethod
    def share(cls, work: Work) -> Task:
        """One copy of the data for all workers: tensors travel through shared memory."""
        dataset = work.dataset
        names = [name for name in ARRAYS if getattr(dataset, name) is not None]
        arrays = {name: torch.from_numpy(getattr(dataset, name)) for name in names}
        for tensor in arrays.values():
            tensor.share_memory_()  # type: ignore[no-untyped-call]
        rest = replace(dataset, **{name: getattr(dataset, name)[:0] for name in names})
        return cls(replace(work, dataset=rest), arrays)

    def runner(self, device: str) -> Runner:
        """The data put together again, on the device."""
        arrays: dict[str, Any] = {name: tensor.numpy() for name, tensor in self.arrays.items()}
        return Runner(replace(self.work, dataset=replace(self.work.dataset, **arrays)), device)


@dataclass(eq=False)
class Worker:
    """The driver's end of a worker, and the job it is at."""

    process: ForkServerProcess
    pipe: Connection
    epoch: Synchronized[int]
    device: str
    job: Job | None = None
    since: float = 0.0

    @classmethod
    def start(cls, task: Task, device: str) -> Worker:
        """A new process with torch loaded, in 0.03 s; gone when the driver is gone."""
        context = multiprocessing.get_context("forkserver")
        here, there = context.Pipe()
        epoch = context.Value("i", 0, lock=False)  # one writer; a lock could die held
        for pause in (RESTART, None):
            process = context.Process(target=_work, args=(there, task, device, epoch), daemon=True)
            try:
                process.start()
                break
            except (OSError, EOFError) as error:
                if pause is None:
                    raise LimitReached(f"no worker process can be started: {error}") from error
                time.sleep(pause)  # the server that forks may have been killed: then the next start makes another
        there.close()
        return cls(process, here, epoch, device)

    def give(self, job: Job, room: Room) -> None:
        """Begin the job."""
        self.job, self.since, self.epoch.value = job, time.monotonic(), 0
        with contextlib.suppress(OSError):  # it died just now: whoever waits finds its end
            self.pipe.send((job, room))

    @property
    def seconds(self) -> float:
        """Since the job began."""
        return time.monotonic() - self.since

    def end(self) -> None:
        """Kill it: what it was at is simply not finished."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _work(pipe: Connection, task: Task, device: str, epoch: Synchronized[int]) -> None:
    """A worker's life: jobs in, records out, until the driver is gone."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # often sent to all; the driver hears them, and decides
    threading.Thread(target=_end_with_driver, daemon=True).start()
    with contextlib.suppress(OSError):  # where memory ends, a worker can be replaced, and other programs cannot
        Path("/proc/self/oom_score_adj").write_text("500")
    try:
        runner = task.runner(device)
    except Exception as error:
        told = isinstance(error, TunerError) and (error.message, error.hint)
        pipe.send(NotStarted(*(told or (explain(error), "fewer --workers, or --device cpu"))))
        return

    def heard(now: int, *_: float) -> None:
        epoch.value = now

    while True:
        try:
            job, room = pipe.recv()
        except EOFError:
            return
        answer: Answer
        try:
            answer = runner.run(job, heard, room)
        except DoesNotFit as error:
            answer = TooLarge(error.needed)
        except OutOfMemory as error:
            answer = Outside(error.outcome)
        pipe.send(answer)


def _end_with_driver() -> None:
    """Wait for the driver's end, however it comes, and end at once: no orphan goes on training."""
    driver = multiprocessing.parent_process()
    assert driver is not None
    driver.join()
    os._exit(1)
