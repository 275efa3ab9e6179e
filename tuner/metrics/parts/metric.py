"""What a metric is, and how most of them are computed from sums over rows.

V rows with P places in all: a row of a table is one place; a row with a class at every step or pixel has many.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuner.metrics.parts.baselines import Baselines, Counted
from tuner.metrics.parts.sums import IGNORED, Array, Floats, Sums

OfSet = Callable[..., float]  # of outputs, targets, weights, and of what the metric `needs`
Totals = Callable[..., Floats]  # of outputs, targets, `Sums`, and of what the metric `needs`
OfTotals = Callable[[Floats], Floats]
OfPlaces = Callable[[Array, Array], Floats]
Bounds = tuple[float | None, float | None]
Need = Literal["users", "naive"]
Undefined = Callable[[Array, Array | None], str | None]
CLASSES = ("classification", "tagging", "segmentation")  # tasks whose answer is a class: of a row, a step or a pixel
LABELS = (*CLASSES, "multilabel")


class OfSums(NamedTuple):
    """A score that is a function of weighted sums over the rows.

    `totals` returns the sums (G, S) of G groups of rows, and `score` turns sums (…, S) into scores (…). So one
    definition gives the score of a set, and that of any resample of its rows."""

    totals: Totals
    score: OfTotals


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A score of a set of rows.

    Attributes:
        name: as it stands in an experiment file.
        tasks: the tasks that it can score.
        maximize: whether a higher score is better.
        meaning: one line for `tuner list` and the documentation.
        bounds: the lowest and the highest possible score; None where there is none.
        baselines: the best answers that ignore the features.
        compute: from sums, as most metrics are; or, as an area under a curve, from the whole set.
        mean: whether the score is the mean of one number per place.
        counted: the score from the true positives, predicted and actual counts per class, if the metric depends only on
        predicted classes.
        whole: whether it takes the places of a row together, as they are; else each labelled place counts like a row.
        least: targets below it have no meaning; None where all have.
        needs: what it takes in addition for each row: its user (V,), or the mean absolute error of the seasonal-naive
            forecast on the training rows (V, M).
        second: whether the score of two classes is that of the second one alone, in the order of their names.
        undefined: says why rows with these targets have no score, or None.
        weighted: whether rows may have weights.
    """

    name: str
    tasks: tuple[str, ...]
    maximize: bool
    meaning: str
    bounds: Bounds
    baselines: Baselines
    compute: OfSums | OfSet
    mean: bool = False
    counted: Counted | None = None
    whole: bool = False
    least: float | None = None
    needs: Need | None = None
    second: bool = False
    undefined: Undefined | None = None
    weighted: bool = True

    @np.errstate(all="ignore")  # a model that diverged scores nan
    def score(self, outputs: Array, targets: Array, weights: Floats, needed: Array | None = None) -> float:
        """The score of a set of rows; nan where there is none.

        Args:
            outputs: (V, *positions, C), or tokens (V, T) of a decoder.
            targets: codes (V, *positions), `IGNORED` where there is no label; or numbers (V, M).
            weights: (V,), how much each row counts; the values of rows of weight 0 may be anything.
            needed: what the metric `needs` of each row.
        """
        if isinstance(self.compute, OfSums):
            return float(self.compute.score(self._totals(self.compute, outputs, targets, weights, needed)[0]))
        outputs, targets, weights, _ = self._places(outputs, targets, weights)
        return float(self.compute(outputs, targets, weights, *self._needed(needed)))

    @np.errstate(all="ignore")
    def row_totals(self, outputs: Array, targets: Array, weights: Floats, needed: Array | None = None) -> Floats | None:
        """The totals (V, S) of each row, of whose sum the score is a function; None if the metric is not of sums."""
        if not isinstance(self.compute, OfSums):
            return None
        return self._totals(self.compute, outputs, targets, weights, needed, by_row=True)

    # parameters: those of `score`, and what is made of them
    def _totals(
        self,
        compute: OfSums,
        outputs: Array,
        targets: Array,
        weights: Floats,
        needed: Array | None,
        *,
        by_row: bool = False,
    ) -> Floats:
        rows = len(weights)
        outputs, targets, weights, row = self._places(outputs, targets, weights)
        sums = Sums(weights, rows, row) if by_row else Sums(weights)
        return compute.totals(outputs, targets, sums, *self._needed(needed))

    def _places(self, outputs: Array, targets: Array, weights: Floats) -> tuple[Array, Array, Floats, NDArray[np.intp]]:
        """Outputs, targets and weights of all places, one after another, and the row of each."""
        rows = np.arange(len(weights))
        if targets.ndim == 1 or targets.dtype.kind == "f" or self.whole:
            return outputs, targets, weights, rows
        per_row = targets[0].size if len(targets) else 0
        codes, row = targets.reshape(-1), np.repeat(rows, per_row)
        label_mask = codes != IGNORED
        if label_mask.all():
            return outputs.reshape(-1, outputs.shape[-1]), codes, weights[row], row
        row = row[label_mask]
        return outputs.reshape(-1, outputs.shape[-1])[label_mask], codes[label_mask], weights[row], row

    def _needed(self, needed: Array | None) -> tuple[Array | None, ...]:
        return () if self.needs is None else (needed,)

    def of_class(self, classes: Sequence[str]) -> str | None:
        """The class of which the score is, if it is of one of two."""
        return classes[1] if self.second and len(classes) == 2 else None

    def why_undefined(self, targets: Array, weights: Floats, needed: Array | None) -> str:
        """Why rows with these targets (V, …) and weights (V,) have no score; empty where they have one."""
        counts = weights > 0
        if not counts.any():
            return "all of them weigh 0"
        if targets.dtype.kind == "i" and (targets[counts] == IGNORED).all():
            return "they have no labels"
        if self.undefined is None:
            return ""
        return self.undefined(targets[counts], None if needed is None else needed[counts]) or ""


def mean_of(of_places: OfPlaces, **about: Any) -> Metric:
    """The metric that is the weighted mean of a number per place; `about` are the other attributes of `Metric`."""

    def totals(outputs: Array, targets: Array, sums: Sums) -> Floats:
        return sums.of_mean(of_places(outputs, targets))

    return Metric(compute=OfSums(totals, mean), mean=True, **about)


def mean(totals: Floats) -> Floats:
    """The mean (…) of totals (…, 2): the sum of the weights, and the weighted sum."""
    return np.asarray(totals[..., 1] / totals[..., 0])
