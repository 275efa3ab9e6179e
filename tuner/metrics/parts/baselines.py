"""The best answers that ignore the features, for each kind of metric, fitted on training rows alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tuner.metrics.parts.sums import IGNORED, Array, Floats

Counted = Callable[[Floats, Floats, Floats], Floats]  # of what is hit, predicted and true per class (…, C)
POWERS = np.linspace(0, 6, 61)  # of the class shares, for the shares of random draws
RARE = 1e-9  # rows, of a class that no training row has: its probability must not be 0
BETTER = 1e-9  # less is rounding
NEAR = 101  # quantiles among which the best constant is first looked for


@dataclass(frozen=True, eq=False)
class TrainingTargets:
    """Training rows: targets (N, …), weights (N,), and the names of the classes, if there are any."""

    targets: Array
    weights: Floats
    classes: tuple[str, ...] = ()

    @property
    def counts(self) -> Floats:
        """The summed weights (C,) of each class, over all rows, steps and pixels that ask for one."""
        label_mask = self.targets != IGNORED
        weights = np.broadcast_to(self.weights.reshape(-1, *[1] * (self.targets.ndim - 1)), self.targets.shape)
        codes = self.targets[label_mask].astype(np.int64)
        return np.bincount(codes, weights[label_mask], len(self.classes)).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Baseline:
    """One answer for every row: `outputs` is what a model would give, logits (C,) or numbers (M,).

    `tokens`: `outputs` are the tokens (T,) of a whole sequence. `drawn`: what is drawn at random for every row, step or
    pixel: "classes", with probabilities `outputs` (C,); "order", logits around `outputs`, which rank the rows at
    random; or "nothing"."""

    what: str
    outputs: Floats
    tokens: bool = False
    drawn: Literal["nothing", "classes", "order"] = "nothing"


Baselines = Callable[[TrainingTargets], Sequence[Baseline]]


def mean(seen: TrainingTargets) -> list[Baseline]:
    """The mean, best for squared errors."""
    return [Baseline("the training mean", np.average(seen.targets.astype(np.float64), axis=0, weights=seen.weights))]


def median(seen: TrainingTargets) -> list[Baseline]:
    """The median, best for absolute errors."""
    return [Baseline("the training median", _quantile(seen.targets.astype(np.float64), 0.5, seen.weights))]


def quantile(level: float) -> Baselines:
    """The quantile, best for the pinball loss of that level (Koenker & Bassett 1978)."""
    what = f"the {level:g} quantile of the training rows"
    return lambda seen: [Baseline(what, _quantile(seen.targets.astype(np.float64), level, seen.weights))]


def _quantile(values: Floats, level: float, weights: Floats) -> Floats:
    """Per column of (N, M): the middle of all numbers that are a quantile of the weighted values."""

    def lowest(values: Floats, level: float) -> Floats:
        return np.quantile(values, level, axis=0, weights=weights, method="inverted_cdf")

    return np.asarray((lowest(values, level) - lowest(-values, 1 - level)) / 2)


def relative_median(seen: TrainingTargets) -> list[Baseline]:
    """The median of the rows weighted by 1 / |target|, best for absolute errors relative to the target."""
    targets = seen.targets.astype(np.float64)
    weights = seen.weights[:, None] / np.maximum(np.abs(targets), np.finfo(np.float64).eps)
    medians = [_quantile(y[:, None], 0.5, w)[0] for y, w in zip(targets.T, weights.T, strict=True)]
    return [Baseline("the training median, weighted by 1 / |target|", np.array(medians))]


def searched(error: Callable[[Floats, float], Floats]) -> Baselines:
    """The constant of least mean error, where no formula gives it; `error` is that of each row's target (N,)."""

    def best(targets: Floats, weights: Floats) -> float:
        from scipy.optimize import minimize_scalar  # workers need none

        def mean_error(constant: float) -> float:
            return float(np.average(error(targets, constant), weights=weights))

        near = np.quantile(targets, np.linspace(0, 1, NEAR))
        index = int(np.argmin([mean_error(each) for each in near]))
        low, high = near[max(0, index - 1)], near[min(NEAR - 1, index + 1)]
        found = minimize_scalar(mean_error, bounds=(low, high), method="bounded", options={"xatol": 1e-9}).x
        return float(min((near[index], found), key=mean_error))

    def baselines(seen: TrainingTargets) -> list[Baseline]:
        columns = seen.targets.astype(np.float64).T
        return [Baseline("the best constant of the training rows", np.array([best(y, seen.weights) for y in columns]))]

    return baselines


def shares(seen: TrainingTargets) -> list[Baseline]:
    """The shares of classes or labels as probabilities, best for log loss and for the Brier score."""
    if not seen.classes:
        share = _label_shares(seen).clip(RARE, 1 - RARE)
        return [Baseline("the shares of the labels", np.log(share / (1 - share)))]
    counts = seen.counts
    return [Baseline("the class shares", np.log(np.maximum(counts, RARE) / counts.sum()))]


