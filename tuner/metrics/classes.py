"""Metrics of classes, from logits (P, C) and codes (P,); or of the labels of a multilabel task, from logits and 0 or 1
(P, L). They equal scikit-learn's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tuner.metrics.parts.baselines import Counted, best_classes, commonest, equal_scores, random_order, shares
from tuner.metrics.parts.metric import CLASSES, LABELS, Bounds, Metric, OfSet, OfSums, Undefined, mean_of
from tuner.metrics.parts.order import auc, average_precision
from tuner.metrics.parts.probabilities import log_sigmoid, log_softmax, sigmoid, softmax
from tuner.metrics.parts.sums import IGNORED, Array, Floats, Sums

BETAS = (0.5, 1, 2)  # of F-beta: above 1, recall counts more


def _counts(outputs: Array, targets: Array, sums: Sums) -> Floats:
    """Per class or label, the summed weights of the rows hit, predicted and true, side by side (G, 3C)."""
    if targets.dtype.kind == "f":
        predicted = outputs > 0
        return sums.of(np.concatenate([predicted * targets, predicted, targets], axis=1))
    predicted, classes = outputs.argmax(axis=-1), outputs.shape[-1]
    hit = np.where(predicted == targets, targets, IGNORED)
    return np.concatenate([sums.of_class(each, classes) for each in (hit, predicted, targets)], axis=1)


# parameters: attributes of `Metric`, most of which have a default
def counted(
    name: str, score: Counted, meaning: str, *, tasks: tuple[str, ...] = CLASSES, bounds: Bounds = (0, 1),
    first: int = 0, undefined: Undefined | None = None,
) -> Metric:  # fmt: skip
    """A metric computed from counts per class.

    Args:
        score: function of true positives, predicted and actual counts, each (…, C), returning (…).
        meaning: one line for `tuner list`.
        bounds: lowest and highest score.
        first: classes before this code are not scored (background).
        undefined: says why some targets have no score.
    """

    def of_totals(totals: Floats) -> Floats:
        return score(*np.split(totals, 3, axis=-1))

    return Metric(name=name, tasks=tasks, maximize=True, meaning=meaning, bounds=bounds,
                  baselines=best_classes(score, first), compute=OfSums(_counts, of_totals), counted=score,
                  undefined=undefined)  # fmt: skip


def correct(outputs: Array, targets: Array) -> Floats:
    """1 where the highest logit is the true class, or every label is predicted right, else 0."""
    if targets.dtype.kind == "f":
        return np.asarray(((outputs > 0) == (targets > 0)).all(axis=-1), dtype=np.float64)
    return np.asarray(outputs.argmax(axis=-1) == targets, dtype=np.float64)


def negative_log_likelihood(outputs: Array, targets: Array) -> Floats:
    """Negative log-likelihood of the true class; for multilabel targets, of each label, averaged over labels."""
    if targets.dtype.kind == "f":
        true, false = log_sigmoid(outputs), log_sigmoid(-outputs)
        return -np.asarray((targets * true + (1 - targets) * false).mean(axis=-1))
    return -np.take_along_axis(log_softmax(outputs), targets[:, None], axis=-1)[:, 0]


def brier(outputs: Array, targets: Array) -> Floats:
    """Σ (probability − truth)² over the classes; of two classes half of it, so that it is of one (Brier 1950); averaged
    over labels."""
    if targets.dtype.kind == "f":
        return np.asarray(np.square(sigmoid(outputs) - targets).mean(axis=-1))
    errors = softmax(outputs)
    errors[np.arange(len(targets)), targets] -= 1
    return np.asarray(np.square(errors).sum(axis=-1) * (0.5 if outputs.shape[-1] == 2 else 1.0))


def accuracy(hit: Floats, predicted: Floats, true: Floats) -> Floats:
    """Share of the rows that are hit."""
    return np.asarray(hit.sum(axis=-1) / true.sum(axis=-1))


def balanced_accuracy(hit: Floats, predicted: Floats, true: Floats) -> Floats:
    """Recall per class, averaged over the classes that are true in the set."""
    return np.asarray(_divided(hit, true).sum(axis=-1) / (true > 0).sum(axis=-1))


def matthews_corrcoef(hit: Floats, predicted: Floats, true: Floats) -> Floats:
    """Matthews' correlation coefficient of several classes (Gorodkin 2004); 0 where all rows have or get one class."""
    rows = true.sum(axis=-1)
    both = hit.sum(axis=-1) * rows - (true * predicted).sum(axis=-1)
    spreads = [rows**2 - np.square(each).sum(axis=-1) for each in (predicted, true)]
    varied = ((predicted > 0).sum(axis=-1) > 1) & ((true > 0).sum(axis=-1) > 1)
    product = np.where(varied, spreads[0] * spreads[1], 1.0)
    return np.where(varied, both / np.sqrt(product), 0.0)


def kappa(hit: Floats, predicted: Floats, true: Floats) -> Floats:
    """Cohen's kappa (1960): agreement beyond chance; nan where all rows have and get one and the same class."""
    rows = true.sum(axis=-1)
    agreed, chance = hit.sum(axis=-1) / rows, (true * predicted).sum(axis=-1) / rows**2
    varied = ((true + predicted) > 0).sum(axis=-1) > 1
    return np.where(varied, (agreed - chance) / np.where(varied, 1 - chance, 1.0), np.nan)


