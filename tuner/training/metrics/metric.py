"""What a metric is, and how one is made of the scores of single rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from tuner.data.dataset import IGNORED

Function = Callable[[Tensor, Tensor, Tensor], Tensor]
ByUser = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
ByRow = Callable[[Tensor, Tensor], Tensor]
Bounds = tuple[float | None, float | None]
LABELS = ("classification", "tagging", "segmentation")  # tasks whose answer is a class: of a row, a step or a pixel


@dataclass(frozen=True)
class Metric:
    """A score: what it is called, the tasks it is for, whether more is better, and how it is computed.

    `by_row`: the scores of single rows (…, V), where their mean is the score of the set; `by_user`: in the place of
    `function`, a score that also wants to know whom each row asks; `whole`: it reads a row's places together; `least`:
    targets below it mean nothing to it; `partial`: of some sets of rows it says nothing."""

    name: str
    tasks: tuple[str, ...]
    maximize: bool
    function: Function | None
    meaning: str
    bounds: Bounds  # what it can be at least and at most
    by_row: ByRow | None = None
    by_user: ByUser | None = None
    whole: bool = False
    least: float | None = None
    partial: bool = False

    def score(self, outputs: Tensor, targets: Tensor, mask: Tensor, users: Tensor | None = None) -> Tensor:
        """Of sets (…): outputs (…, V, *places, C), targets (…, V, *places) or numbers (…, V, M), and the rows that
        count, mask (…, V). Each place that asks something counts like a row, unless the metric reads them together."""
        if self.by_user is not None:
            assert users is not None
            return self.by_user(outputs, targets, mask, users)
        assert self.function is not None
        if targets.ndim > mask.ndim and not targets.is_floating_point() and not self.whole:
            sets = mask.ndim - 1
            asked = (targets != IGNORED) & mask.view(*mask.shape, *[1] * (targets.ndim - mask.ndim))
            outputs, targets, mask = (
                outputs.flatten(sets, -2),
                targets.clamp(min=0).flatten(sets),
                asked.flatten(sets),
            )
        return self.function(outputs, targets, mask)


def mean_of(by_row: ByRow, name: str, tasks: tuple[str, ...], maximize: bool, meaning: str, bounds: Bounds) -> Metric:
    """The metric that is the mean of its rows' scores."""

    def mean(outputs: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        return by_row(outputs, targets).where(mask, 0.0).sum(-1) / mask.sum(-1)

    return Metric(name, tasks, maximize, mean, meaning, bounds, by_row)
