"""A search in plain lines: for a standard output that is not a terminal, and for the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tuner.experiment.records import TrialRecord
from tuner.report.tables import counted

if TYPE_CHECKING:
    from tuner.cli.reporters import SearchEnd, SearchStart
    from tuner.search.chain import Chain
    from tuner.search.events import Event, Finished
    from tuner.search.prepare import Prepared


class Lines:
    """Prints one line per finished trial and refit."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._metric = ""

    def begin(self, begun: SearchStart) -> None:
        """Print the warnings, and a line that describes the search."""
        self._metric = begun.prepared.metric.name
        for text in (*begun.prepared.warnings, opening(begun)):
            self._say(text)

    def handle(self, event: Event) -> None:
        """Print a line about an event."""
        from tuner.search.events import ChainDone, Finished, Note

        if isinstance(event, Finished):
            self._say(line(event, self._metric))
        elif isinstance(event, ChainDone):
            best = best_score(event.chain)
            self._say(f"{event.chain.name} is done" + ("" if best is None else f": best {self._metric} {best:.4g}"))
        elif isinstance(event, Note):
            self._say(event.text)

    def end(self, ended: SearchEnd) -> None:
        """Print the last line."""
        self._say(ended.line)


def opening(begun: SearchStart) -> str:
    """A line that describes the search that begins."""
    prepared, options = begun.prepared, begun.options
    experiment, chains = prepared.experiment, prepared.plan.chains
    trials, outer = prepared.trials(options.trials), len(chains) - 1
    nested = f"{outer} outer folds and the final chain" if outer else "one flat chain (optimistic score)"
    return (
        f"{options.name or experiment.name}: {prepared.dataset.name}, {len(prepared.dataset):,} rows, "
        f"{prepared.metric.name}; {experiment.search.sampler}, {counted(trials, 'trial')} for {nested}: "
        f"{work(prepared, trials)}"
    )


def work(prepared: Prepared, trials: int) -> str:
    """ "30 trials × 25 folds = 750 trainings", with the smaller number of trainings if chains share them."""
    folds, lanes = sum(len(chain.folds) for chain in prepared.plan.chains), prepared.lanes
    shared = "" if lanes == folds else f", which {trials * lanes:,} trainings answer"
    made = counted(trials * folds, "score" if shared else "training")
    return f"{counted(trials, 'trial')} × {counted(folds, 'fold')} = {made}{shared}"


def line(event: Finished, metric: str) -> str:
    """One finished trial or refit, plain."""
    record, chain = event.record, event.chain
    kind = "trial" if isinstance(record, TrialRecord) else "refit of trial"
    if isinstance(record, TrialRecord) and record.state == "pruned":
        reached = (max if chain.maximize else min)(record.means)
        outcome = f"pruned, {metric} {reached:.4g} was too far behind"
    elif record.score is None:
        outcome = f"failed: {record.reason}"
    else:
        test = "" if kind == "trial" else "outer test "
        outcome = f"{test}{metric} {record.score:.4g}"
        best = best_score(chain)
        outcome += f" (best {best:.4g})" if kind == "trial" and best is not None else ""
    effort = f"{counted(record.epochs, 'epoch')} trained, {record.seconds:.1f} s"
    return f"{chain.name} {kind} {record.number}: {outcome}, {effort}"


def best_score(chain: Chain) -> float | None:
    """The best score of a chain so far."""
    best = chain.best
    return best.score if best else None
