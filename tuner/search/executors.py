"""Where jobs run: in this process, or in worker processes that the driver can kill. An executor never chooses."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Protocol

from tuner.data.dataset import Dataset
from tuner.errors import UsageError
from tuner.search.trial import Job, Outcome, Runner, failure
from tuner.search.workers import Answer, NotStarted, Task, TooLarge, Worker
from tuner.training.fitting import ENDLESS, DoesNotFit, Room

GRACE = 5.0  # seconds beyond its limit after which a trial that does not stop by itself is killed


@dataclass(frozen=True)
class Running:
    """What a worker is doing now."""

    job: Job
    epoch: int
    seconds: float


@dataclass(frozen=True)
class Died:
    """A worker has died over a job; what becomes of that if it cannot be tried once more."""

    outcome: Outcome


class Executor(Protocol):
    """Takes jobs while `free` is above 0, and gives back what is finished."""

    @property
    def free(self) -> int: ...
    def submit(self, job: Job) -> None: ...
    def wait(self, timeout: float) -> list[tuple[Job, Outcome]]: ...
    def running(self) -> list[Running]: ...
    def abandon(self, job: Job) -> None: ...
    def close(self) -> None: ...


class Inline:
    """One job at a time in this process; for tests, debugging and small machines."""

    def __init__(self, dataset: Dataset, metric: str, device: str, room: Room = ENDLESS) -> None:
        self._runner, self._room = Runner(dataset, metric, device), room
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
        if job is None:
            return []
        try:
            return [(job, self._runner.run(job, room=self._room))]
        except DoesNotFit as error:
            return [(job, failure(job, str(error), 0.0))]

    def running(self) -> list[Running]:
        """Nothing runs between two calls."""
        return []

    def abandon(self, job: Job) -> None:
        """Forget the job that waits."""
        self._job = None

    def close(self) -> None:
        """Nothing to close."""


class Processes:
    """Workers as processes that the driver can kill. `room` is what those of one device may take together.

    A job that is too large for a worker's share goes to fewer workers with larger shares, once all are done; what is
    too large for one is a failed trial, or is tried all the same where the room is not strict. A job whose worker died
    is tried once more, with nothing beside it: often it was the system, for want of memory.
    """

    def __init__(
        self, dataset: Dataset, metric: str, devices: Sequence[str], workers: int, room: Room = ENDLESS
    ) -> None:
        self._task, self._room = Task.share(dataset, metric), room
        self._most = -(-workers // len(devices))  # workers of one device
        self._too_large: list[tuple[Job, float]] = []
        self._bereft: list[Job] = []  # their first worker died
        self._tried: set[Job] = set()
        self._alone = False
        self._workers: list[Worker] = []
        try:
            for number in range(workers):
                self._workers.append(Worker.start(self._task, devices[number % len(devices)]))
        except BaseException:
            self.close()
            raise

    @property
    def free(self) -> int:
        """How many workers can take a job."""
        waiting = self._too_large or self._bereft or self._alone
        return 0 if waiting else sum(worker.job is None for worker in self._workers)

    def submit(self, job: Job) -> None:
        """Hand the job to a free worker."""
        worker = next(w for w in self._workers if w.job is None)
        if not worker.process.is_alive():  # it died while idle: no fault of this job
            worker = self._replace(worker)
        worker.give(job, self._share)

    @property
    def _share(self) -> Room:
        return Room(self._room.size / self._most, self._room.strict or self._most > 1)

    def wait(self, timeout: float) -> list[tuple[Job, Outcome]]:
        """What has finished, waiting up to `timeout` seconds for something to."""
        busy = {w.pipe: w for w in self._workers if w.job is not None}
        ready = wait([*busy, *(w.process.sentinel for w in busy.values())], timeout)
        done: list[tuple[Job, Outcome]] = []
        for pipe, worker in busy.items():
            job = worker.job
            assert job is not None
            if pipe in ready or worker.process.sentinel in ready:
                answer = self._collect(worker, job)
                if isinstance(answer, TooLarge):
                    self._too_large.append((job, answer.needed))
                elif isinstance(answer, Died) and job not in self._tried:
                    self._bereft.append(job)
                else:
                    done.append((job, answer.outcome if isinstance(answer, Died) else answer))
            elif job.time_limit is not None and worker.seconds > job.time_limit + GRACE:
                reason = f"took longer than limits.trial_time ({job.time_limit:g} s), and was killed"
                done.append((job, failure(job, reason, worker.seconds, epoch=worker.epoch.value)))
                self._replace(worker)
        if not any(worker.job for worker in self._workers):
            done += self._when_quiet()
        return done

    def _when_quiet(self) -> list[tuple[Job, Outcome]]:
        """Nothing runs: time for the jobs that wait for that."""
        self._alone = bool(self._bereft)
        if not self._alone:
            return self._make_room()
        job = self._bereft.pop(0)
        self._tried.add(job)
        self.submit(job)
        return []

    def _make_room(self) -> list[tuple[Job, Outcome]]:
        """Give out the jobs that were too large, to as many workers as have room for the largest of them."""
        waiting, self._too_large = self._too_large, []
        room = self._room
        hopeless = [(job, needed) for job, needed in waiting if room.strict and needed > room.size]
        waiting = [each for each in waiting if each not in hopeless]
        self._narrow(min([self._most, *(max(1, int(room.size // needed)) for _, needed in waiting)]))
        for job, _ in waiting[: len(self._workers)]:
            self.submit(job)
        self._too_large = waiting[len(self._workers) :]
        return [(job, failure(job, str(DoesNotFit(needed, room.size)), 0.0)) for job, needed in hopeless]

    def _narrow(self, most: int) -> None:
        """Go on with this many workers on each device."""
        self._most, staying = most, Counter[str]()
        for worker in list(self._workers):
            staying[worker.device] += 1
            if staying[worker.device] > most:
                worker.end()
                self._workers.remove(worker)

    def running(self) -> list[Running]:
        """What each busy worker is doing."""
        return [Running(w.job, w.epoch.value, w.seconds) for w in self._workers if w.job is not None]

    def abandon(self, job: Job) -> None:
        """Stop the job, or forget it where it waits."""
        self._too_large = [each for each in self._too_large if each[0] is not job]
        self._bereft = [each for each in self._bereft if each is not job]
        for worker in self._workers:
            if worker.job is job:
                self._replace(worker)
                self._alone = False

    def close(self) -> None:
        """Kill every worker: what they were at is simply not finished."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.end()
        self._workers = []

    def _collect(self, worker: Worker, job: Job) -> Outcome | TooLarge | Died:
        try:
            answer: Answer | Died = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join()
            code = worker.process.exitcode or 0
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            answer = Died(failure(job, f"the worker process died ({how})", worker.seconds, epoch=worker.epoch.value))
            self._replace(worker)
        if isinstance(answer, NotStarted):
            hint = "fewer --workers, or --device cpu"
            raise UsageError(f"a worker cannot begin on {worker.device}: {answer.reason}", hint)
        worker.job = None
        return answer

    def _replace(self, worker: Worker) -> Worker:
        worker.end()
        fresh = Worker.start(self._task, worker.device)
        self._workers[self._workers.index(worker)] = fresh
        return fresh
