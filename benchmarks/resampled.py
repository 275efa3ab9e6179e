"""Repeated cross-validation and the conservative z, simulated: what holds the truth, how wide, at what price.

The cross-validation of a ridge or logistic regression with one penalty, on many data sets at once; the tables are
printed by `python -m benchmarks intervals`. Letters: S data sets, T trainings, N rows, D columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtri, stdtrit

Floats = NDArray[np.float64]
SETS, BLOCK, FOLDS = 3000, 50, 5  # data sets of a row of a table, and at once; parts
PENALTIES = np.array([0.1, 1.0, 10.0])
SLOPES = np.array([1.0, 0.5, 0.25, 0.0])


def half(scores: Floats, share: float | Floats, most: int | None = None, *, each: bool = False) -> Floats:
    """t · √((1/J + n_test/n_train) · s²) of scores (S, J), with J at most `most`; `each`: for one more score."""
    count = min(scores.shape[1], most or scores.shape[1])
    return stdtrit(count - 1, 0.975) * np.sqrt((1 / count + (1 if each else share)) * scores.var(axis=1, ddof=1))


def held(centre: Floats, width: Floats, truth: float | Floats) -> tuple[str, str, float]:
    """How many intervals hold the truth ± one standard error, how many lie below and above it, and their width."""
    covers = float(np.mean(abs(centre - truth) <= width))
    error = math.sqrt(covers * (1 - covers) / len(centre))
    below, above = np.mean(centre + width < truth), np.mean(centre - width > truth)
    return f"{covers:.1%} ± {error:.1%}", f"{below:.1%}, {above:.1%}", float(2 * np.mean(width))


def with_constant(x: Floats) -> Floats:
    """The features with a first column of ones."""
    return np.concatenate([np.ones((*x.shape[:2], 1)), x], axis=2)


def ridge(gram: Floats, moment: Floats, penalties: Floats) -> Floats:
    """Coefficients (…, penalties, D); the first column, a constant, is not penalised."""
    penalty = np.eye(gram.shape[-1])
    penalty[0, 0] = 1e-9
    system = gram[..., None, :, :] + penalties[:, None, None] * penalty
    right = np.broadcast_to(moment[..., None, :, None], (*system.shape[:-1], 1))
    return np.linalg.solve(system, right)[..., 0]


@dataclass(frozen=True)
class Task:
    """Data sets of one known process, how they are learned, and how that is scored."""

    what: str
    rows: int
    draw: Callable[[np.random.Generator, int], tuple[Floats, Floats]]
    learn: Callable[[Floats, Floats, Floats], Floats]
    score: Callable[[Floats, Floats, Floats], Floats]

    def scores(self, x: Floats, y: Floats, train: NDArray[np.bool_], test: NDArray[np.bool_]) -> Floats:
        """(S, T): trained on the rows of `train` (S, T, N), scored on those of `test`."""
        x = with_constant(x)
        said = self.learn(x, y, train.astype(float)) @ np.swapaxes(x, 1, 2)
        return self.score(said, y[:, None], test.astype(float))


def amounts(rng: np.random.Generator, rows: int) -> tuple[Floats, Floats]:
    """A plane over four features, with noise."""
    x = rng.normal(size=(BLOCK, rows, 4))
    return x, x @ SLOPES + rng.normal(size=(BLOCK, rows))


def labels(rng: np.random.Generator, rows: int, *, rare: float = 0.5) -> tuple[Floats, Floats]:
    """Two classes by a logistic curve; exactly a share `rare` of the rows is of the second, which comes first."""
    x = rng.normal(size=(BLOCK, rows, 4))
    order = np.argsort(-(2 * x @ SLOPES + rng.logistic(size=(BLOCK, rows))), axis=1)
    return np.take_along_axis(x, order[..., None], axis=1), np.tile(np.arange(rows) < rare * rows, (BLOCK, 1)) * 1.0


def least_squares(x: Floats, y: Floats, weight: Floats) -> Floats:
    """Ridge coefficients (S, T, D)."""
    turned = np.swapaxes(weight[..., None] * x[:, None], -1, -2)
    return ridge(turned @ x[:, None], (turned @ y[:, None, :, None])[..., 0], PENALTIES[:1])[..., 0, :]


def logistic(x: Floats, y: Floats, weight: Floats) -> Floats:
    """Coefficients (S, T, D) of a logistic regression with an L2 penalty of 1, by eight steps of Newton."""
    penalty = np.eye(x.shape[2])
    penalty[0, 0] = 1e-9
    found = np.zeros((*weight.shape[:2], x.shape[2]))
    for _ in range(8):
        p = expit(found @ np.swapaxes(x, 1, 2))
        slope = (weight * (y[:, None] - p)) @ x - found @ penalty
        curve = np.swapaxes((weight * p * (1 - p))[..., None] * x[:, None], -1, -2) @ x[:, None] + penalty
        found += np.linalg.solve(curve, slope[..., None])[..., 0]
    return found


def mean_of(loss: Callable[[Floats, Floats], Floats]) -> Callable[[Floats, Floats, Floats], Floats]:
    """A metric that is a mean over rows."""
    return lambda said, y, test: (test * loss(said, y)).sum(axis=2) / test.sum(axis=2)


SQUARED = mean_of(lambda said, y: (said - y) ** 2)


def r2(said: Floats, y: Floats, test: Floats) -> Floats:
    """The coefficient of determination of each test."""
    mean = (test * y).sum(axis=2, keepdims=True) / test.sum(axis=2, keepdims=True)
    return 1 - SQUARED(said, y, test) / SQUARED(np.broadcast_to(mean, said.shape), y, test)


def auc(said: Floats, y: Floats, test: Floats) -> Floats:
    """The area under the ROC curve of each test."""
    first, second = test * y, test * (1 - y)
    wins = said[..., :, None] > said[..., None, :]
    return np.einsum("stn,stnm,stm->st", first, wins, second) / (first.sum(axis=2) * second.sum(axis=2))


def log_loss(said: Floats, y: Floats) -> Floats:
    """Of each row, from the linear predictor."""
    return np.logaddexp(0, said) - y * said


TASKS = (
    Task("accuracy", 60, labels, logistic, mean_of(lambda said, y: (said > 0) == y)),
    Task("log_loss", 60, labels, logistic, mean_of(log_loss)),
    Task("roc_auc, 15 % positive", 100, partial(labels, rare=0.15), logistic, auc),
    Task("rmse", 50, amounts, least_squares, lambda *known: np.sqrt(SQUARED(*known))),
    Task("mse", 50, amounts, least_squares, SQUARED),
    Task("mae", 50, amounts, least_squares, mean_of(lambda said, y: abs(said - y))),
    Task("r2", 50, amounts, least_squares, r2),
)


def cuts(rng: np.random.Generator, y: Floats, repeats: int) -> NDArray[np.bool_]:
    """The tests (S, R · K, N) of repeated cross-validation, with equal shares of classes, which stand in order."""
    sizes = [int(y[0].sum()), int((1 - y[0]).sum())] if set(np.unique(y)) == {0, 1} else [y.shape[1]]
    fold = np.concatenate([np.broadcast_to(np.arange(size) % FOLDS, (len(y), repeats, size)) for size in sizes], axis=2)
    parts = np.split(fold, np.cumsum(sizes)[:-1], axis=2)
    shuffled = np.concatenate([rng.permuted(part, axis=2) for part in parts], axis=2)
    return (shuffled[:, :, None] == np.arange(FOLDS)[:, None]).reshape(len(y), -1, y.shape[1])


def by_repeats() -> Iterator[Sequence[object]]:
    """Of each metric, on the same data sets: the interval of more and more repeats."""
    for task in TASKS:
        rng, found = np.random.default_rng(1), []
        for _ in range(SETS // BLOCK):
            x, y = task.draw(rng, task.rows)
            test = cuts(rng, y, 40)
            found.append(task.scores(x, y, ~test, test))
        scores = np.concatenate(found)
        for repeats in (1, 2, 5, 10, 20):
            some, other = scores[:, : repeats * FOLDS], scores[:, -repeats * FOLDS :]
            by_cut = float(np.std(some.mean(axis=1) - other.mean(axis=1)) / math.sqrt(2))
            yield (
                task.what,
                repeats,
                *held(some.mean(axis=1), half(some, 1 / (FOLDS - 1)), float(scores.mean())),
                by_cut,
            )


def random_tests(rng: np.random.Generator, among: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    """`count` random tests (S, count, N), each a fifth of the rows `among` (S, N)."""
    drawn = rng.random((len(among), count, among.shape[1])) + ~among[:, None]
    return drawn.argsort(axis=2).argsort(axis=2) < among[0].sum() // FOLDS


def conservative(rng: np.random.Generator, task: Task, x: Floats, y: Floats, splits: int, pairs: int) -> Floats:
    """Half widths by the conservative variance of Nadeau & Bengio (2003), the conservative z of Schulz-Kümpel et al.
    (2024): the squared difference of the means of two halves of the rows, over several pairs of halves."""
    squares = []
    for _ in range(pairs):
        first = rng.permuted(np.tile(np.arange(y.shape[1]) < y.shape[1] // 2, (len(y), 1)), axis=1)
        tests = [random_tests(rng, side, splits) for side in (first, ~first)]
        means = [task.scores(x, y, side[:, None] & ~test, test).mean(axis=1)
                 for side, test in zip((first, ~first), tests, strict=True)]  # fmt: skip
        squares.append((means[0] - means[1]) ** 2)
    return float(ndtri(0.975)) * np.sqrt(np.mean(squares, axis=0) / 2)


def by_price() -> Iterator[Sequence[object]]:
    """The corrected t of repeated cross-validation and the conservative z, by the number of trainings."""
    for task in (task for task in TASKS if task.what in ("accuracy", "log_loss", "rmse", "r2")):
        found: dict[tuple[str, int], list[tuple[Floats, Floats]]] = {}
        rng, all_scores = np.random.default_rng(2), []
        for _ in range(SETS // BLOCK // 2):
            x, y = task.draw(rng, task.rows)
            test = cuts(rng, y, 10)
            scores = task.scores(x, y, ~test, test)
            all_scores.append(scores)
            for repeats in (1, 5, 10):
                some = scores[:, : repeats * FOLDS]
                interval = some.mean(axis=1), half(some, 1 / (FOLDS - 1))
                found.setdefault((f"corrected t, {repeats} × {FOLDS}", repeats * FOLDS), []).append(interval)
            for splits, pairs in ((5, 5), (15, 10)):
                test = random_tests(rng, np.ones(y.shape, dtype=bool), splits)
                mean = task.scores(x, y, ~test, test).mean(axis=1)
                name = f"conservative z, {splits} splits, {pairs} pairs", splits * (1 + 2 * pairs)
                found.setdefault(name, []).append((mean, conservative(rng, task, x, y, splits, pairs)))
        truth = float(np.concatenate(all_scores).mean())
        for (what, price), intervals in found.items():
            centre, width = (np.concatenate(each) for each in zip(*intervals, strict=True))
            yield task.what, what, price, *held(centre, width, truth)
