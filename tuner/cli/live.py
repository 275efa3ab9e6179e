"""What the user sees while searching: a live view on a terminal, one plain line per finished trial elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING

from tuner.cli.console import clock, console, forget_stdout
from tuner.spec.records import TrialRecord

if TYPE_CHECKING:
    from rich.console import Group

    from tuner.search.chain import Chain
    from tuner.search.driver import Finished, Tick, Wishes
    from tuner.search.plan import Prepared


class Live:
    """Hears what happens and shows it."""

    def __init__(self, prepared: Prepared, wishes: Wishes) -> None:
        from rich.live import Live as RichLive

        self._console = console()
        self._prepared, self._wishes = prepared, wishes
        self._start = time.monotonic()
        self._finished = 0
        self._live = RichLive(console=self._console, auto_refresh=False) if self._console.is_terminal else None
        self._tick: Tick | None = None

    def __enter__(self) -> Live:
        for warning in self._prepared.warnings:
            self._print(warning)
        self._print(opening(self._prepared, self._wishes))
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def hear(self, event: Finished | Tick) -> None:
        """Show an event."""
        from tuner.search.driver import Finished

        if isinstance(event, Finished):
            self._finished += isinstance(event.record, TrialRecord)
            if self._live is None:
                self._print(line(event, self._prepared.metric.name))
        elif self._live is not None:
            self._tick = event
            self._live.update(self._view(event), refresh=True)

    def goodbye(self) -> None:
        """The last line: what to type next."""
        from shlex import quote

        self._print(f"done: tuner report {quote(str(self._wishes.study))}")

    def _print(self, text: str) -> None:
        if self._console.is_terminal:
            self._console.print(text, markup=False, soft_wrap="\n" in text)
            return
        try:
            print(text, flush=True)
        except BrokenPipeError:  # the reader has left; the search goes on
            forget_stdout()

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
        for column in ("chain", "trials", "", f"best {self._prepared.metric.name}", "now"):
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
        return Group(table, self._time_left(total - done))

    def _time_left(self, left: int) -> str:
        elapsed = time.monotonic() - self._start
        if not self._finished:
            return f"{clock(elapsed)} so far"
        return f"{clock(elapsed)} so far, about {clock(elapsed / self._finished * left)} left"


def opening(prepared: Prepared, wishes: Wishes) -> str:
    """One line: what is about to happen."""
    experiment, chains = prepared.experiment, prepared.plan.chains
    trials, outer = wishes.trials or experiment.trials, len(chains) - 1
    nested = f"{outer} outer folds and the final chain" if outer else "one flat chain (optimistic score)"
    return (
        f"{wishes.name or experiment.name}: {prepared.dataset.name}, {len(prepared.dataset):,} rows, "
        f"{prepared.metric.name}; {experiment.search.sampler}, {trials} trials for {nested}: "
        f"{work(prepared, trials)}"
    )


def work(prepared: Prepared, trials: int) -> str:
    """ "30 trials × 25 folds = 750 trainings", or what is left of that where chains share trainings."""
    folds, lanes = sum(len(chain.folds) for chain in prepared.plan.chains), prepared.lanes
    shared = "" if lanes == folds else f", which {trials * lanes:,} trainings answer"
    made = f"{trials * folds:,} {'trainings' if not shared else 'scores'}"
    return f"{trials:,} trials × {folds} fold{'s' * (folds > 1)} = {made}{shared}"


def line(event: Finished, metric: str) -> str:
    """One finished trial or refit, plain."""
    record, chain = event.record, event.chain
    kind = "trial" if isinstance(record, TrialRecord) else "refit of trial"
    if isinstance(record, TrialRecord) and record.state == "pruned":
        outcome = f"pruned, {metric} {record.means[-1]:.4g} was too far behind"
    elif record.score is None:
        outcome = f"failed: {record.reason}"
    else:
        test = "" if kind == "trial" else "outer test "
        outcome = f"{test}{metric} {record.score:.4g}"
        best = best_score(chain)
        outcome += f" (best {best:.4g})" if kind == "trial" and best is not None else ""
    return f"{chain.name} {kind} {record.number}: {outcome}, {record.epochs} epochs, {record.seconds:.1f} s"


def best_score(chain: Chain) -> float | None:
    """The best score of a chain so far."""
    best = chain.best
    return best.score if best else None
