"""A worker: a child process that receives jobs through a pipe and sends back their outcomes."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection

import numpy as np
import psutil

from tuner.errors import LimitReached, TunerError, UsageError, lacking
from tuner.search.child import Child, received
from tuner.search.jobs import Job, Outcome, Work
from tuner.search.shared import Memory, SharedDataset, from_shared_memory, to_shared_memory
from tuner.search.trial import OutOfMemory, Runner, explain, failure
from tuner.training.fitting import DoesNotFit, MemoryBudget

STARTED = 600.0  # seconds to import, and to read the data
NOT_BEGUN = -1  # instead of an epoch


@dataclass(frozen=True)
class WorkerFailure:
    """A worker reports that it cannot run any job; no trial is at fault."""

    error: TunerError


@dataclass(frozen=True)
class TooLarge:
    """A worker reports that the job needs `needed` bytes, more than its memory budget."""

    needed: float


@dataclass(frozen=True)
class ExternalFailure:
    """The job failed, perhaps because of other programs: the outcome if it fails again, and the share of all memory
    that the process used or asked for."""

    outcome: Outcome
    share: float


Answer = Outcome | WorkerFailure | TooLarge | ExternalFailure


@dataclass(frozen=True, eq=False)
class Task:
    """The values that all workers of a search share: the work, and its data in shared memory."""

    work: Work
    data: SharedDataset
    memory: Memory

    @classmethod
    def share(cls, work: Work) -> Task:
        """Copy the data once for all workers. Raises `LimitReached` if there is no memory for the copy."""
        memory = Memory()
        data = to_shared_memory(work.dataset, memory)
        return cls(replace(work, dataset=data.rest), data, memory)

    @property
    def whole(self) -> Work:
        """The work, with the data put together from shared memory."""
        return replace(self.work, dataset=from_shared_memory(self.data, self.memory))


class Epoch:
    """The epoch that a job has reached: written by the worker, read by the driver."""

    def __init__(self, memory: Memory) -> None:
        self._number = np.frombuffer(memory.mapped(), np.int64)

    @property
    def value(self) -> int:
        """The epoch, from 0, or `NOT_BEGUN`."""
        return int(self._number[0])

    @value.setter
    def value(self, epoch: int) -> None:
        """Let the driver see the epoch."""
        self._number[0] = epoch


@dataclass(eq=False)
class Worker:
    """The driver's end of a worker, and the job that it runs."""

    child: Child
    epoch: Epoch
    device: str
    job: Job | None = None
    since: float = 0.0
    starting: bool = False  # it has received its first job, and has not begun it
    largest: float = 0.0  # bytes of memory that the process was seen to hold
    number: int = field(default=0)  # of the job

    @classmethod
    def start(cls, task: Task, device: str) -> Worker:
        """Start a process, which ends when the driver ends."""
        memory = Memory()
        memory.reserve(8)
        return cls(Child.start(_work, task, device, memory), Epoch(memory), device)

    @property
    def pipe(self) -> Connection:
        """This end of its pipe."""
        return self.child.pipe

    def send(self, job: Job, memory_budget: MemoryBudget) -> None:
        """Send the job to the worker."""
        self.job, self.since, self.largest, self.epoch.value = job, time.monotonic(), 0.0, NOT_BEGUN
        self.starting, self.number = self.number == 0, self.number + 1
        with contextlib.suppress(OSError):  # it has just died; `wait` will notice
            self.pipe.send((self.number, job, memory_budget))

    def poll(self) -> None:
        """Record when it starts its job and how much memory it uses. Raises `LimitReached` if it does not start."""
        if self.starting and self.begun:
            self.starting, self.since = False, time.monotonic()  # the time to import user code is not part of the trial
        if self.starting and self.seconds > STARTED:
            raise self.child.died(f"was to begin within {STARTED:g} s")
        with contextlib.suppress(psutil.Error):
            self.largest = max(self.largest, psutil.Process(self.child.process.pid).memory_info().rss)

    def answer(self) -> Answer | None:
        """Its answer about its job; None if it is about an earlier one. Raises `EOFError`, `OSError` if it has died."""
        try:
            number, answer = received(self.child.pipe)
        except (TypeError, ValueError) as error:  # not from `_work`
            raise EOFError from error
        return answer if number in (self.number, None) else None

    @property
    def begun(self) -> bool:
        """Whether it has begun the job."""
        return self.epoch.value != NOT_BEGUN

    @property
    def reached(self) -> int:
        """The epoch that the job has reached, from 0."""
        return max(0, self.epoch.value)

    @property
    def seconds(self) -> float:
        """Seconds since the job was started, or, before that, since it was sent."""
        return time.monotonic() - self.since


def _work(pipe: Connection, task: Task, device: str, memory: Memory) -> None:
    """Receive jobs and send back their outcomes, until the driver ends."""
    process, epoch = os.getpid(), Epoch(memory)
    try:
        runner = Runner(task.whole, device)
    except Exception as error:
        pipe.send((None, WorkerFailure(_not_started(error, device))))
        return

    def on_epoch(now: int, *_: float) -> None:
        epoch.value = now

    while True:
        try:
            number, job, memory_budget = pipe.recv()
        except EOFError:
            return
        answer: Answer
        epoch.value = 0
        try:
            answer = runner.run(job, on_epoch, memory_budget)
        except DoesNotFit as error:
            answer = TooLarge(error.needed)
        except OutOfMemory as error:
            answer = ExternalFailure(error.outcome, error.share)
        except LimitReached as error:
            answer = WorkerFailure(error)
        except BaseException as error:  # such as a KeyboardInterrupt, which only a model can raise here
            answer = failure(job, explain(error), 0.0)
        if os.getpid() != process:
            os._exit(0)  # the user's code forked: exit in the copy, the original sends the answer
        pipe.send((number, answer))


def _not_started(error: Exception, device: str) -> TunerError:
    if isinstance(error, LimitReached):
        return error
    if lack := lacking(error):
        return LimitReached(f"a worker cannot begin: {lack}")
    text, hint = (error.message, error.hint) if isinstance(error, TunerError) else (explain(error), None)
    return UsageError(f"a worker cannot begin on {device}: {text}", hint or "fewer --workers, or --device cpu")
