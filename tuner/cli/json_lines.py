"""A search as JSON, one object per event and line; docs/reference/running.md documents the keys."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tuner.cli.lines import best_score
from tuner.experiment.records import TrialRecord
from tuner.experiment.selection import refit_epochs

if TYPE_CHECKING:
    from tuner.cli.reporters import SearchEnd, SearchStart
    from tuner.search.events import Event, Finished


class JsonLines:
    """Prints every event as an object with at least `event` and `time`."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self._out = say

    def _say(self, event: str, **values: Any) -> None:
        now = datetime.now().astimezone().isoformat(timespec="milliseconds")
        self._out(json.dumps({"event": event, "time": now, **values}))

    def begin(self, begun: SearchStart) -> None:
        """Print the event `started`."""
        prepared, options = begun.prepared, begun.options
        self._say(
            "started",
            name=begun.name,
            study=str(options.study),
            metric=prepared.metric.name,
            trials=prepared.trials(options.trials),
            chains=[chain.name for chain in prepared.plan.chains],
            warnings=list(prepared.warnings),
        )

    def handle(self, event: Event) -> None:
        """Print an event `trial`, `refit`, `chain` or `note`."""
        from tuner.search.events import ChainDone, Finished, Note

        if isinstance(event, Finished):
            self._finished(event)
        elif isinstance(event, ChainDone):
            chain, best = event.chain, event.chain.best
            self._say("chain", chain=chain.name, best=best_score(chain), trial=best.number if best else None)
        elif isinstance(event, Note):
            self._say("note", text=event.text)

    def _finished(self, event: Finished) -> None:
        record, chain = event.record, event.chain.name
        common = {"chain": chain, "trial": record.number, "score": record.score}
        common |= {"seconds": round(record.seconds, 3), "reason": record.reason}
        if isinstance(record, TrialRecord):
            length = refit_epochs(record) if record.state == "complete" else None  # the same as in the report
            common |= {"epochs": length, "trained": record.epochs}
            self._say("trial", **common, state=record.state, best=best_score(event.chain), values=record.values)
        else:
            self._say("refit", **common, epochs=record.epochs)

    def end(self, ended: SearchEnd) -> None:
        """Print the event `stopped`."""
        results = ended.results
        score = results.score if results else None
        self._say(
            "stopped",
            code=ended.code,
            reason=ended.reason,
            complete=bool(results and results.complete),
            score=score and {"mean": score.mean, "low": score.low, "high": score.high},
            line=ended.line,
        )
