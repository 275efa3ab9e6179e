"""Coverage: how often the reported interval holds the true score, over many data sets of one known process.

The estimand is the score that tuning and training on 80 % of the rows reaches on new data, averaged over data sets.
Every outer-test score is an unbiased draw of it, so the grand mean over all data sets is the truth, to a few parts in a
thousand. `python -m benchmarks.coverage groups time --datasets 100` makes only rows with these words in their name.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.timing import table

DATASETS = 500
SPACE = """
name: coverage
dataset: {{name: arrays, path: data.npz{roles}}}
model: {{name: mlp, hidden_size: [4, 16]}}
training:
  epochs: {epochs}
  batch_size: 16
  optimizer: {{name: adam, learning_rate: {{low: 3e-3, high: 1e-1, log: true}}}}{stopping}
metric: {metric}
resampling: {{outer: {{folds: 5, repeats: {repeats}}}{cut}}}
search: {{{search}}}
"""
RANDOM, TPE = "sampler: random, trials: 3", "sampler: tpe, trials: 6"
PATIENCE = "\n  early_stopping: {patience: 3}"
Interval = tuple[float, float]
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Process:
    """Where data sets come from, and what is searched on them. `draw` gives arrays X and y, and groups as `group`."""

    what: str
    draw: Callable[[np.random.Generator], Arrays]
    metric: str
    epochs: int
    repeats: tuple[int, ...] = (1, 5)
    search: str = RANDOM
    stopping: str = ""
    cut: str = ""

    def text(self, repeats: int, arrays: Arrays) -> str:
        """The experiment file."""
        roles = ", groups: group" if "group" in arrays else ""
        return SPACE.format(roles=roles, epochs=self.epochs, stopping=self.stopping, metric=self.metric,
                            repeats=repeats, cut=self.cut, search=self.search)  # fmt: skip


def classes(rng: np.random.Generator, rows: int, features: int) -> Arrays:
    """Two classes by a logistic curve over a plane of five features; the others are noise."""
    x = rng.normal(size=(rows, features))
    return {"X": x, "y": (rng.random(rows) < 1 / (1 + np.exp(-1.5 * x[:, :5] @ np.arange(5) / 2))).astype(np.int64)}


def rare(rng: np.random.Generator) -> Arrays:
    """The 15 of 100 rows that are highest by a logistic curve over a plane of five features."""
    x = rng.normal(size=(100, 5))
    level = 1.5 * x @ np.arange(5) / 2 + rng.logistic(size=100)
    return {"X": x, "y": (level >= np.sort(level)[85]).astype(np.int64)}


def surface(rng: np.random.Generator, rows: int = 50) -> Arrays:
    """A curved surface over three features, with noise."""
    x = rng.normal(size=(rows, 3))
    y = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + 0.3 * rng.normal(size=rows)
    return {"X": x, "y": y.astype(np.float32)[:, None]}


def cohort(rng: np.random.Generator, groups: int) -> Arrays:
    """A plane over three features, with noise; every group of ten rows has a level of its own."""
    group = np.repeat(np.arange(groups), 10)
    x = rng.normal(size=(groups, 3))[group] * 0.7 + rng.normal(size=(len(group), 3))
    y = x @ [1, 0.5, 0.25] + 0.5 * rng.normal(size=groups)[group] + rng.normal(size=len(group))
    return {"X": x, "y": y.astype(np.float32)[:, None], "group": group}


def series(rng: np.random.Generator) -> Arrays:
    """The same plane at 140 times; the level of a time remembers 0.9 of the one before."""
    level = np.zeros(140)
    for step, shock in enumerate(rng.normal(size=140)):
        level[step] = 0.9 * level[step - 1] + 0.19**0.5 * shock
    x = rng.normal(size=(140, 3))
    return {"X": x, "y": (x @ [1, 0.5, 0.25] + level + rng.normal(size=140)).astype(np.float32)[:, None]}


def guesses(rng: np.random.Generator) -> Arrays:
    """Labels that have nothing to do with the features."""
    return {"X": rng.normal(size=(100, 5)), "y": rng.permutation(np.arange(100) % 2)}


HARD = partial(classes, rows=60, features=20)
PROCESSES = (
    Process("classes, 60 rows of 20", HARD, "accuracy", 8),
    Process("a curved surface, 50 rows of 3", surface, "mae", 30),
    Process("easy classes, 100 rows of 5", partial(classes, rows=100, features=5), "accuracy", 8),
    Process("classes, 60 rows of 20", HARD, "log_loss", 8),
    Process("a curved surface, 50 rows of 3", surface, "r2", 30),
    Process("15 of 100 rows positive", rare, "roc_auc", 8),
    Process("tpe, early stopping, 60 rows of 20", HARD, "log_loss", 20, repeats=(1,), search=TPE, stopping=PATIENCE),
    Process("5 groups of 10 rows", partial(cohort, groups=5), "rmse", 15, repeats=(1,)),
    Process("10 groups of 10 rows", partial(cohort, groups=10), "rmse", 15),
    Process("50 groups of 10 rows", partial(cohort, groups=50), "rmse", 8),
    Process("time, 140 rows", series, "rmse", 15, repeats=(1,), cut=", kind: time"),
)
NOISE = Process("noise", guesses, "accuracy", 8)
_empty: tempfile.TemporaryDirectory[str] | None = None


@dataclass(frozen=True)
class Told:
    """What the report said of one data set: its interval (None where all outer scores are equal), that of Bates et al.
    where it applies, the inner best and the outer scores."""

    reported: Interval | None
    bates: Interval | None
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
    from tuner.search.options import SearchOptions
    from tuner.search.prepare import prepare

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        arrays = process.draw(np.random.default_rng(seed))
        np.savez(folder / "data.npz", **arrays)
        (folder / "e.yaml").write_text(process.text(repeats, arrays))
        search(prepare(folder / "e.yaml"), SearchOptions(folder / "study.db", workers=0), lambda event: None, empty)
        results, theirs = load(folder / "study.db"), _bates(folder / "study.db")
    ours, best = results.score, results.inner_best
    assert ours and best is not None
    scores = tuple(fold.score for fold in results.folds if fold.score is not None)
    reported = None if ours.low is None or ours.high is None else (ours.low, ours.high)
    return Told(reported, theirs, best, scores)


def _bates(study: Path) -> Interval | None:
    from tuner.errors import UsageError
    from tuner.report.results import load

    try:
        found = load(study, kind="bates").score
    except UsageError:  # groups, time, or a metric that is no mean over rows
        return None
    assert found and found.low is not None and found.high is not None
    return found.low, found.high


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


def coverage(intervals: Sequence[Interval], truth: float) -> float:
    """The share of intervals that hold the truth."""
    return statistics.fmean(low <= truth <= high for low, high in intervals)


def drawn(intervals: Sequence[Interval | None]) -> list[Interval]:
    """Those that the reports gave."""
    return [interval for interval in intervals if interval is not None]


def with_error(intervals: Sequence[Interval | None], truth: float) -> str:
    """ "95.2% ± 1.0%": the coverage and one Monte-Carlo standard error of it; or a dash."""
    if not (known := drawn(intervals)):
        return "–"
    share = coverage(known, truth)
    return f"{share:.1%} ± {(share * (1 - share) / len(known)) ** 0.5:.1%}"


def too_good(found: Sequence[Told], truth: float, maximize: bool) -> float:
    """The share of reported intervals that lie wholly on the better side of the truth."""
    known = drawn([each.reported for each in found])
    return statistics.fmean(low > truth if maximize else high < truth for low, high in known)


def grand_mean(found: Sequence[Told]) -> float:
    """Over all data sets and folds."""
    return statistics.fmean(score for each in found for score in each.scores)


def rows(processes: Sequence[Process], datasets: int) -> Iterator[Sequence[object]]:
    """A row of the table for each process and number of repeats, as soon as it is there."""
    from tuner.metrics import METRICS

    for process, repeats in ((each, count) for each in processes for count in each.repeats):
        start = time.perf_counter()
        found = simulate(datasets, process, repeats)
        seconds = (time.perf_counter() - start) / datasets
        truth = grand_mean(found)
        kinds = ([each.reported for each in found], [each.bates for each in found], [each.naive for each in found])
        best = statistics.fmean(each.inner_best for each in found)
        width = statistics.fmean(high - low for low, high in drawn(kinds[0]))
        yield (process.what, process.metric, repeats, truth, best, *(with_error(kind, truth) for kind in kinds), width,
               f"{too_good(found, truth, METRICS[process.metric].maximize):.1%}", seconds)  # fmt: skip


def main(arguments: Sequence[str] = ()) -> None:
    """Print the coverages for one cut and five, and what noise scores."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage")
    parser.add_argument("words", nargs="*", help="only rows with one of these in their name or metric")
    parser.add_argument("--datasets", type=int, default=DATASETS, help="of each row")
    wanted = parser.parse_args(arguments)
    chosen = [each for each in PROCESSES if not wanted.words
              or any(word in f"{each.what}, {each.metric}" for word in wanted.words)]  # fmt: skip
    columns = ("data sets", "metric", "repeats", "true score", "inner best", "reported interval covers",
               "--interval bates", "mean ± 1.96 sd/√n", "mean width", "lies on the better side", "seconds")  # fmt: skip
    table(f"Coverage of the 95 % interval ({wanted.datasets} data sets each, 5 outer folds)",
          columns, rows(chosen, wanted.datasets))  # fmt: skip
    if not wanted.words:
        found = simulate(20, NOISE, 1)
        best = statistics.fmean(each.inner_best for each in found)
        table("Noise labels, 20 data sets", ("nested accuracy", "inner best"), [(grand_mean(found), best)])


if __name__ == "__main__":
    main(sys.argv[1:])