def _of_each_class(area: Callable[[NDArray[np.bool_], Floats, Floats], float | None]) -> OfSet:
    """An area under a curve of the second of two classes; of more, or of labels, of each against the rest, averaged
    over those that are true in the set and not alone."""

    def score(outputs: Array, targets: Array, weights: Floats) -> float:
        labels, counts = targets.dtype.kind == "f", weights > 0
        outputs, targets, weights = outputs[counts], targets[counts], weights[counts]
        classes = outputs.shape[-1]
        probabilities = sigmoid(outputs) if labels else softmax(outputs)
        truth = targets > 0 if labels else targets[:, None] == np.arange(classes)
        wanted = [1] if classes == 2 and not labels else range(classes)
        areas = [area(truth[:, each], probabilities[:, each], weights) for each in wanted]
        known = [area for area in areas if area is not None]
        return float(np.mean(known)) if known else float("nan")

    return score


def one_class(targets: Array, needed: object) -> str | None:
    """Why the score is undefined for these targets; None if it is defined."""
    if targets.dtype.kind == "f":
        return "no label differs among them" if (targets == targets[0]).all() else None
    return "they have one class only" if len(np.unique(targets[targets != IGNORED])) < 2 else None


Ratio = Callable[[Floats, Floats, Floats], Floats]


def _divided(part: Floats, whole: Floats) -> Floats:
    """0 where there is nothing to divide by."""
    return np.asarray(part / np.where(whole > 0, whole, 1.0))


def _f(beta: float, hit: Floats, predicted: Floats, true: Floats) -> Floats:
    return _divided((1 + beta**2) * hit, predicted + beta**2 * true)


RATIOS: dict[str, tuple[str, Ratio]] = {
    "precision": ("share of the rows predicted as a class that belong to it", lambda h, p, t: _divided(h, p)),
    "recall": ("share of the rows of a class that are predicted as it", lambda h, p, t: _divided(h, t)),
    **{
        f"f{beta}": (
            "harmonic mean of precision and recall" + ("" if beta == 1 else f", recall weighing {beta:g} times"),
            partial(_f, beta),
        )
        for beta in BETAS
    },
}


def _macro(ratio: Ratio) -> Counted:
    def score(hit: Floats, predicted: Floats, true: Floats) -> Floats:
        present = (predicted + true) > 0
        return np.asarray((ratio(hit, predicted, true) * present).sum(axis=-1) / present.sum(axis=-1))

    return score


def _micro(ratio: Ratio) -> Counted:
    return lambda hit, predicted, true: ratio(*(count.sum(axis=-1) for count in (hit, predicted, true)))


def _weighted(ratio: Ratio) -> Counted:
    return lambda hit, predicted, true: np.asarray(
        (ratio(hit, predicted, true) * true).sum(axis=-1) / true.sum(axis=-1)
    )


AVERAGES: dict[str, tuple[str, Callable[[Ratio], Counted]]] = {
    "macro": ("averaged over the classes that are true or predicted", _macro),
    "micro": ("of all classes counted together", _micro),
    "weighted": ("averaged over classes by how often each is true", _weighted),
}


def _foreground(ratio: Ratio) -> Counted:
    """Averaged over the classes but the first, the ground, that are true or predicted; 1 where none is."""

    def score(*counts: Floats) -> Floats:
        hit, predicted, true = (count[..., 1:] for count in counts)
        present = (predicted + true) > 0
        mean = (ratio(hit, predicted, true) * present).sum(axis=-1) / np.maximum(present.sum(axis=-1), 1)
        return np.where(present.any(axis=-1), mean, 1.0)

    return score


SEGMENTS = ("segmentation",)
AREA = "of each class against the rest"
METRICS = (
    mean_of(correct, name="accuracy", tasks=LABELS, maximize=True, bounds=(0, 1), baselines=commonest, counted=accuracy,
            meaning="share of rows, steps or pixels with the right class, or all labels right"),
    counted("balanced_accuracy", balanced_accuracy, "recall per class, averaged"),
    *(
        counted(f"{average}_{name}", compute(ratio), f"{meaning}, {words}", tasks=LABELS)
        for name, (meaning, ratio) in RATIOS.items()
        for average, (words, compute) in AVERAGES.items()
    ),
    counted("mcc", matthews_corrcoef, "Matthews' correlation of truth and prediction, 0 for chance", bounds=(-1, 1),
            undefined=one_class),
    counted("cohen_kappa", kappa, "agreement of truth and prediction beyond chance (Cohen 1960)", bounds=(-1, 1),
            undefined=one_class),
    *(
        Metric(name=name, tasks=LABELS, maximize=True, compute=_of_each_class(area), bounds=(0, 1), baselines=baselines,
               meaning=f"area under the {curve} curve, {of}", undefined=one_class, second=name == "average_precision")
        for name, area, curve, of, baselines in (
            ("roc_auc", auc, "ROC", AREA, equal_scores),
            ("average_precision", average_precision, "precision-recall", f"{AREA}; of two classes that of the second",
             random_order),
        )
    ),
    mean_of(negative_log_likelihood, name="log_loss", tasks=LABELS, maximize=False, bounds=(0, None), baselines=shares,
            meaning="mean −log probability of the true class, or of each label"),
    mean_of(brier, name="brier", tasks=LABELS, maximize=False, bounds=(0, 2), baselines=shares,
            meaning="squared error of the probabilities, summed over classes; half of it of two, the mean over labels"),
    counted("dice", _foreground(RATIOS["f1"][1]), "2 · overlap / (predicted + true) of all classes but the first",
            tasks=SEGMENTS, first=1),
    counted("iou", _foreground(lambda h, p, t: _divided(h, p + t - h)), "overlap / union of all classes but the first",
            tasks=SEGMENTS, first=1),
)  # fmt: skip
