"""Runs jobs in this process, or in worker processes that the driver can kill.

An executor never chooses what is run, only when there is memory for it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Protocol

from rich.filesize import decimal

from tuner.errors import LimitReached, TunerError
from tuner.search.child import LAST, UNKNOWN
from tuner.search.jobs import Job, Outcome, Work
from tuner.search.machine import share_of_memory, too_much
from tuner.search.trial import OutOfMemory, Runner, failure
from tuner.search.workers import Answer, ExternalFailure, Task, TooLarge, Worker, WorkerFailure
from tuner.training.fitting import ENDLESS, DoesNotFit, MemoryBudget

PATIENCE = 0.25  # seconds between two looks at the clock
GRACE = 5.0  # seconds beyond its limit after which a trial that does not stop by itself is killed


@dataclass(frozen=True)
class Running:
    """The job that a worker is running."""

    job: Job
    epoch: int
    seconds: float


class Executor(Protocol):
    """Runs jobs.

    Attributes:
        free: number of jobs that `submit` accepts now.

    `submit` starts a job, only while `free` > 0. `wait` returns finished jobs with their outcomes, after at most
    `timeout` seconds if the executor has workers. `running` lists the jobs in progress, with epoch and seconds;
    `notes` the messages for the user since the last call. `abandon` stops a running job and discards its outcome;
    `close` stops all jobs.
    """

    @property
    def free(self) -> int: ...
    def submit(self, job: Job) -> None: ...
    def wait(self, timeout: float) -> list[tuple[Job, Outcome]]: ...
    def running(self) -> list[Running]: ...
    def notes(self) -> list[str]: ...
    def abandon(self, job: Job) -> None: ...
    def close(self) -> None: ...


class Inline:
    """Runs one job at a time in this process, for tests, debugging and small machines. User code never runs here."""

    def __init__(self, work: Work, device: str, memory_budget: MemoryBudget = ENDLESS) -> None:
        self._runner, self._memory_budget = Runner(work, device), memory_budget
        self._job: Job | None = None

    @property
    def free(self) -> int:
        """1 if no job is waiting."""
        return int(self._job is None)

    def submit(self, job: Job) -> None:
        """Keep the job for the next `wait`."""
        self._job = job

    def wait(self, timeout: float) -> list[tuple[Job, Outcome]]:
        """Run the waiting job."""
        job, self._job = self._job, None
        if job is None:
            return []
        try:
            return [(job, self._runner.run(job, memory_budget=self._memory_budget))]
        except DoesNotFit as error:
            return [(job, too_large(job, error.needed, self._memory_budget))]
        except OutOfMemory as error:
            return [(job, _failed_outcome(job, ExternalFailure(error.outcome, error.share)))]

    def running(self) -> list[Running]:
        """No job: none runs between two calls."""
        return []

    def notes(self) -> list[str]:
        """No notes: there are no worker processes."""
        return []

    def abandon(self, job: Job) -> None:
        """Forget the waiting job."""
        self._job = None

    def close(self) -> None:
        """Nothing to close."""


class Processes:
    """Runs jobs in worker processes. `memory_budget` is that of all workers of one device together.

    A job that exceeds a worker's share of memory waits until all workers are idle; then as many such jobs run at once
    as fit. A job that needs more than the maximum is a failed trial. A job whose worker died or ran out of memory is
    tried once more in the same way, with the whole budget. In a search with user code, a worker is replaced after each
    job, so that no state leaks: globals, random states, torch modes, environment, working directory.
    """

    def __init__(self, work: Work, devices: Sequence[str], workers: int, memory_budget: MemoryBudget = ENDLESS) -> None:
        self._task, self._memory_budget = Task.share(work), memory_budget
        self._renewed = bool(work.own)
        self._each = -(-workers // len(devices))  # workers of one device
        self._waiting: list[tuple[Job, float]] = []
        self._spacious = False  # fewer workers are running, with more memory each
        self._tried: set[Job] = set()  # jobs that failed once for an external reason
        self._notes: list[str] = []
        self._trouble: TunerError | None = None  # raised after the finished jobs have been returned
        self._workers: list[Worker] = []
        try:
            for number in range(workers):
                self._workers.append(Worker.start(self._task, devices[number % len(devices)]))
        except BaseException:
            self.close()
            raise

    @property
    def free(self) -> int:
        """The number of workers that can take a job."""
        held = self._waiting or self._spacious
        return 0 if held else sum(worker.job is None for worker in self._workers)

    def submit(self, job: Job) -> None:
        """Hand the job to a free worker."""
        self._give(next(w for w in self._workers if w.job is None), job, self._each)

    def _give(self, worker: Worker, job: Job, at_once: int) -> None:
        """Start the job with the memory budget of one of `at_once` workers of its device."""
        if not worker.child.process.is_alive():  # it died while idle: no fault of this job
            worker = self._replace(worker)
        share = self._memory_budget.size / at_once
        worker.send(job, MemoryBudget(share, self._memory_budget.limit if at_once == 1 else share))

    def wait(self, timeout: float) -> list[tuple[Job, Outcome]]:
        """Finished jobs with their outcomes; waits up to `timeout` seconds for the first one."""
        if self._trouble is not None:
            raise self._trouble
        busy = {w.pipe: w for w in self._workers if w.job is not None}
        ready = wait([*busy, *(w.child.process.sentinel for w in busy.values())], timeout)
        done: list[tuple[Job, Outcome]] = []
        for pipe, worker in busy.items():
            job = worker.job
            assert job is not None
            try:
                worker.poll()
                if pipe in ready or worker.child.process.sentinel in ready:
                    answer = self._collect(worker, job)
                    done += self._taken(job, answer)
                    if answer is not None and self._renewed and worker in self._workers:
                        self._replace(worker)
                elif job.time_limit is not None and worker.seconds > job.time_limit + GRACE and not worker.starting:
                    reason = f"took longer than limits.trial_time ({job.time_limit:g} s), and was killed"
                    done.append((job, failure(job, reason, worker.seconds, epoch=worker.reached)))
                    self._replace(worker)
            except TunerError as error:
                self._trouble = error
        if self._trouble is None and not any(worker.job for worker in self._workers):
            self._spacious = False
            try:
                done += self._free_memory()
            except TunerError as error:
                self._trouble = error
        return done

    def _taken(self, job: Job, answer: Outcome | TooLarge | ExternalFailure | None) -> list[tuple[Job, Outcome]]:
        """The outcome of the job, or nothing if it is not finished or will be tried again with more memory."""
        if answer is None:
            return []
        if isinstance(answer, TooLarge):
            self._waiting.append((job, answer.needed))
            return []
        if isinstance(answer, ExternalFailure):
            if job not in self._tried:
                self._tried.add(job)
                (record, *_) = answer.outcome.values()
                self._notes.append(f"{job}: {record.reason}; it is tried once more")
                self._waiting.append((job, self._memory_budget.size))
                return []
            answer = _failed_outcome(job, answer)
        return [(job, answer)]

    def _free_memory(self) -> list[tuple[Job, Outcome]]:
        """When no job is running, start the jobs that were too large: as many at once as fit into memory."""
        waiting, self._waiting = self._waiting, []
        memory_budget, failed = self._memory_budget, []
        for job, needed in waiting:
            if needed > memory_budget.limit:
                failed.append((job, too_large(job, needed, memory_budget)))
            else:
                self._waiting.append((job, needed))
        if self._waiting:
            self._spacious = True
            largest = max(needed for _, needed in self._waiting)
            at_once = int(memory_budget.size // largest) if largest < memory_budget.size else 1
            for worker in first_of_each(self._workers, at_once)[: len(self._waiting)]:
                self._give(worker, self._waiting.pop(0)[0], at_once)
        return failed

    def running(self) -> list[Running]:
        """The running jobs."""
        return [Running(w.job, w.reached, w.seconds) for w in self._workers if w.job is not None]

    def notes(self) -> list[str]:
        """Notes for the user since the last call: workers that died, and jobs that are tried once more."""
        notes, self._notes = self._notes, []
        return notes

    def abandon(self, job: Job) -> None:
        """Stop the job if it is running, or forget it if it is waiting."""
        self._waiting = [each for each in self._waiting if each[0] is not job]
        for worker in self._workers:
            if worker.job is job:
                self._replace(worker)
        self._spacious = self._spacious and any(worker.job for worker in self._workers)

    def close(self) -> None:
        """Kill every worker; running jobs are discarded."""
        for worker in self._workers:
            worker.child.process.kill()
        for worker in self._workers:
            worker.child.end()
        self._workers = []

    def _collect(self, worker: Worker, job: Job) -> Outcome | TooLarge | ExternalFailure | None:
        """The outcome of the job; None if it is still running."""
        answer: Answer | None
        try:
            answer = worker.answer()
        except (EOFError, OSError):
            if not worker.begun and job in self._tried:
                raise worker.child.died("was to begin a trial") from None
            answer = _died(worker, job, worker.child.ended(LAST))
            self._replace(worker)
        else:
            if isinstance(answer, WorkerFailure):
                raise answer.error
        if answer is not None:
            worker.job = None
        return answer

    def _replace(self, worker: Worker) -> Worker:
        worker.child.end()
        fresh = Worker.start(self._task, worker.device)
        self._workers[self._workers.index(worker)] = fresh
        return fresh


def outcome_of(executor: Executor, job: Job) -> Outcome:
    """Run one job to its end."""
    executor.submit(job)
    while not (done := executor.wait(PATIENCE)):
        pass
    return done[0][1]


def first_of_each(workers: Sequence[Worker], count: int) -> list[Worker]:
    """The first `count` workers of every device."""
    places, found = Counter[str](), []
    for worker in workers:
        places[worker.device] += 1
        if places[worker.device] <= count:
            found.append(worker)
    return found


def too_large(job: Job, needed: float, memory_budget: MemoryBudget) -> Outcome:
    """The outcome of a job that needs more memory than there is. Raises `LimitReached` if it would fit without other
    programs: they must not decide whether a trial fails."""
    if needed <= memory_budget.whole:
        text = f"{job} takes at least {too_much(needed, memory_budget.limit)}, as other programs hold the rest"
        raise LimitReached(f"{text}: end them, or set limits.memory, and trials that take more of it fail")
    return failure(job, f"out of memory: it takes at least {too_much(needed, memory_budget.limit)}", 0.0)


def _died(worker: Worker, job: Job, how: str) -> ExternalFailure:
    """The outcome of a job whose worker has died, and the share of memory that it used."""
    if how == "SIGKILL":
        held = decimal(int(worker.largest))
        reason = f"the worker process was killed ({how}) when it held {held} of memory"
    else:
        reason = f"the worker process ended ({how})"
    outcome = failure(job, reason, worker.seconds, epoch=worker.reached)
    return ExternalFailure(outcome, {"SIGKILL": share_of_memory(worker.largest), UNKNOWN: 0.0}.get(how, math.inf))


def _failed_outcome(job: Job, found: ExternalFailure) -> Outcome:
    """The outcome of a job that failed although it had the whole memory budget. Raises `LimitReached` if it used less
    than half of the memory: then other programs used the rest."""
    if found.share < 0.5:
        (record, *_) = found.outcome.values()
        text = f"{job} failed ({record.reason}) though it took less than half of the memory of the machine or GPU"
        raise LimitReached(f"{text}: other programs hold the rest, or kill workers (ulimit -v; dmesg; nvidia-smi)")
    return found.outcome
