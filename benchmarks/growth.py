"""Growth: what the driver spends per trial at 100, 1,000 and 5,000 trials (random), its memory, and the report."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.timing import run, table
from tuner.cli.spaces import shipped
from tuner.search.chain import Chain
from tuner.search.group import Group
from tuner.search.plan import header, prepare
from tuner.search.samplers import Proposer
from tuner.search.trial import TrialJob
from tuner.spec.records import FoldCurves, TrialRecord
from tuner.store import Entry, Store, StoredChain

EPOCHS = 20


def fake(job: TrialJob) -> dict[str, TrialRecord]:
    """A record as a worker would send it, without the training."""
    curve = tuple(round(0.5 + 0.4 * (e + job.number % 7) / (EPOCHS + 7), 7) for e in range(EPOCHS))
    folds = (curve,) * 5
    record = TrialRecord(
        job.number, "complete", job.values, job.configuration, 1.0, curve[-1], curve[:5], (EPOCHS,) * 5, curve,
        FoldCurves(folds, folds, folds), 1000,
    )  # fmt: skip
    return {view.chain: record for view in job.chains}


def main() -> None:
    """Print milliseconds per trial of the newest 100 trials, and the report's seconds."""
    prepared = prepare(shipped()["regression"])
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.db"
        store, plan, search = Store(path), prepared.plan.chains[-1], prepared.experiment.search
        head = header(prepared, "growth") | {"trials": 5000}
        store.create("growth", head | {"chains": head["chains"][-1:]}, maximize=False)
        chain = Chain(plan, 5000, False, StoredChain())
        proposer = Proposer(prepared.experiment.space, "random", 0, plan.name, False)
        group = Group([chain], proposer, search)
        start = time.perf_counter()
        for number in range(1, 5001):
            job = group.next_job()
            assert isinstance(job, TrialJob)
            ready = group.accept(job, fake(job))
            store.write("growth", [Entry(c.name, r, group.frozen(r)) for c, r in ready])
            if number % 100 == 0:
                spent, start = (time.perf_counter() - start) * 10, time.perf_counter()
                if number in (100, 1000, 5000):
                    command = [sys.executable, "-m", "tuner", "report", str(path)]
                    reported = min(run(command, folder)[0] for _ in range(3))
                    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                    rows.append((number, spent, memory, reported))
                    start = time.perf_counter()
        store.close()
    columns = ("trials", "driver, ms per trial", "driver's peak memory, MB", "tuner report, s")
    table("Growth (random, one chain, 20 epochs, 5 folds; proposing, learning, writing)", columns, rows)
