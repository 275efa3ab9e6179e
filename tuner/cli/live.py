"""The live view of a search on a terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tuner.cli.console import clock
from tuner.cli.lines import best_score, opening
from tuner.experiment.records import TrialRecord

if TYPE_CHECKING:
    from rich.console import Console, Group

    from tuner.cli.reporters import SearchEnd, SearchStart
    from tuner.search.events import Event, Tick


class Live:
    """A table of the chains, drawn anew with every tick."""

    def __init__(self, to: Console) -> None:
        from rich.live import Live as RichLive

        self._console = to
        self._start = time.monotonic()
        self._finished = 0
        self._metric = ""
        self._live = RichLive(console=to, auto_refresh=False)

    def begin(self, begun: SearchStart) -> None:
        """Print the warnings and a line that describes the search, and start the table."""
        self._metric = begun.prepared.metric.name
        for text in (*begun.prepared.warnings, opening(begun)):
            self._print(text)
        self._live.start()

    def handle(self, event: Event) -> None:
        """Show an event."""
        from tuner.search.events import Finished, Note, Tick

        if isinstance(event, Finished):
            self._finished += isinstance(event.record, TrialRecord)
        elif isinstance(event, Note):
            self._print(event.text)
        elif isinstance(event, Tick):
            self._live.update(self._view(event), refresh=True)

    def end(self, ended: SearchEnd) -> None:
        """Stop the table, and print the last line."""
        self._live.stop()
        self._print(ended.line)

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap="\n" in text)

    def _view(self, tick: Tick) -> Group:
        from rich.console import Group
        from rich.markup import escape
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        running = {name: r for r in tick.running for name in r.job.serves}
        total = sum(c.total for c in tick.chains)
        done = sum(len(c.trials) for c in tick.chains)
        table = Table(box=None, pad_edge=False)
        bar = max(4, min(20, self._console.width - 64))
        for column in ("chain", "trials", "", f"best {self._metric}", "now"):
            table.add_column(column, no_wrap=True, min_width=bar if not column else None)
        for chain in tick.chains:
            now = running.get(chain.name)
            what = ""
            if now is not None:
                kind = "trial" if hasattr(now.job, "values") else "refit of trial"
                what = f"{kind} {now.job.number}, epoch {now.epoch} of {now.job.epochs}"
            elif chain.done:
                what = "done"
            best = best_score(chain)
            table.add_row(
                escape(chain.name), f"{len(chain.trials)}/{chain.total}",
                ProgressBar(chain.total, len(chain.trials), width=bar),
                "–" if best is None else f"{best:.4g}", what,
            )  # fmt: skip
        table.add_row("all", f"{done}/{total}", ProgressBar(total, done, width=bar), "", "")
        return Group(table, self._time_left(total - done, tick.left))

    def _time_left(self, trials: int, limit: float | None) -> str:
        elapsed = time.monotonic() - self._start
        text = f"{clock(elapsed)} so far"
        if self._finished:
            text += f", about {clock(elapsed / self._finished * trials)} left"
        return text if limit is None else f"{text}; stops in {clock(limit)}"
