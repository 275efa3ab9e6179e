"""The statistics of the report, each with its source."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import stdtrit


@dataclass(frozen=True)
class Interval:
    """A mean and its two-sided confidence interval; `half` is None where one value allows none.

    Its bounds stay within what the quantity can be: an accuracy is at most 1."""

    mean: float
    half: float | None
    least: float = -math.inf
    most: float = math.inf

    @property
    def low(self) -> float | None:
        """Lower bound."""
        return None if self.half is None else max(self.mean - self.half, self.least)

    @property
    def high(self) -> float | None:
        """Upper bound."""
        return None if self.half is None else min(self.mean + self.half, self.most)


def corrected_interval(scores: Sequence[float], test_share: float, confidence: float = 0.95) -> Interval:
    """Mean of resampled test scores with the corrected resampled t interval (Nadeau & Bengio 2003).

    mean ± t(J−1) · √((1/J + n_test/n_train) · s²): the training sets overlap, so sd/√J would be far too narrow.
    `test_share` is n_test/n_train.
    """
    mean, count = statistics.fmean(scores), len(scores)
    if count < 2:
        return Interval(mean, None)
    error = math.sqrt((1 / count + test_share) * statistics.variance(scores))
    return Interval(mean, float(stdtrit(count - 1, 0.5 + confidence / 2)) * error)
