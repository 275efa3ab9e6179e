"""Noise: how often the report says "Tuning gained" against the dummy where the features say nothing of the target.

Every metric of a task is computed with the product's own functions from the stored outer-test predictions of one search
per data set and way to tune. A verdict at 5 % is two-sided, so at most 2.5 % may be called a gain.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.coverage import empty
from benchmarks.timing import table

DATASETS = 200
ROWS, FEATURES, SIZE = 100, 5, 5  # SIZE rows make a group
SPACE = """
name: noise
dataset: {{{data}}}
model: {model}
training:
  epochs: {epochs}
  batch_size: 16
  loss: {loss}
  optimizer: {{name: adam, learning_rate: {{low: 3e-3, high: 1e-1, log: true}}}}
metric: {metric}
resampling: {{outer: 5}}
search: {{sampler: random, trials: 3}}
"""
MLP = "{name: mlp, hidden_size: [4, 16]}"
CUTS = ("random", "groups", "time")
Arrays = dict[str, np.ndarray]
Found = dict[str, str]  # metric → gained, lost, neither, or undefined


@dataclass(frozen=True)
class Tuning:
    """A way to tune: the metric that chooses, the loss, and the metrics that are scored after it; () is all others."""

    metric: str
    loss: str
    scored: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """Data sets of pure noise, and what is asked of them."""

    what: str
    draw: Callable[[np.random.Generator, str], Arrays]
    tunings: tuple[Tuning, ...]
    cuts: tuple[str, ...] = CUTS
    data: str = "name: arrays, path: data.npz"
    model: str = MLP
    epochs: int = 8


def amounts(rng: np.random.Generator, cut: str) -> Arrays:
    """Log-normal targets; those of a group have a common part."""
    shared = np.repeat(rng.normal(size=ROWS // SIZE), SIZE) if cut == "groups" else rng.normal(size=ROWS)
    y = np.exp((shared + rng.normal(size=ROWS)) / np.sqrt(2))
    return {"X": rng.normal(size=(ROWS, FEATURES)), "y": y[:, None]}


def labels(rng: np.random.Generator, cut: str, shares: tuple[float, ...]) -> Arrays:
    """Classes at random; in groups, half of the rows have the class of their group."""
    own, common = (rng.choice(len(shares), size=ROWS, p=shares) for _ in range(2))
    together = np.repeat(common[: ROWS // SIZE], SIZE)
    y = np.where(rng.random(ROWS) < 0.5, own, together) if cut == "groups" else own
    return {"X": rng.normal(size=(ROWS, FEATURES)), "y": y}


def masks(rng: np.random.Generator, cut: str) -> Arrays:
    """Images of 8 × 8 pixels, of which 25 % are of a second and 15 % of a third class."""
    return {"X": rng.normal(size=(40, 1, 8, 8)), "y": rng.choice(3, size=(40, 8, 8), p=(0.6, 0.25, 0.15))}


def series(rng: np.random.Generator, cut: str) -> Arrays:
    """White noise around 20."""
    return {"y": rng.normal(20, 3, 120)}


NUMBERS = (
    Tuning("rmse", "{name: mse}", ("rmse", "mse", "r2", "spearman")),
    *(Tuning(f"pinball_{q}", f"{{name: quantile, quantile: {q}}}", (f"pinball_{q}",)) for q in (0.1, 0.9)),
    Tuning("mae", "{name: mae}"),
)
CLASSES = (
    Tuning("log_loss", "{name: cross_entropy}", ("log_loss", "brier", "roc_auc", "average_precision")),
    Tuning("macro_f1", "{name: cross_entropy}"),
)
PIXELS = Tuning("dice", "{name: dice_cross_entropy}"), Tuning("iou", "{name: dice}")
TASKS = (
    Task("log-normal amounts", amounts, NUMBERS),
    Task("classes 55:30:15", partial(labels, shares=(0.55, 0.30, 0.15)), CLASSES),
    Task("classes 85:15", partial(labels, shares=(0.85, 0.15)), CLASSES),
    Task("white noise, forecast", series, NUMBERS, ("time",),
         "name: forecast, path: data.csv, target: y, time: t, history: 4"),
    Task("pixels 60:25:15", masks, PIXELS, ("random",),
         "name: arrays, path: data.npz, task: segmentation", "{name: unet, channels: 4, depth: 1}"),
)  # fmt: skip


def write(folder: Path, task: Task, cut: str, tuning: Tuning, seed: int) -> Path:
    """The data set of that seed, and the experiment."""
    arrays = task.draw(np.random.default_rng(seed), cut)
    rows = len(arrays["y"])
    if "data.csv" in task.data:
        lines = [f"{step},{value}" for step, value in enumerate(arrays["y"])]
        (folder / "data.csv").write_text("\n".join(["t,y", *lines]))
    else:
        np.savez(folder / "data.npz", **arrays, groups=np.arange(rows) // SIZE, time=np.arange(rows))
    by = f", {cut}: {cut}" if cut in ("groups", "time") and "npz" in task.data else ""
    settings = {"data": task.data + by, "model": task.model, "epochs": task.epochs, "loss": tuning.loss}
    (folder / "e.yaml").write_text(SPACE.format(**settings, metric=tuning.metric))
    return folder / "e.yaml"


def verdicts(seed: int, task: Task, cut: str) -> Found:
    """Of every metric of the task: what the report would say of one data set."""
    from tuner.report.results import load
    from tuner.search.driver import search
    from tuner.search.options import SearchOptions
    from tuner.search.prepare import prepare

    found: Found = {}
    for tuning in task.tunings:
        with tempfile.TemporaryDirectory() as name:
            prepared = prepare(write(Path(name), task, cut, tuning, seed))
            search(prepared, SearchOptions(Path(name) / "study.db", workers=0), lambda event: None, empty)
            results = load(Path(name) / "study.db")
        others = {each for other in task.tunings if other is not tuning for each in other.scored}
        for metric in _metrics(prepared, tuning, others):
            found[metric.name] = _verdict(prepared, results, metric)
    return found


def _metrics(prepared: Any, tuning: Tuning, others: set[str]) -> Iterator[Any]:
    """The metrics that are scored after this way to tune; of places, those whose answers are stored."""
    from tuner.metrics import METRICS
    from tuner.search.scoring import fits

    for metric in METRICS.values():
        mine = metric.name in tuning.scored if tuning.scored else metric.name not in others
        if mine and fits(prepared.dataset, metric) and (metric.name == tuning.metric or not prepared.dataset.positions):
            yield metric


def _verdict(prepared: Any, results: Any, metric: Any) -> str:
    from tuner.data.scored import needed
    from tuner.experiment.packing import unpack
    from tuner.report.statistics import ALPHA, corrected_p
    from tuner.search.dummy import dummy

    dataset, gains, sign = prepared.dataset, [], 1 if metric.maximize else -1
    for fold, chain in zip(results.folds, prepared.plan.chains, strict=False):
        besides, counts = needed(dataset, metric, chain.rows, chain.test), dataset.counts(chain.test)
        if metric.why_undefined(dataset.targets[chain.test], counts, besides):
            return "undefined"
        score = fold.score
        if not dataset.positions:
            score = metric.score(unpack(fold.refit.predictions), dataset.targets[chain.test], counts, besides)
        gains.append(sign * (score - dummy(dataset, metric, chain.rows, chain.test).score))
    p = corrected_p(gains, results.test_share, results.max_independent)  # before Holm's adjustment
    if p is None or p >= ALPHA:
        return "neither"
    return "gained" if sum(gains) > 0 else "lost"


def simulate(datasets: int, task: Task, cut: str, workers: int = 2) -> list[Found]:
    """The verdicts on every data set."""
    one = partial(verdicts, task=task, cut=cut)
    if workers < 2:
        return [one(seed) for seed in range(datasets)]
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        return pool.map(one, range(datasets), chunksize=2)


def rates(found: list[Found]) -> Iterator[tuple[str, int, float, float, float]]:
    """Per metric: how many data sets it could score, the shares gained and lost, and the standard error of gained."""
    for metric in found[0]:
        counts = Counter(each[metric] for each in found)
        scored = len(found) - counts["undefined"]
        gained, lost = (counts[what] / max(scored, 1) for what in ("gained", "lost"))
        yield metric, scored, gained, (gained * (1 - gained) / max(scored, 1)) ** 0.5, lost


def _rows(datasets: int, workers: int) -> Iterator[tuple[object, ...]]:
    for task in TASKS:
        for cut in task.cuts:
            start = time.perf_counter()
            found = simulate(datasets, task, cut, workers)
            seconds = (time.perf_counter() - start) / datasets
            for metric, scored, gained, error, lost in rates(found):
                yield task.what, cut, metric, scored, f"{gained:.1%} ± {error:.1%}", f"{lost:.1%}", seconds


def main(datasets: int = DATASETS, workers: int = 2) -> None:
    """Print the rates for every task, cut and metric."""
    columns = ("noise", "cut", "metric", "data sets", "gained (2.5 % at most)", "lost", "seconds per data set")
    title = f"Verdicts on noise, tuned against the dummy ({datasets} data sets for each cut, {workers} workers)"
    table(title, columns, _rows(datasets, workers))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
