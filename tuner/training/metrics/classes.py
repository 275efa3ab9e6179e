"""Metrics of classes: logits (…, V, C), codes (…, V), weights (…, V) → (…); or, of a multilabel task, of labels: logits
and 0 or 1 (…, V, L). They equal scikit-learn's on each set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from tuner.data.dataset import IGNORED
from tuner.ranking import Floats, auc, average_precision
from tuner.training.metrics.guesses import Counted, best_classes, commonest, equal_scores, random_order, shares
from tuner.training.metrics.metric import CLASSES, LABELS, Bounds, Function, Metric, Undefined, mean_of

BETAS = (0.5, 1, 2)  # of F-beta: above 1, recall counts more


def _counts(outputs: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Per class or label, the summed weights of the rows hit, predicted and true; each (…, C)."""
    if targets.is_floating_point():
        weighted = [each * weights[..., None] for each in ((outputs > 0) * targets, outputs > 0, targets)]
        return weighted[0].sum(-2), weighted[1].sum(-2), weighted[2].sum(-2)
    predicted = outputs.argmax(dim=-1)
    none = weights.new_zeros((*weights.shape[:-1], outputs.shape[-1]))
    correct = none.scatter_add(-1, targets, weights * (predicted == targets))
    return correct, none.scatter_add(-1, predicted, weights), none.scatter_add(-1, targets, weights)


