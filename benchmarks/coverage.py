"""Coverage: how often the reported interval holds the true score, over many data sets of one known process.

The estimand is the score that tuning and training on 80 % of the rows reaches on new data, averaged over data sets. Every
outer-test score is an unbiased draw of it, so its grand mean over all data sets is the truth, to a few parts in a thousand.
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.timing import table

ROWS, FEATURES, DATASETS, REPEATS = 100, 5, 300, (1, 5)
SPACE = """
name: coverage
dataset: {{name: npz, path: {path}}}
model: {{name: mlp, hidden_size: [4, 16]}}
training: {{epochs: 8, batch_size: 16, optimizer: {{name: adam, learning_rate: {{low: 3e-3, high: 1e-1, log: true}}}}}}
metric: accuracy
resampling: {{outer: {{folds: 5, repeats: {repeats}}}, stratify: false}}
search: {{sampler: random, trials: 3}}
"""


@dataclass(frozen=True)
class Told:
    """What the report said of one data set, and its outer scores."""

    low: float
    high: float
    inner_best: float
    scores: tuple[float, ...]

    def naive(self) -> tuple[float, float]:
        """mean ± 1.96 · sd/√n over the folds, as if they were independent."""
        half = 1.96 * statistics.stdev(self.scores) / len(self.scores) ** 0.5
        mean = statistics.fmean(self.scores)
        return mean - half, mean + half


def process(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Classes by a logistic curve over a plane: the best possible accuracy is about 0.8."""
    x = rng.normal(size=(ROWS, FEATURES))
    return x, (rng.random(ROWS) < 1 / (1 + np.exp(-1.5 * x @ np.arange(FEATURES) / 2))).astype(np.int64)


def noise(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Labels that have nothing to do with the features."""
    return rng.normal(size=(ROWS, FEATURES)), rng.permutation(np.arange(ROWS) % 2)


Process = Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]


def told(seed: int, make: Process, repeats: int) -> Told:
    """The real pipe on one data set."""
    from tuner.report.results import load
    from tuner.search.driver import search
    from tuner.search.plan import prepare
    from tuner.search.wishes import Wishes

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        x, y = make(np.random.default_rng(seed))
        np.savez(folder / "data.npz", X=x, y=y)
        (folder / "e.yaml").write_text(SPACE.format(path="data.npz", repeats=repeats))
        search(prepare(folder / "e.yaml"), Wishes(folder / "study.db", workers=0), lambda event: None, empty)
        results = load(folder / "study.db")
    score = results.score
    assert score and score.low is not None and score.high is not None and results.inner_best is not None
    return Told(score.low, score.high, results.inner_best, tuple(fold.score or 0.0 for fold in results.folds))


def empty() -> Path:
    """An empty storage, made once in this process: Optuna takes a second for it."""
    from tuner import store

    path = Path(tempfile.gettempdir()) / f"tuner-empty-{multiprocessing.current_process().pid}.db"
    if not path.exists():
        store.make(path)
    return path


def simulate(datasets: int, make: Process, repeats: int, workers: int = 2) -> list[Told]:
    """The report of every data set."""
    one = partial(told, make=make, repeats=repeats)
    if workers < 2:
        return [one(seed) for seed in range(datasets)]
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        return pool.map(one, range(datasets), chunksize=5)


def coverage(found: list[Told], truth: float) -> tuple[float, float]:
    """Share of data sets whose reported, and whose naive interval holds the truth."""
    reported = statistics.fmean(each.low <= truth <= each.high for each in found)
    return reported, statistics.fmean(low <= truth <= high for low, high in (each.naive() for each in found))


def grand_mean(found: list[Told]) -> float:
    """Over all data sets and folds."""
    return statistics.fmean(score for each in found for score in each.scores)


def main() -> None:
    """Print both coverages for one cut and five, and what noise scores."""
    rows = []
    for repeats in REPEATS:
        found = simulate(DATASETS, process, repeats)
        truth = grand_mean(found)
        reported, naive = coverage(found, truth)
        width = statistics.fmean(each.high - each.low for each in found)
        best = statistics.fmean(each.inner_best for each in found)
        rows.append((repeats, DATASETS, truth, best, f"{reported:.1%}", f"{naive:.1%}", width))
    columns = ("repeats", "data sets", "true score", "inner best", "reported interval covers", "mean ± 1.96 sd/√n covers",
               "mean width")  # fmt: skip
    table("Coverage of the 95 % interval (100 rows, 5 outer folds)", columns, rows)
    found = simulate(20, noise, 1)
    table("Noise labels, 20 data sets", ("nested accuracy", "inner best"),
          [(grand_mean(found), statistics.fmean(each.inner_best for each in found))])  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