def equal_scores(seen: TrainingTargets) -> list[Baseline]:
    """The same answer for every row: no answer that ignores the features orders rows."""
    return [Baseline("the same answer for every row", _blank(seen))]


def random_order(seen: TrainingTargets) -> list[Baseline]:
    """The same answer for every row, or an order at random: that has a higher expected average precision than the
    share of a class, the more so the fewer rows there are (Bestgen 2015)."""
    return [*equal_scores(seen), Baseline("the rows in random order", _blank(seen), drawn="order")]


def _blank(seen: TrainingTargets) -> Floats:
    """0 for every class, label or output."""
    return np.zeros(len(seen.classes) or seen.targets.shape[1])


def best_classes(score: Counted, first: int = 0) -> Baselines:
    """One class for all rows; and a class drawn for every row, where that scores more on expected counts.

    Of single classes the commonest is best, or the commonest from `first` on where those before it are not scored. A
    draw that takes class c with probability q is expected to hit the share q · s of all rows, s the class's own share.
    q goes through the powers of s, from all classes alike to nearly always the commonest: q = s is the best for macro
    F-beta; for weighted F-beta no power is exactly the best, and the best power is within 0.001 of it."""

    def baselines(seen: TrainingTargets) -> list[Baseline]:
        if not seen.classes:
            return _best_labels(score, seen)
        counts = seen.counts
        share, scored = counts / counts.sum(), counts.copy()
        scored[:first] = 0.0
        singles = [np.eye(len(share))[c] for c in dict.fromkeys((int(counts.argmax()), int(scored.argmax())))]
        (constant, worth), (draw, more) = _best(score, share, singles), _best(score, share, _draws(scored))
        what = "the commonest class" if constant[counts.argmax()] else f"always '{seen.classes[constant.argmax()]}'"
        drawn = [Baseline("classes drawn at random", draw, drawn="classes")] if more > worth + BETTER else []
        return [Baseline(what, constant), *drawn]

    return baselines


def _label_shares(seen: TrainingTargets) -> Floats:
    """The share of the rows (L,) that have each label."""
    return np.asarray(seen.weights @ seen.targets / seen.weights.sum(), dtype=np.float64)


def _best_labels(score: Counted, seen: TrainingTargets) -> list[Baseline]:
    """The same labels for every row: the commonest one, the two commonest, …, whichever scores best. A random draw is
    never better: precision, recall and F-beta of a label do not fall with the share of rows that get it."""
    share = _label_shares(seen)
    order = np.argsort(-share, kind="stable")
    chosen = np.tri(len(share))[:, np.argsort(order)]  # row k has the k + 1 commonest
    labels = _best(score, share, list(chosen))[0]
    count = int(labels.sum())
    names = (
        "every label"
        if count == len(share)
        else f"the {count} commonest labels"
        if count > 1
        else "the commonest label"
    )
    return [Baseline(f"{names} for every row", np.where(labels > 0, 1.0, -1.0))]


def commonest(seen: TrainingTargets) -> list[Baseline]:
    """The commonest class, or the commonest combination of labels, for every row."""
    if seen.classes:
        counts = seen.counts
        return [Baseline("the commonest class", np.eye(len(counts))[counts.argmax()])]
    combinations, places = np.unique(seen.targets, axis=0, return_inverse=True)
    best = combinations[np.bincount(places.ravel(), seen.weights).argmax()]
    return [Baseline("the commonest combination of labels", np.where(best > 0, 1.0, -1.0))]


def _draws(counts: Floats) -> list[Floats]:
    if not counts.any():
        return []
    powers = [np.where(counts > 0, (counts / counts.max()) ** power, 0.0) for power in POWERS]
    return [each / each.sum() for each in powers]


def _best(score: Counted, share: Floats, draws: Sequence[Floats]) -> tuple[Floats, float]:
    """The best of the ways to draw (C,), the first of equals, and its score."""
    if not draws:
        return share, -np.inf
    q = np.stack(draws)
    with np.errstate(all="ignore"):
        scores = score(q * share, q, np.broadcast_to(share, q.shape))
    scores = np.where(np.isnan(scores), -np.inf, scores)
    index = int(np.flatnonzero(scores >= scores.max() - BETTER)[0])  # also where none is defined
    return draws[index], float(scores[index])


def commonest_answer(seen: TrainingTargets) -> list[Baseline]:
    """The whole sequence of tokens that most rows ask for."""
    texts, places = np.unique(seen.targets, axis=0, return_inverse=True)
    best = np.bincount(places.ravel(), seen.weights).argmax()
    return [Baseline("the commonest answer", texts[best].astype(np.float64), tokens=True)]


def commonest_tokens(seen: TrainingTargets) -> list[Baseline]:
    """At each place the commonest token of the rows that ask for one there."""
    columns = [TrainingTargets(column, seen.weights, seen.classes).counts.argmax() for column in seen.targets.T]
    return [Baseline("the commonest token at each place", np.array(columns, dtype=np.float64), tokens=True)]
