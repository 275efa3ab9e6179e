"""Intervals, simulated: how often each holds the truth, by groups, forward in time, with repeats, and at what price.

`python -m benchmarks intervals`, a few minutes on one core. Everything is plain NumPy and SciPy and shares no code with
the search. Groups and time, here: the nested cross-validation of a ridge regression with three penalties. The rest is
in `benchmarks.resampled`. Letters: S data sets, R repeats, K parts, N rows, D columns. The truth is the grand mean over
all data sets of a row of the table.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from benchmarks.resampled import (
    BLOCK,
    FOLDS,
    PENALTIES,
    SETS,
    SLOPES,
    Floats,
    by_price,
    by_repeats,
    half,
    held,
    ridge,
    with_constant,
)
from benchmarks.timing import table

Codes = NDArray[np.int64]
PERIOD = 20  # rows of a period of time
FEW = 50  # groups: with fewer, the report counts the folds of one cut


@dataclass(frozen=True)
class Sums:
    """What least squares needs of each part: XᵀX (…, D, D), Xᵀy (…, D), and (…): Σy² and the number of rows."""

    gram: Floats
    moment: Floats
    square: Floats
    rows: Floats

    def at(self, part: int) -> Sums:
        """Those of one part of (S, R, K)."""
        return Sums(*(getattr(self, each.name)[:, :, part] for each in fields(self)))

    def over(self, parts: Sequence[int]) -> Sums:
        """The sums over several parts of (S, R, K)."""
        return Sums(*(getattr(self, each.name)[:, :, list(parts)].sum(axis=2) for each in fields(self)))


def sums(x: Floats, y: Floats, part: Codes, parts: int) -> Sums:
    """Those of features (S, N, D) and targets (S, N), whose rows are cut into parts (S, R, N), as (S, R, K)."""
    x = with_constant(x)
    chosen = (part[:, :, None] == np.arange(parts)[:, None]).astype(float)  # (S, R, K, N)
    turned = np.swapaxes(chosen[..., None] * x[:, None, None], -1, -2)
    moment = (turned @ y[:, None, None, :, None])[..., 0]
    return Sums(turned @ x[:, None, None], moment,
                *((chosen @ each[:, None, :, None])[..., 0] for each in (y**2, np.ones_like(y))))  # fmt: skip


def errors(train: Sums, test: Sums) -> Floats:
    """Mean squared errors (…, penalties) on the rows of `test`."""
    found = ridge(train.gram, train.moment, PENALTIES)
    fit = np.einsum("...pd,...de,...pe->...p", found, test.gram, found)
    cross = np.einsum("...pd,...d->...p", found, test.moment)
    return (test.square[..., None] - 2 * cross + fit) / test.rows[..., None]


def nested(data: Sums, *, forward: bool = False) -> Floats:
    """Root mean squared error of every outer test (S, R, K): the other parts validate in turn, and the best penalty
    tests. `forward`: a part is predicted by those before it, and the first two are never tested."""
    parts = range(data.rows.shape[2])
    found = []
    for i in parts[2:] if forward else parts:
        seen = [j for j in parts if (j < i if forward else j != i)]
        inner = [errors(data.over([h for h in seen if (h < j if forward else h != j)]), data.at(j))
                 for j in (seen[1:] if forward else seen)]  # fmt: skip
        best = np.sum(inner, axis=0).argmin(axis=-1)[..., None]
        found.append(np.take_along_axis(errors(data.over(seen), data.at(i)), best, axis=-1)[..., 0])
    return np.sqrt(np.stack(found, axis=2))


# groups


def cohort(rng: np.random.Generator, groups: int, between: float, sizes: str) -> tuple[Floats, Floats, Codes]:
    """Groups of 12 rows, of unequal numbers (log-normal) or of one row; the level of each has sd `between`."""
    count = np.full(groups, 1 if sizes == "one row" else 12)
    if sizes == "unequal":
        count = np.maximum(3, np.round(12 * np.exp(rng.normal(0, 0.7, groups)))).astype(int)
    of = np.repeat(np.arange(groups), count)
    x = 0.7 * rng.normal(size=(BLOCK, groups, 4))[:, of] + rng.normal(size=(BLOCK, len(of), 4))
    level = between * rng.normal(size=(BLOCK, groups))[:, of]
    return x, x @ SLOPES + level + rng.normal(size=(BLOCK, len(of))), of


def group_folds(rng: np.random.Generator, groups: int, repeats: int) -> Codes:
    """Different partitions (S, R, groups) of the groups into nearly equal folds."""
    folds = np.sort(np.arange(groups) % FOLDS)
    found = []
    for _ in range(BLOCK):
        drawn: dict[frozenset[bytes], Codes] = {}
        while len(drawn) < repeats:
            cut = rng.permutation(folds)
            drawn[frozenset((cut == fold).tobytes() for fold in range(FOLDS))] = cut
        found.append([*drawn.values()])
    return np.array(found)


def by_groups() -> Iterator[Sequence[object]]:
    """For each number of groups: the interval as it would be of J scores, and as the report gives it."""
    for between, sizes in itertools.product((0.5, 2.0), ("equal", "unequal", "one row")):
        for groups in (15, 20, 30, 50) if sizes == "one row" else (5, 6, 10, 15, 20, 30, 50):
            for repeats in (1, 5) if groups > FOLDS else (1,):
                scores, share = _of_groups(groups, between, sizes, repeats)
                truth, mean = float(scores.mean()), scores.mean(axis=1)
                told = held(mean, half(scores, share, FOLDS if groups < FEW else None), truth)
                yield groups, sizes, between, repeats, held(mean, half(scores, share), truth)[0], *told


def _of_groups(groups: int, between: float, sizes: str, repeats: int) -> tuple[Floats, Floats]:
    """Outer scores (S, R · K) and test rows per training row (S,) of all data sets."""
    rng, scores, shares = np.random.default_rng(groups), [], []
    for _ in range(SETS // BLOCK):
        x, y, of = cohort(rng, groups, between, sizes)
        part = group_folds(rng, groups, repeats)[:, :, of]
        scores.append(nested(sums(x, y, part, FOLDS)).reshape(BLOCK, -1))
        tested = (part[..., None] == np.arange(FOLDS)).sum(axis=2)
        shares.append((tested / (len(of) - tested)).mean(axis=(1, 2)))
    return np.concatenate(scores), np.concatenate(shares)


# time


def series(rng: np.random.Generator, rows: int, kind: str) -> tuple[Floats, Floats]:
    """Series (S, N) of a level that moves, plus four features and noise of sd 1."""
    noise, level = rng.normal(size=(BLOCK, rows)), np.zeros((BLOCK, rows))
    if kind.startswith("AR"):
        memory, level[:, 0] = float(kind[3:-1]), noise[:, 0]
        for t in range(1, rows):
            level[:, t] = memory * level[:, t - 1] + math.sqrt(1 - memory**2) * noise[:, t]
    elif kind == "random walk":
        level = 0.15 * noise.cumsum(axis=1)
    elif kind == "drift":
        level += 3 * np.arange(rows) / rows
    x = rng.normal(size=(BLOCK, rows, 4))
    return x, x @ SLOPES + level + rng.normal(size=(BLOCK, rows))


def worse(scores: Floats) -> NDArray[np.bool_]:
    """Whether errors (S, J) rise with time: Kendall's test, one-sided, exact, at 5 %."""
    count = scores.shape[1]
    ways = np.ones(1)
    for size in range(2, count + 1):
        ways = np.convolve(ways, np.ones(size))
    tail = ways[::-1].cumsum()[::-1] / ways.sum()  # P(at least so many rising pairs)
    rising = sum((scores[:, :, None] < scores[:, None, :])[:, i, j] for i in range(count) for j in range(i + 1, count))
    return np.asarray(tail[rising] <= 0.05)


