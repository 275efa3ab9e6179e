"""The gain of the tuned model over another one on the same outer folds, and whether it is significant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tuner.report.statistics import ALPHA, Interval, holm


@dataclass(frozen=True)
class Gain:
    """The tuned model against another on the same outer folds: `gains` fold by fold, positive where tuning is better.

    `mean` is the other's mean score, `gain` the mean gain with its interval. `p` is that of the corrected resampled
    t-test, `adjusted` with Holm's correction for all comparisons of the report. With one fold, or the same gain in all
    folds, there is no test: both and the half width are None.
    """

    mean: float
    gain: Interval
    gains: tuple[float, ...]
    p: float | None
    adjusted: float | None = None

    @property
    def distinguishable(self) -> bool:
        """Whether the mean gain is significantly not 0."""
        return self.adjusted is not None and self.adjusted < ALPHA

    @property
    def shown(self) -> bool:
        """Whether tuning is better: significantly, or on every fold if no test is possible."""
        return self.gain.mean > 0 and (self.distinguishable or self.adjusted is None)


def adjusted(gains: Mapping[str, Gain]) -> dict[str, Gain]:
    """The comparisons of one report with their p-values adjusted for how many there are (Holm 1979)."""
    tested = {name: gain.p for name, gain in gains.items() if gain.p is not None}
    found = dict(zip(tested, holm(list(tested.values())), strict=True))
    return {name: replace(gain, adjusted=found.get(name)) for name, gain in gains.items()}
