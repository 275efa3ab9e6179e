"""The limits of a run: the time that it may take, and the failures that it may have."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tuner.errors import NoResultError
from tuner.experiment.records import failures_in_a_row
from tuner.experiment.sections import Failures, Limits, seconds

if TYPE_CHECKING:  # it needs the storage, which takes a second to import, in every process that runs the user's code
    from tuner.search.chain import Chain

LAST_SHARE = 0.25  # largest share of a run's time to reserve for refits, which give the current winners an outer score
MARGIN, START = 2.0, 2.0  # a refit takes up to twice its trial, and seconds to start new workers


class Budget:
    """The remaining time of a run, and whether too many trials have failed.

    Durations use the monotonic clock; a time of day uses the system clock, which can be changed and runs while the
    machine sleeps."""

    def __init__(self, limits: Limits, begun: float) -> None:
        """`begun` is the start of the run, by the monotonic clock."""
        self._end = begun + seconds(limits.time) if limits.time else math.inf
        self._until = time.time() + until(limits)
        self._whole = time.monotonic() - begun + self._seconds
        self._failures = (
            limits.failures if isinstance(limits.failures, Failures) else Failures(in_a_row=limits.failures)
        )

    @property
    def spent(self) -> bool:
        """Whether the time is over."""
        return self._seconds < 0

    @property
    def left(self) -> float | None:
        """The remaining seconds, or None without a limit."""
        return None if math.isinf(self._seconds) else max(0.0, self._seconds)

    @property
    def _seconds(self) -> float:
        return min(self._end - time.monotonic(), self._until - time.time())

    def closing(self, chains: Sequence[Chain], workers: int) -> bool:
        """Whether the remaining time is needed to refit the current winners, each about as long as its trial."""
        if self.left is None or self.left > LAST_SHARE * self._whole:
            return False
        needed = [trial.seconds for chain in chains for trial in chain.missing_refits()]
        return bool(needed) and self.left < START + MARGIN * max(max(needed), sum(needed) / workers)

    def check_failures(self, chains: Sequence[Chain]) -> None:
        """Raise `NoResultError` if too many trials have failed."""
        for chain in chains:
            most = self._failures.in_a_row
            if most is not None and failures_in_a_row(chain.trials) >= most:
                last = next(trial for trial in reversed(chain.trials) if trial.state == "failed")
                text = f"{most} trials of {chain.name} failed in a row, the last one: {last.reason}"
                raise NoResultError(text, "fix the search space; a larger limits.failures goes on")
        most = self._failures.total
        failed = [trial for chain in chains for trial in chain.finished if trial.state == "failed"]
        if most is not None and len(failed) >= most:
            text = f"{len(failed)} trials failed, the last one: {failed[-1].reason}"
            raise NoResultError(text, "fix the search space; a larger limits.failures.total goes on")


def until(limits: Limits, now: datetime | None = None) -> float:
    """Seconds to the next time of day that is `until`, else infinity."""
    left = math.inf
    if limits.until:
        hour, minute = map(int, limits.until.split(":"))
        now = now or datetime.now().astimezone()
        today = now.replace(hour=hour, minute=minute, second=0, microsecond=0, tzinfo=None)
        # computed in the local time zone, so that a night in which the clock changes has its true length
        moments = ((today + timedelta(days=day)).replace(fold=fold).astimezone() for day in (0, 1) for fold in (0, 1))
        waits = ((moment - now).total_seconds() for moment in moments)
        left = min(wait for wait in waits if wait > 0)
    return left