def by_time() -> Iterator[Sequence[object]]:
    """Of each kind of series: what the interval holds, and how often the trend alarms."""
    for tested in (4, 5, 10):
        for kind in ("white noise", "AR(0.9)", "AR(0.98)", "random walk", "drift"):
            rng = np.random.default_rng(tested)
            parts, rows = tested + 3, PERIOD * (tested + 3)
            cut = np.tile(np.repeat(np.arange(parts), PERIOD), (BLOCK, 1, 1))
            drawn = (series(rng, rows, kind) for _ in range(SETS // BLOCK))
            found = np.concatenate([nested(sums(x, y, cut, parts), forward=True)[:, 0] for x, y in drawn])
            past, coming = found[:, :-1], found[:, -1]
            share, mean = float(np.mean([1 / i for i in range(2, parts - 1)])), past.mean(axis=1)
            width, silent = half(past, share), ~worse(past)  # of the next period the report says something only then
            ahead = half(past[silent], 0, each=True)
            yield (kind, tested, float(mean.mean()), float(coming.mean()), held(mean, width, float(mean.mean()))[0],
                   held(mean, width, float(coming.mean()))[0], held(mean[silent], ahead, coming[silent])[0],
                   f"{1 - silent.mean():.1%}")  # fmt: skip


def main() -> None:
    """Print the four tables."""
    misses, holds = "below, above the truth", "holds the truth"
    table(f"Groups: rmse of tuned ridge, {FOLDS} outer folds ({SETS} data sets a row)",
          ("groups", "sizes", "sd of a group", "repeats", "as J independent cuts", "as reported", misses, "mean width"),
          by_groups())  # fmt: skip
    table(f"Forward in time: rmse of tuned ridge, periods of {PERIOD} rows ({SETS} series a row)",
          ("level", "tested periods", "past mean", "next", "interval holds the past mean", "the mean of the next",
           "the prediction interval of the next period holds it", "alarm"), by_time())  # fmt: skip
    table(f"Repeats of {FOLDS} folds ({SETS} data sets, the same in all rows of a metric)",
          ("metric", "repeats", holds, misses, "mean width", "sd by the cut alone"), by_repeats())  # fmt: skip
    table(f"The price ({SETS // 2} data sets, the same in all rows of a metric)",
          ("metric", "interval", "trainings", holds, misses, "mean width"), by_price())  # fmt: skip


if __name__ == "__main__":
    main()
