"""Scores lanes on their row sets, each set by itself: a score does not depend on what else is in the stack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tuner.data.dataset import Dataset
from tuner.data.inputs import Rows
from tuner.data.scored import needed, score
from tuner.metrics import Metric
from tuner.metrics.parts.sums import Array
from tuner.metrics.parts.threshold import tuned
from tuner.training.lanes import Lane


@dataclass(frozen=True, eq=False)
class Scorer:
    """The metric on one row set of every lane: the rows (V,), and what the metric needs of them.

    With `tune_threshold`, each set is scored at its own best decision threshold."""

    dataset: Dataset
    metric: Metric
    tune_threshold: bool
    sets: tuple[tuple[Rows, Array | None], ...]

    def __call__(self, outputs: Tensor) -> Tensor:
        """The scores (K,) of outputs (K, V, …) on the CPU; a set with fewer rows than V has the first of them."""
        of_sets = zip(outputs.numpy(), self.sets, strict=True)
        found = [self._score(own[: len(rows)], rows, more) for own, (rows, more) in of_sets]
        return torch.tensor(found, dtype=torch.double)

    def _score(self, outputs: Array, rows: Rows, more: Array | None) -> float:
        if not self.tune_threshold:
            return score(self.dataset, self.metric, outputs, rows, more)
        fold = outputs, self.dataset.targets[rows], self.dataset.counts(rows)
        return tuned([fold], self.metric).scores[0]

    def select(self, lanes: Sequence[int]) -> Scorer:
        """The scorer of a selection of the lanes."""
        return Scorer(self.dataset, self.metric, self.tune_threshold, tuple(self.sets[lane] for lane in lanes))


def scorers(dataset: Dataset, metric: Metric, lanes: Sequence[Lane], *, tune_threshold: bool) -> tuple[Scorer, ...]:
    """One for each row set of the lanes."""
    by_set = zip(*(lane.evaluations for lane in lanes), strict=True)
    return tuple(
        Scorer(dataset, metric, tune_threshold,
               tuple((rows, needed(dataset, metric, lane.train, rows))
                     for lane, rows in zip(lanes, own, strict=True)))
        for own in by_set
    )  # fmt: skip
