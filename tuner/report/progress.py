"""The progress of a search: whether it is running, what is finished, and when it will be done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tuner.experiment.header import Run
from tuner.experiment.selection import ranked
from tuner.report.results import Results


@dataclass(frozen=True)
class Progress:
    """The progress of a study at the time `now`; `holder` is the process that searches it, or None."""

    results: Results
    holder: str | None
    now: datetime

    @property
    def runs(self) -> tuple[Run, ...]:
        """Every run of the study, the most recent one last."""
        return self.results.study.runs

    @property
    def left(self) -> int:
        """The number of trials left over all chains."""
        return self.results.total * len(self.results.chains) - self.results.finished()

    @property
    def seconds_left(self) -> float | None:
        """The time left at the speed of the present run; None if none is running, or it has not finished a trial."""
        if self.holder is None or not self.runs:
            return None
        run = self.runs[-1]
        made = self.results.finished() - run.finished
        elapsed = (self.now - datetime.fromisoformat(run.start)).total_seconds()
        return elapsed / made * self.left if made > 0 else None

    @property
    def stops_in(self) -> float | None:
        """Seconds until the limit of the present run, if it has one."""
        run = self.runs[-1] if self.runs else None
        if self.holder is None or run is None or run.seconds is None:
            return None
        elapsed = (self.now - datetime.fromisoformat(run.start)).total_seconds()
        return max(0.0, run.seconds - elapsed)

    def as_object(self) -> dict[str, Any]:
        """The progress as plain values."""
        results, leaders = self.results, self.best()
        counts = {name: len(chain.trials) for name, chain in results.chains.items()}
        return {
            "name": results.name,
            "running": self.holder,
            "complete": results.complete,
            "metric": results.metric,
            "score": results.score and results.score.mean,
            "trials": results.total,
            "seconds_left": self.seconds_left,
            "stops_in": self.stops_in,
            "chains": {name: {"finished": count, "best": leaders[name]} for name, count in counts.items()},
        }

    def best(self) -> dict[str, float | None]:
        """The best inner score of every chain so far."""
        leaders = {name: ranked(chain.trials, self.results.maximize) for name, chain in self.results.chains.items()}
        return {name: order[0].score if order else None for name, order in leaders.items()}
