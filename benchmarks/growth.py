"""Growth: what the driver spends per trial at 100, 1,000 and 5,000 trials (random), its memory, and the report.

It is the driver as it is, with an executor that trains nothing; then a second run that goes on from 5,000 trials.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from unittest import mock

from benchmarks.timing import memory, run, table
from tuner.cli.lines import Lines
from tuner.cli.spaces import shipped
from tuner.experiment.records import FoldCurves, RefitRecord, TrialRecord
from tuner.search.driver import search
from tuner.search.events import Event, Finished
from tuner.search.executors import Running
from tuner.search.jobs import Job, Outcome, RefitJob
from tuner.search.options import SearchOptions
from tuner.search.prepare import prepare

EPOCHS, MARKS = 20, (100, 1000, 5000)
ROOT = str(Path(__file__).parent.parent)
GOING_ON = "import sys; from benchmarks.growth import grow; grow(sys.argv[1], int(sys.argv[2]))"


class Fake:
    """Answers at once, as a worker would that has trained."""

    def __init__(self) -> None:
        self.free, self._job = 1, None

    def submit(self, job: Job) -> None:
        """Keep it."""
        self.free, self._job = 0, job

    def wait(self, timeout: float) -> list[tuple[Job, Outcome]]:
        """Its records; every number is an object of its own."""
        job, self._job, self.free = self._job, None, 1
        return [] if job is None else [(job, _outcome(job))]

    def running(self) -> list[Running]:
        """Nothing."""
        return []

    def notes(self) -> list[str]:
        """None."""
        return []

    def abandon(self, job: Job) -> None:
        """Nothing runs."""

    def close(self) -> None:
        """Nothing is open."""


def _outcome(job: Job) -> Outcome:
    if isinstance(job, RefitJob):
        return {job.chain: RefitRecord(job.number, job.epochs, 1.0, 1.0)}
    found = {}
    numbers = (random.random() for _ in itertools.count())
    for view in job.chains:
        folds, losses, scores = (tuple(tuple(itertools.islice(numbers, EPOCHS)) for _ in view.views) for _ in range(3))
        means = tuple(itertools.islice(numbers, EPOCHS))
        found[view.chain] = TrialRecord(
            job.number, "complete", job.values, job.configuration, 1.0, score=means[-1],
            fold_scores=means[: len(folds)], best_epochs=(EPOCHS,) * len(folds), means=means, parameters=1000,
            curves=FoldCurves(folds, losses, scores),
        )  # fmt: skip
    return found


def grow(folder: str, total: int) -> None:
    """Search to `total`; print as JSON, at every mark: trials, milliseconds per trial since the last 100, MB, the
    report's seconds."""
    path, start, count, rows = Path(folder) / "study.db", time.perf_counter(), 0, []
    lines = Lines(lambda text: None)

    def handle(event: Event) -> None:
        nonlocal start, count
        lines.handle(event)
        last = isinstance(event, Finished) and event.chain.name == "final" and isinstance(event.record, TrialRecord)
        count += last
        if last and count % 100 == 0:
            spent, start = (time.perf_counter() - start) * 10, time.perf_counter()
            number = len(event.chain.trials)
            if number in (*MARKS, total):
                reported = min(run([sys.executable, "-m", "tuner", "report", str(path)], folder)[0] for _ in range(3))
                peak = memory("VmHWM") / 2**20
                rows.append((number, spent, peak, reported))
                start = time.perf_counter()

    with mock.patch("tuner.search.driver._executor", lambda *_: Fake()):
        search(prepare(shipped()["regression"]), SearchOptions(path, trials=total), handle)
    print(json.dumps(rows))


def main() -> None:
    """Print milliseconds per trial of the newest 100 trials of every chain, and the report's seconds."""
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for total in (MARKS[-1], MARKS[-1] + 100):
            found += json.loads(run([sys.executable, "-c", GOING_ON, folder, str(total)], ROOT)[1])
    *rows, again = found
    table(
        "Growth (random, 6 chains that share trainings, 20 epochs; the driver without the trainings)",
        ("trials", "driver, ms per trial", "driver's peak memory, MB", "tuner report, s"),
        [*rows, (f"{again[0]}, going on from {MARKS[-1]}", *again[1:])],
    )
