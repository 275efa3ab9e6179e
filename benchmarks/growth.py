"""Growth: what the driver spends per trial at 100, 1,000 and 5,000 trials (random), its memory, and the report."""

from __future__ import annotations

import itertools
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.timing import run, table
from tuner.cli.spaces import shipped
from tuner.search.chain import Chain
from tuner.search.group import make_groups
from tuner.search.plan import header, prepare
from tuner.search.samplers import Proposer
from tuner.search.trial import TrialJob
from tuner.spec.records import FoldCurves, TrialRecord
from tuner.spec.sections import Search
from tuner.store import Entry, Store, StoredChain

EPOCHS = 20


def fake(job: TrialJob) -> dict[str, TrialRecord]:
    """Records as a worker would send them, without the training; every number is an object of its own."""
    found = {}
    for view in job.chains:
        numbers = (random.random() for _ in itertools.count())
        folds, losses, scores = (tuple(tuple(itertools.islice(numbers, EPOCHS)) for _ in view.views) for _ in range(3))
        means = tuple(itertools.islice(numbers, EPOCHS))
        found[view.chain] = TrialRecord(
            job.number, "complete", job.values, job.configuration, 1.0, score=means[-1],
            fold_scores=means[: len(folds)], best_epochs=(EPOCHS,) * len(folds), means=means, parameters=1000,
            curves=FoldCurves(folds, losses, scores),
        )  # fmt: skip
    return found


def main() -> None:
    """Print milliseconds per trial of the newest 100 trials of every chain, and the report's seconds."""
    prepared = prepare(shipped()["regression"])
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path, total = Path(folder) / "study.db", 5000
        store, search, name = Store(path), Search(sampler="random"), "growth"
        store.create(name, header(prepared, name) | {"trials": total}, maximize=False)
        chains = [Chain(plan, total, False, StoredChain()) for plan in prepared.plan.chains]
        (group,) = make_groups(
            chains, lambda chain: Proposer(prepared.experiment.space, "random", 0, chain, False), search, None
        )
        start = time.perf_counter()
        for number in range(1, total + 1):
            job = group.next_job()
            assert isinstance(job, TrialJob)
            records = fake(job)
            ready = group.accept(job, records)
            store.write(name, [Entry(c.name, r, group.frozen(r)) for c, r in ready])
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
    table(
        f"Growth (random, {len(chains)} chains that share trainings, 20 epochs; proposing, learning, writing)",
        columns,
        rows,
    )
