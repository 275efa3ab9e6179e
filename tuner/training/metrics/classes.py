"""Metrics of classes: logits (…, V, C), codes (…, V), mask (…, V) → (…). They equal scikit-learn's on each set."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tuner.ranking import auc
from tuner.training.metrics.metric import LABELS, Function, Metric, mean_of


def _counts(outputs: Tensor, targets: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Per class: rows hit, rows predicted, rows true; each (…, C)."""
    classes = outputs.shape[-1]
    true = F.one_hot(targets, classes) * mask[..., None]
    predicted = F.one_hot(outputs.argmax(dim=-1), classes) * mask[..., None]
    return (true * predicted).sum(-2).double(), predicted.sum(-2).double(), true.sum(-2).double()


def hit(outputs: Tensor, targets: Tensor) -> Tensor:
    """1 where the highest logit is the true class, else 0."""
    return (outputs.argmax(dim=-1) == targets).double()


def surprise(outputs: Tensor, targets: Tensor) -> Tensor:
    """−log probability of the true class."""
    return -outputs.double().log_softmax(dim=-1).gather(-1, targets[..., None])[..., 0]


def balanced_accuracy(outputs: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Recall per class, averaged over the classes that are true in the set."""
    hit, _, true = _counts(outputs, targets, mask)
    return (hit / true.clamp(min=1)).sum(-1) / (true > 0).sum(-1)


def roc_auc(outputs: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Area under the ROC curve of the second of two classes; of more, of each against the rest, averaged."""
    sets = mask.shape[:-1]
    probabilities = outputs.double().softmax(dim=-1).reshape(-1, *outputs.shape[-2:]).numpy()
    flat, counts = targets.reshape(-1, targets.shape[-1]).numpy(), mask.reshape(-1, mask.shape[-1]).numpy()
    wanted = [1] if outputs.shape[-1] == 2 else range(outputs.shape[-1])
    areas = [
        [auc(truth[own] == each, p[own, each]) for each in wanted]
        for p, truth, own in zip(probabilities, flat, counts, strict=True)
    ]
    known = [[area for area in own if area is not None] for own in areas]
    return torch.tensor([np.mean(own) if own else np.nan for own in known], dtype=torch.double).view(sets)


Ratio = Callable[[Tensor, Tensor, Tensor], Tensor]
RATIOS: dict[str, tuple[str, Ratio]] = {  # of what is hit, predicted, true
    "precision": ("share of the rows called a class that are of it", lambda h, p, t: h / p.clamp(min=1)),
    "recall": ("share of the rows of a class that are called it", lambda h, p, t: h / t.clamp(min=1)),
    "f1": ("harmonic mean of precision and recall", lambda h, p, t: 2 * h / (p + t).clamp(min=1)),
}


def _macro(ratio: Ratio) -> Function:
    def score(outputs: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        hit, predicted, true = _counts(outputs, targets, mask)
        present = (predicted + true) > 0
        return (ratio(hit, predicted, true) * present).sum(-1) / present.sum(-1)

    return score


def _micro(ratio: Ratio) -> Function:
    def score(outputs: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        hit, predicted, true = (count.sum(-1) for count in _counts(outputs, targets, mask))
        return ratio(hit, predicted, true)

    return score


def _weighted(ratio: Ratio) -> Function:
    def score(outputs: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        hit, predicted, true = _counts(outputs, targets, mask)
        return (ratio(hit, predicted, true) * true).sum(-1) / true.sum(-1)

    return score


AVERAGES: dict[str, tuple[str, Callable[[Ratio], Function]]] = {
    "macro": ("averaged over the classes that are true or predicted", _macro),
    "micro": ("of all classes counted together", _micro),
    "weighted": ("averaged over classes by how often each is true", _weighted),
}


def _foreground(ratio: Ratio) -> Function:
    """Averaged over the classes but the first, the ground, that are true or predicted; 1 where none is."""

    def score(outputs: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        hit, predicted, true = (count[..., 1:] for count in _counts(outputs, targets, mask))
        present = (predicted + true) > 0
        mean = (ratio(hit, predicted, true) * present).sum(-1) / present.sum(-1).clamp(min=1)
        return mean.where(present.any(-1), 1.0)

    return score


METRICS = (
    mean_of(hit, "accuracy", LABELS, True, "share of rows, steps or pixels classified correctly", (0, 1)),
    Metric("balanced_accuracy", LABELS, True, balanced_accuracy, "recall per class, averaged", (0, 1)),
    *(
        Metric(f"{average}_{name}", LABELS, True, how(ratio), f"{meaning}, {words}", (0, 1))
        for name, (meaning, ratio) in RATIOS.items()
        for average, (words, how) in AVERAGES.items()
    ),
    Metric("roc_auc", LABELS, True, roc_auc, "area under the ROC curve, of each class against the rest", (0, 1),
           partial=True),
    mean_of(surprise, "log_loss", LABELS, False, "mean −log probability of the true class", (0, None)),
    Metric("dice", ("segmentation",), True, _foreground(RATIOS["f1"][1]),
           "2 · overlap / (predicted + true) of all classes but the first", (0, 1)),
    Metric("iou", ("segmentation",), True, _foreground(lambda h, p, t: h / (p + t - h).clamp(min=1)),
           "overlap / union of all classes but the first", (0, 1)),
)  # fmt: skip
