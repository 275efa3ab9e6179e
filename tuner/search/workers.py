"""A worker: a child process that takes jobs from a pipe and sends back what came of them."""

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
from tuner.search.shared import Memory, Placed, place, placed
from tuner.search.trial import OutOfMemory, Runner, explain, failure
from tuner.training.fitting import DoesNotFit, MemoryBudget

STARTED = 600.0  # seconds to import, and to read the data
NOT_BEGUN = -1  # in the place of an epoch


@dataclass(frozen=True)
class Trouble:
    """A worker reports that it cannot work at all: no fault of any trial."""

    error: TunerError


@dataclass(frozen=True)
class TooLarge:
    """A worker reports that the job takes `needed` bytes, more than it was given room for."""

    needed: float


@dataclass(frozen=True)
class Outside:
    """The job failed for a reason that may lie outside of it; what becomes of it if it does so again, and the share of
    all memory that the process held then, or would have held."""

    outcome: Outcome
    share: float


Answer = Outcome | Trouble | TooLarge | Outside


@dataclass(frozen=True, eq=False)
class Task:
    """What all workers of a search have in common: the data (its arrays in shared memory) and the metric."""

    work: Work
    data: Placed
    memory: Memory

    @classmethod
    def share(cls, work: Work) -> Task:
        """One copy of the data for all workers. Raises `LimitReached` where there is no memory for it."""
        memory = Memory()
        data = place(work.dataset, memory)
        return cls(replace(work, dataset=data.rest), data, memory)

    @property
    def whole(self) -> Work:
        """With the data put together again."""
        return replace(self.work, dataset=placed(self.data, self.memory))


class Epoch:
    """The epoch that a job has reached, as the worker tells and the driver reads."""

    def __init__(self, memory: Memory) -> None:
        self._number = np.frombuffer(memory.mapped(), np.int64)

    @property
    def value(self) -> int:
        return int(self._number[0])

    @value.setter
    def value(self, epoch: int) -> None:
        self._number[0] = epoch


@dataclass(eq=False)
class Worker:
    """The driver's end of a worker, and the job it is at."""

    child: Child
    epoch: Epoch
    device: str
    job: Job | None = None
    since: float = 0.0
    starting: bool = False  # it has been given its first job, and has not begun it
    largest: float = 0.0  # bytes of memory that the process was seen to hold
    number: int = field(default=0)  # of the job

    @classmethod
    def start(cls, task: Task, device: str) -> Worker:
        """A new process; gone when the driver is gone."""
        memory = Memory()
        memory.reserve(8)
        return cls(Child.start(_work, task, device, memory), Epoch(memory), device)

    @property
    def pipe(self) -> Connection:
        """This end of its pipe."""
        return self.child.pipe

    def give(self, job: Job, room: MemoryBudget) -> None:
        """Begin the job."""
        self.job, self.since, self.largest, self.epoch.value = job, time.monotonic(), 0.0, NOT_BEGUN
        self.starting, self.number = self.number == 0, self.number + 1
        with contextlib.suppress(OSError):  # it died just now: whoever waits finds its end
            self.pipe.send((self.number, job, room))

    def look(self) -> None:
        """Note when it begins its job, and how much memory it holds. Raises `LimitReached` where it does not begin."""
        if self.starting and self.begun:
            self.starting, self.since = False, time.monotonic()  # importing the user's code is no time of the trial
        if self.starting and self.seconds > STARTED:
            raise self.child.died(f"was to begin within {STARTED:g} s")
        with contextlib.suppress(psutil.Error):
            self.largest = max(self.largest, psutil.Process(self.child.process.pid).memory_info().rss)

    def answer(self) -> Answer | None:
        """What it says of its job; None if that is about an earlier one. Raises `EOFError` or `OSError` if it died."""
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
        """Since the job began, or, before that, was given."""
        return time.monotonic() - self.since


def _work(pipe: Connection, task: Task, device: str, memory: Memory) -> None:
    """A worker's life: jobs in, records out, until the driver is gone."""
    process, epoch = os.getpid(), Epoch(memory)
    try:
        runner = Runner(task.whole, device)
    except Exception as error:
        pipe.send((None, Trouble(_not_started(error, device))))
        return

    def heard(now: int, *_: float) -> None:
        epoch.value = now

    while True:
        try:
            number, job, room = pipe.recv()
        except EOFError:
            return
        answer: Answer
        epoch.value = 0
        try:
            answer = runner.run(job, heard, room)
        except DoesNotFit as error:
            answer = TooLarge(error.needed)
        except OutOfMemory as error:
            answer = Outside(error.outcome, error.share)
        except LimitReached as error:
            answer = Trouble(error)
        except BaseException as error:  # a model's own KeyboardInterrupt, say: nobody else sends one here
            answer = failure(job, explain(error), 0.0)
        if os.getpid() != process:
            os._exit(0)  # a model has forked: this is the copy, and the answer is for the other to give
        pipe.send((number, answer))


def _not_started(error: Exception, device: str) -> TunerError:
    if isinstance(error, LimitReached):
        return error
    if lack := lacking(error):
        return LimitReached(f"a worker cannot begin: {lack}")
    said, cure = (error.message, error.hint) if isinstance(error, TunerError) else (explain(error), None)
    return UsageError(f"a worker cannot begin on {device}: {said}", cure or "fewer --workers, or --device cpu")