def counted(
    name: str, score: Counted, meaning: str, *,
    tasks: tuple[str, ...] = CLASSES, bounds: Bounds = (0, 1), first: int = 0, undefined: Undefined | None = None,
) -> Metric:  # fmt: skip
    """The metric of the rows hit, predicted and true per class; classes before `first` are not scored."""

    def function(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        return score(*_counts(outputs, targets, weights))

    return Metric(name, tasks, True, function, meaning, bounds, best_classes(score, first), undefined=undefined,
                  counted=score)  # fmt: skip


def correct(outputs: Tensor, targets: Tensor) -> Tensor:
    """1 where the highest logit is the true class, or every label is predicted right, else 0."""
    if targets.is_floating_point():
        return ((outputs > 0) == (targets > 0)).all(-1).double()
    return (outputs.argmax(dim=-1) == targets).double()


def negative_log_likelihood(outputs: Tensor, targets: Tensor) -> Tensor:
    """−log probability of the true class; of labels, that of what is true of each, averaged."""
    if targets.is_floating_point():
        return F.binary_cross_entropy_with_logits(outputs.double(), targets, reduction="none").mean(-1)
    return -outputs.double().log_softmax(dim=-1).gather(-1, targets[..., None])[..., 0]


def brier(outputs: Tensor, targets: Tensor) -> Tensor:
    """Σ (probability − truth)² over the classes; of two classes half of it, so that it is of one (Brier 1950); averaged
    over labels."""
    if targets.is_floating_point():
        return (outputs.double().sigmoid() - targets).square().mean(-1)
    errors = outputs.double().softmax(dim=-1) - F.one_hot(targets, outputs.shape[-1])
    return errors.square().sum(-1) * (0.5 if outputs.shape[-1] == 2 else 1.0)


def balanced_accuracy(correct: Tensor, predicted: Tensor, true: Tensor) -> Tensor:
    """Recall per class, averaged over the classes that are true in the set."""
    return _divided(correct, true).sum(-1) / (true > 0).sum(-1)


def correlation(correct: Tensor, predicted: Tensor, true: Tensor) -> Tensor:
    """Matthews' correlation coefficient of several classes (Gorodkin 2004); 0 where all rows have or get one class."""
    rows = true.sum(-1)
    both = correct.sum(-1) * rows - (true * predicted).sum(-1)
    spreads = [rows.square() - each.square().sum(-1) for each in (predicted, true)]
    varied = ((predicted > 0).sum(-1) > 1) & ((true > 0).sum(-1) > 1)
    product = (spreads[0] * spreads[1]).where(varied, 1.0)
    return (both / product.sqrt()).where(varied, 0.0)


def kappa(correct: Tensor, predicted: Tensor, true: Tensor) -> Tensor:
    """Cohen's kappa (1960): agreement beyond chance; nan where all rows have and get one and the same class."""
    rows = true.sum(-1)
    agreed, chance = correct.sum(-1) / rows, (true * predicted).sum(-1) / rows.square()
    varied = ((true + predicted) > 0).sum(-1) > 1
    return ((agreed - chance) / (1 - chance).where(varied, 1.0)).where(varied, torch.nan)


def _of_each_class(area: Callable[[NDArray[np.bool_], Floats, Floats], float | None]) -> Function:
    """An area under a curve of the second of two classes; of more, or of labels, of each against the rest, averaged
    over those that are true in the set and not alone."""

    def score(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        sets = weights.shape[:-1]
        labels, classes = targets.is_floating_point(), outputs.shape[-1]
        probabilities = outputs.double().sigmoid() if labels else outputs.double().softmax(dim=-1)
        truths = targets > 0 if labels else targets[..., None] == torch.arange(classes)
        flat = (each.reshape(-1, *each.shape[len(sets) :]).numpy() for each in (probabilities, truths, weights))
        wanted = [1] if classes == 2 and not labels else range(classes)
        areas = [
            [area(truth[w > 0, each], p[w > 0, each], w[w > 0]) for each in wanted]
            for p, truth, w in zip(*flat, strict=True)
        ]
        known = [[area for area in own if area is not None] for own in areas]
        return torch.tensor([np.mean(own) if own else np.nan for own in known], dtype=torch.double).view(sets)

    return score


def one_class(targets: NDArray[Any], needed: object) -> str | None:
    """Why nothing can be told apart."""
    if targets.dtype.kind == "f":
        return "no label differs among them" if (targets == targets[0]).all() else None
    return "they have one class only" if len(np.unique(targets[targets != IGNORED])) < 2 else None


Ratio = Callable[[Tensor, Tensor, Tensor], Tensor]


def _divided(part: Tensor, whole: Tensor) -> Tensor:
    """0 where there is nothing to divide by."""
    return part / whole.where(whole > 0, 1.0)


def _f(beta: float, correct: Tensor, predicted: Tensor, true: Tensor) -> Tensor:
    return _divided((1 + beta**2) * correct, predicted + beta**2 * true)


RATIOS: dict[str, tuple[str, Ratio]] = {  # of what is hit, predicted, true
    "precision": ("share of the rows called a class that are of it", lambda h, p, t: _divided(h, p)),
    "recall": ("share of the rows of a class that are called it", lambda h, p, t: _divided(h, t)),
    **{
        f"f{beta}": (
            "harmonic mean of precision and recall" + ("" if beta == 1 else f", recall weighing {beta:g} times"),
            partial(_f, beta),
        )
        for beta in BETAS
    },
}


def _macro(ratio: Ratio) -> Counted:
    def score(correct: Tensor, predicted: Tensor, true: Tensor) -> Tensor:
        present = (predicted + true) > 0
        return (ratio(correct, predicted, true) * present).sum(-1) / present.sum(-1)

    return score


def _micro(ratio: Ratio) -> Counted:
    return lambda correct, predicted, true: ratio(*(count.sum(-1) for count in (correct, predicted, true)))


def _weighted(ratio: Ratio) -> Counted:
    return lambda correct, predicted, true: (ratio(correct, predicted, true) * true).sum(-1) / true.sum(-1)


AVERAGES: dict[str, tuple[str, Callable[[Ratio], Counted]]] = {
    "macro": ("averaged over the classes that are true or predicted", _macro),
    "micro": ("of all classes counted together", _micro),
    "weighted": ("averaged over classes by how often each is true", _weighted),
}


def _foreground(ratio: Ratio) -> Counted:
    """Averaged over the classes but the first, the ground, that are true or predicted; 1 where none is."""

    def score(*counts: Tensor) -> Tensor:
        correct, predicted, true = (count[..., 1:] for count in counts)
        present = (predicted + true) > 0
        mean = (ratio(correct, predicted, true) * present).sum(-1) / present.sum(-1).clamp(min=1)
        return mean.where(present.any(-1), 1.0)

    return score


SEGMENTS = ("segmentation",)
AREA = "of each class against the rest"
METRICS = (
    replace(mean_of(correct, "accuracy", LABELS, True,
                    "share of rows, steps or pixels with the right class, or all labels right", (0, 1), commonest),
            counted=lambda correct, predicted, true: correct.sum(-1) / true.sum(-1)),
    counted("balanced_accuracy", balanced_accuracy, "recall per class, averaged"),
    *(
        counted(f"{average}_{name}", how(ratio), f"{meaning}, {words}", tasks=LABELS)
        for name, (meaning, ratio) in RATIOS.items()
        for average, (words, how) in AVERAGES.items()
    ),
    counted("mcc", correlation, "Matthews' correlation of truth and prediction, 0 for chance", bounds=(-1, 1),
            undefined=one_class),
    counted("cohen_kappa", kappa, "agreement of truth and prediction beyond chance (Cohen 1960)", bounds=(-1, 1),
            undefined=one_class),
    Metric("roc_auc", LABELS, True, _of_each_class(auc), f"area under the ROC curve, {AREA}", (0, 1), equal_scores,
           undefined=one_class),
    Metric("average_precision", LABELS, True, _of_each_class(average_precision),
           f"area under the precision-recall curve, {AREA}", (0, 1), random_order, undefined=one_class),
    mean_of(negative_log_likelihood, "log_loss", LABELS, False,
            "mean −log probability of the true class, or of each label", (0, None),
            shares),
    mean_of(brier, "brier", LABELS, False,
            "squared error of the probabilities, summed over classes; half of it of two, the mean over labels", (0, 2),
            shares),
    counted("dice", _foreground(RATIOS["f1"][1]), "2 · overlap / (predicted + true) of all classes but the first",
            tasks=SEGMENTS, first=1),
    counted("iou", _foreground(lambda h, p, t: _divided(h, p + t - h)), "overlap / union of all classes but the first",
            tasks=SEGMENTS, first=1),
)  # fmt: skip
