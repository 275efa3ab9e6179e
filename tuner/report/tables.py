"""The report as plain tables, and values as text; terminal colours belong to the CLI."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import expit

from tuner.escapes import line
from tuner.experiment.records import TrialRecord
from tuner.experiment.selection import refit_epochs
from tuner.experiment.space import OR, RANGE_OPTION, Values
from tuner.report.failures import failures as reasons
from tuner.report.results import Results

Cell = str | int | float | None
THRESHOLD = "threshold"  # the column of the probability from which the second of two classes is predicted


@dataclass(frozen=True)
class Table:
    """A title, column names, and rows of plain values; columns from `fixed` on are searched parameters.

    If the table is too wide, the columns `spare` are left out first, in that order; texts in the columns `long` wrap.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    fixed: int
    spare: tuple[str, ...] = ()
    long: tuple[str, ...] = ("configuration",)

    def without(self, column: str) -> Table:
        """The table without one of its fixed columns."""
        place = self.columns.index(column)
        rows = tuple(row[:place] + row[place + 1 :] for row in self.rows)
        columns = self.columns[:place] + self.columns[place + 1 :]
        return Table(self.title, columns, rows, self.fixed - 1, tuple(c for c in self.spare if c != column))


def ranking(results: Results, top: int | None, chain: str = "final") -> Table:
    """The ranked configurations of a chain: score, spread over folds, size, effort, and the searched values.

    `epochs` is the length of a training on all rows, as in a refit."""
    trials = results.ranking(chain)
    searched = _searched(results, trials)
    fixed = ("rank", "trial", results.metric, "spread", "parameters", "epochs", "seconds", "diagnosis")
    rows = tuple(
        (
            rank,
            t.number,
            t.score,
            spread(t),
            t.parameters,
            refit_epochs(t),
            round(t.seconds, 2),
            ", ".join(t.diagnosis) or None,
            *_values(t, searched),
        )
        for rank, t in enumerate(trials[:top], start=1)
    )
    title = f"Ranking of the {chain} chain{_deploys(results) if chain == 'final' else ''}"
    columns = (*fixed, *short_names(searched, fixed))
    return Table(title, columns, rows, len(fixed), ("seconds", "spread", "parameters", "epochs", "diagnosis"))


def _deploys(results: Results) -> str:
    best, chosen = next(iter(results.ranking()), None), results.deployed
    if not results.flat and results.score is None:
        return ", which no outer score judges yet"
    if chosen is None or best is chosen:
        return ": the first is the one to deploy"
    return f": trial {chosen.number} is the one to deploy"


def outer_folds(results: Results) -> Table:
    """The winner of each outer fold, and its score on rows that the search has not seen."""
    names = _searched(results, [fold.winner for fold in results.folds if fold.winner])
    fixed = ("outer fold", "trial", "inner", "outer test", "default", "dummy", "epochs")
    rows = tuple(
        (fold.name, fold.winner.number if fold.winner else None, fold.winner.score if fold.winner else None,
         fold.score, fold.default.score if fold.default else None, fold.dummy.score,
         fold.refit.epochs if fold.refit else None,
         *(_values(fold.winner, names) if fold.winner else [None] * len(names)))
        for fold in results.folds
    )  # fmt: skip
    return Table("Chosen in each outer fold", (*fixed, *short_names(names, fixed)), rows, len(fixed),
                 ("dummy", "epochs", "default"))  # fmt: skip


def failures(results: Results) -> Table:
    """The reasons why trials failed, with their numbers."""
    rows = tuple((each.reason, each.count, each.chain, each.trial, each.diagnosis) for each in reasons(results))
    columns = ("reason", "count", "first in", "trial", "diagnosis")
    title = "Failures, with the first trial of each kind (for details: report --chain C --trial N)"
    return Table(title, columns, rows, len(columns), long=("reason", "diagnosis"))


def spread(trial: TrialRecord) -> float | None:
    """Standard deviation of a trial's score over its inner folds."""
    return statistics.stdev(trial.fold_scores) if len(trial.fold_scores) > 1 else None


def short_names(paths: Sequence[str], taken: Sequence[str] = ()) -> tuple[str, ...]:
    """Shorten each path to its last words: as few as distinguish it from the others and from the columns `taken`."""

    def tail(path: str, words: int) -> str:
        return ".".join(path.split(".")[-words:])

    names = []
    for path in paths:
        words = 1
        while words < path.count(".") + 1 and (
            tail(path, words) in taken or sum(tail(p, words) == tail(path, words) for p in paths) > 1
        ):
            words += 1
        names.append(tail(path, words))
    return tuple(names)


def _searched(results: Results, trials: Sequence[TrialRecord]) -> list[str]:
    """The searched settings of these trials, in the order of the file; a range with `or:` is one setting."""
    paths = dict.fromkeys(path.removesuffix(OR) for path in results.header.parameters)
    return [path for path in (*paths, THRESHOLD) if any(path in decided(trial) for trial in trials)]


def decided(trial: TrialRecord) -> Values:
    """The searched values of a trial, by setting.

    A range with `or:` has two entries in `trial.values`: `path + OR` holds the alternative that was drawn, or
    `RANGE_OPTION` if the value was drawn from the range; that value is under `path`."""
    used = {path.removesuffix(OR): value for path, value in trial.values.items() if value != RANGE_OPTION}
    paths = dict.fromkeys(p.removesuffix(OR) for p in trial.values)
    values: Values = {path: "null" if used[path] is None else used[path] for path in paths}
    return values if trial.threshold is None else {**values, THRESHOLD: probability(trial.threshold)}


def probability(log_odds: float) -> float:
    """The probability of the second of two classes with these log-odds."""
    return float(expit(log_odds))


def settings(trial: TrialRecord) -> str:
    """The searched values of a trial as text: "hidden_size=8 activation=relu"."""
    values = decided(trial)
    names = short_names(list(values))
    return " ".join(f"{name}={text(value)}" for name, value in zip(names, values.values(), strict=True))


def _values(trial: TrialRecord, paths: Sequence[str]) -> list[Cell]:
    return [decided(trial).get(path) for path in paths]


def counted(number: int, word: str) -> str:
    """ "1 trial", "1,200 trials"."""
    return f"{number:,} {word}{'s' * (number != 1)}"


def cells(table: Table) -> list[list[str]]:
    """Values as text: four significant digits, measured values aligned, a dash for None."""
    measured = [c != "seconds" and i < table.fixed for i, c in enumerate(table.columns)]
    return [[text(cell, aligned) for cell, aligned in zip(row, measured, strict=True)] for row in table.rows]


def text(cell: Cell, aligned: bool = False) -> str:
    """A value as text; with `aligned`, trailing zeros are kept."""
    if cell is None:
        return "–"
    if isinstance(cell, bool):
        return str(cell).lower()
    if not isinstance(cell, float):
        return line(str(cell))
    return f"{cell:#.4g}" if aligned and abs(cell) < 1000 else f"{cell:.4g}"
