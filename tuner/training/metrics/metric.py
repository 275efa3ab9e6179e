"""What a metric is, and how one is made of the scores of single rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tuner.data.dataset import IGNORED, Dataset
from tuner.training.metrics.guesses import Counted, Guesses

Function = Callable[..., Tensor]  # of outputs, targets, weights, and of what the metric `needs`
ByRow = Callable[[Tensor, Tensor], Tensor]
Bounds = tuple[float | None, float | None]
Need = Literal["users", "naive"]
Undefined = Callable[[NDArray[Any], NDArray[Any] | None], str | None]
CLASSES = ("classification", "tagging", "segmentation")  # tasks whose answer is a class: of a row, a step or a pixel
LABELS = (*CLASSES, "multilabel")


@dataclass(frozen=True)
class Metric:
    """A score: its name, the tasks it is for, whether more is better, and how it is computed.

    `guesses`: the best answers that ignore the features; `by_row`: the scores of single rows (…, V), where their
    weighted mean is the score of the set; `whole`: it reads a row's places together; `least`: targets below it mean
    nothing to it; `needs`: what `function` takes besides, the users of the rows (…, V) or the error of the
    seasonal-naive forecast on the training rows of each set (…, M); `undefined`: why it cannot score rows with these
    targets, of which each counts, or None; `weighted`: whether rows may count by weight; `counted`: the same
    from the rows hit, predicted and true per class, where it scores the predicted class."""

    name: str
    tasks: tuple[str, ...]
    maximize: bool
    function: Function
    meaning: str
    bounds: Bounds  # what it can be at least and at most
    guesses: Guesses
    by_row: ByRow | None = None
    whole: bool = False
    least: float | None = None
    needs: Need | None = None
    undefined: Undefined | None = None
    weighted: bool = True
    counted: Counted | None = None

    def score(self, outputs: Tensor, targets: Tensor, weights: Tensor, needed: Tensor | None = None) -> Tensor:
        """The score (…) of sets of rows.

        outputs (…, V, *positions, C); targets (…, V, *positions) or numbers (…, V, M); weights (…, V) in float64, 0 for
        padding and for rows that do not count. Each labelled position counts like a row, unless the metric reads them
        together. With all weights 1 the score is, to the bit, the unweighted one."""
        if targets.ndim > weights.ndim and not targets.is_floating_point() and not self.whole:
            sets = weights.ndim - 1
            label_mask = (targets != IGNORED) * weights.view(*weights.shape, *[1] * (targets.ndim - weights.ndim))
            outputs, targets, weights = (
                outputs.flatten(sets, -2),
                targets.clamp(min=0).flatten(sets),
                label_mask.flatten(sets),
            )
        more = () if self.needs is None else (needed,)
        return self.function(outputs, targets, weights, *more)

    def row_score(self, dataset: Dataset) -> ByRow | None:
        """The scores of single rows, where the plain mean of a set's is its score; else None."""
        return None if dataset.positions or dataset.score_weights is not None else self.by_row

    def why_undefined(self, targets: NDArray[Any], weights: NDArray[np.float64], needed: NDArray[Any] | None) -> str:
        """Why no score can be given of the rows with these targets (V, …) and weights (V,); empty where one can."""
        counts = weights > 0
        if not counts.any():
            return "all of them weigh 0"
        if targets.dtype.kind == "i" and (targets[counts] == IGNORED).all():
            return "nothing is asked of them"
        if self.undefined is None:
            return ""
        about = needed[counts] if self.needs == "users" and needed is not None else needed
        return self.undefined(targets[counts], about) or ""


def mean_of(
    by_row: ByRow, name: str, tasks: tuple[str, ...], maximize: bool, meaning: str, bounds: Bounds, guesses: Guesses,
    undefined: Undefined | None = None,
) -> Metric:  # fmt: skip
    """The metric that is the weighted mean of its rows' scores."""

    def mean(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        return average(by_row(outputs, targets), weights)

    return Metric(name, tasks, maximize, mean, meaning, bounds, guesses, by_row, undefined=undefined)


def average(values: Tensor, weights: Tensor) -> Tensor:
    """The weighted mean of each set's values (…, V); those of weight 0 may be anything."""
    return (values.where(weights > 0, 0.0) * weights).sum(-1) / weights.sum(-1)
