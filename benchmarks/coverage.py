"""Coverage: how often the reported interval holds the true score, over many data sets of one known process.

The estimand is the score that tuning and training on 80 % of the rows reaches on new data, averaged over data sets.
Every outer-test score is an unbiased draw of it, so the grand mean over all data sets is the truth, to a few parts in a
thousand.
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

DATASETS, REPEATS = 300, (1, 5)
SPACE = """
name: coverage
dataset: {{name: arrays, path: {path}}}
model: {{name: mlp, hidden_size: [4, 16]}}
training:
  epochs: {epochs}
  batch_size: 16
  optimizer: {{name: adam, learning_rate: {{low: 3e-3, high: 1e-1, log: true}}}}
metric: {metric}
resampling: {{outer: {{folds: 5, repeats: {repeats}}}}}
search: {{sampler: random, trials: 3}}
"""
Interval = tuple[float, float]


@dataclass(frozen=True)
class Process:
    """Where data sets come from, and what is asked of them."""

    what: str
    draw: Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]
    metric: str
    epochs: int


def classes(rng: np.random.Generator, rows: int, features: int) -> tuple[np.ndarray, np.ndarray]:
    """Two classes by a logistic curve over a plane of five features; the others are noise."""
    x = rng.normal(size=(rows, features))
    return x, (rng.random(rows) < 1 / (1 + np.exp(-1.5 * x[:, :5] @ np.arange(5) / 2))).astype(np.int64)


def surface(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A curved surface over three features, with noise."""
    x = rng.normal(size=(50, 3))
    y = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + 0.3 * rng.normal(size=50)
    return x, y.astype(np.float32)[:, None]


def guesses(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Labels that have nothing to do with the features."""
    return rng.normal(size=(100, 5)), rng.permutation(np.arange(100) % 2)


HARD = partial(classes, rows=60, features=20)
PROCESSES = (
    Process("classes, 60 rows of 20", HARD, "accuracy", 8),
    Process("a curved surface, 50 rows of 3", surface, "mae", 30),
    Process("easy classes, 100 rows of 5", partial(classes, rows=100, features=5), "accuracy", 8),
    Process("classes, 60 rows of 20", HARD, "log_loss", 8),
)
NOISE = Process("noise", guesses, "accuracy", 8)
_empty: tempfile.TemporaryDirectory[str] | None = None


@dataclass(frozen=True)
class Told:
    """What the report said of one data set: its interval, that of Bates et al., the inner best and the outer scores."""

    reported: Interval
    bates: Interval
    inner_best: float
    scores: tuple[float, ...]

    @property
    def naive(self) -> Interval:
        """mean ± 1.96 · sd/√n over the folds, as if they were independent."""
        half = 1.96 * statistics.stdev(self.scores) / len(self.scores) ** 0.5
        mean = statistics.fmean(self.scores)
        return mean - half, mean + half


def told(seed: int, process: Process, repeats: int) -> Told:
    """The real pipe on one data set."""
    from tuner.report.results import load
    from tuner.search.driver import search
    from tuner.search.plan import prepare
    from tuner.search.wishes import Wishes

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        x, y = process.draw(np.random.default_rng(seed))
        np.savez(folder / "data.npz", X=x, y=y)
        settings = {"path": "data.npz", "repeats": repeats, "metric": process.metric, "epochs": process.epochs}
        (folder / "e.yaml").write_text(SPACE.format(**settings))
        search(prepare(folder / "e.yaml"), Wishes(folder / "study.db", workers=0), lambda event: None, empty)
        results, other = load(folder / "study.db"), load(folder / "study.db", kind="bates")
    ours, theirs, best = results.score, other.score, results.inner_best
    assert ours and theirs and best is not None
    scores = tuple(fold.score for fold in results.folds if fold.score is not None)
    return Told((ours.low, ours.high), (theirs.low, theirs.high), best, scores)


def empty() -> Path:
    """An empty storage, made once in this process: Optuna takes a second for it."""
    from tuner import store

    global _empty
    if _empty is None:
        _empty = tempfile.TemporaryDirectory(prefix="tuner-")
        store.make(Path(_empty.name) / "empty.db")
    return Path(_empty.name) / "empty.db"


def simulate(datasets: int, process: Process, repeats: int, workers: int = 2) -> list[Told]:
    """The report of every data set."""
    one = partial(told, process=process, repeats=repeats)
    if workers < 2:
        return [one(seed) for seed in range(datasets)]
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        return pool.map(one, range(datasets), chunksize=5)


def coverage(intervals: list[Interval], truth: float) -> float:
    """The share of intervals that hold the truth."""
    return statistics.fmean(low <= truth <= high for low, high in intervals)


def grand_mean(found: list[Told]) -> float:
    """Over all data sets and folds."""
    return statistics.fmean(score for each in found for score in each.scores)


def main() -> None:
    """Print the coverages for one cut and five, and what noise scores."""
    rows = []
    for process in PROCESSES:
        for repeats in REPEATS:
            found = simulate(DATASETS, process, repeats)
            truth = grand_mean(found)
            kinds = ([each.reported for each in found], [each.bates for each in found], [each.naive for each in found])
            covered = [f"{coverage(kind, truth):.1%}" for kind in kinds]
            best = statistics.fmean(each.inner_best for each in found)
            width = statistics.fmean(high - low for low, high in kinds[0])
            rows.append((process.what, process.metric, repeats, truth, best, *covered, width))
    columns = ("data sets", "metric", "repeats", "true score", "inner best", "reported interval covers",
               "--interval bates", "mean ± 1.96 sd/√n", "mean width")  # fmt: skip
    table(f"Coverage of the 95 % interval ({DATASETS} data sets each, 5 outer folds)", columns, rows)
    found = simulate(20, NOISE, 1)
    best = statistics.fmean(each.inner_best for each in found)
    table("Noise labels, 20 data sets", ("nested accuracy", "inner best"), [(grand_mean(found), best)])


if __name__ == "__main__":
    sys.exit(main())
