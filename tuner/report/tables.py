"""The report as plain tables and sentences, and their forms: JSON, CSV, Markdown. Terminal colours are the CLI's."""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tuner.report.results import REPEATS, Comparison, Results
from tuner.report.statistics import Interval
from tuner.spec.diagnosis import SIGNS
from tuner.spec.records import TrialRecord
from tuner.spec.space import OR, RANGE_OPTION, Values

Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """A title, column names, and rows of plain values; columns from `fixed` on are searched parameters.

    Where there is too little room, the columns of `spare` go first, in that order.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    fixed: int
    spare: tuple[str, ...] = ()

    def without(self, column: str) -> Table:
        """The same without one of its fixed columns."""
        place = self.columns.index(column)
        rows = tuple(row[:place] + row[place + 1 :] for row in self.rows)
        columns = self.columns[:place] + self.columns[place + 1 :]
        return Table(self.title, columns, rows, self.fixed - 1, tuple(c for c in self.spare if c != column))


def ranking(results: Results, top: int | None, chain: str = "final") -> Table:
    """The ranked configurations of a chain: score, spread over folds, size, effort, and what was searched."""
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
            t.epochs,
            round(t.seconds, 2),
            ", ".join(t.diagnosis) or None,
            *_values(t, searched),
        )
        for rank, t in enumerate(trials[:top], start=1)
    )
    title = f"Ranking of the {chain} chain{_deploys(results) if chain == 'final' else ''}"
    columns = (*fixed, *short_names(searched, fixed))
    return Table(title, columns, rows, len(fixed), ("diagnosis", "parameters", "seconds", "epochs", "spread"))


def _deploys(results: Results) -> str:
    best, chosen = next(iter(results.ranking()), None), results.deployed
    if chosen is None or best is chosen:
        return ": the first is the one to deploy"
    return f": trial {chosen.number} is the one to deploy"


def outer_folds(results: Results) -> Table:
    """What was chosen in each outer fold, and what it scored on rows that the search never saw."""
    names = _searched(results, [fold.winner for fold in results.folds if fold.winner])
    fixed = ("outer fold", "trial", "inner", "outer test", "default", "dummy", "epochs")
    rows = tuple(
        (fold.name, fold.winner.number if fold.winner else None, fold.winner.score if fold.winner else None,
         fold.score, fold.default.score if fold.default else None, fold.dummy,
         fold.refit.epochs if fold.refit else None,
         *(_values(fold.winner, names) if fold.winner else [None] * len(names)))
        for fold in results.folds
    )  # fmt: skip
    return Table("Chosen in each outer fold", (*fixed, *short_names(names, fixed)), rows, len(fixed),
                 ("epochs", "trial", "dummy", "default"))  # fmt: skip


def failures(results: Results) -> Table:
    """Why trials failed, and how many."""
    rows = tuple((each.reason, each.count, each.chain, each.trial) for each in results.failures)
    return Table(
        "Failures (report --chain C --trial N tells more of one)", ("reason", "count", "chain", "trial"), rows, 4
    )


def diagnosis(trial: TrialRecord) -> list[str]:
    """What the curves of a trial say, by which rule, and what to try."""
    return [f"{sign}: {SIGNS[sign].rule}; try {SIGNS[sign].cure}" for sign in trial.diagnosis]


def about(results: Results, trial: TrialRecord) -> str:
    """One trial in a line: how it ended, and what it had decided."""
    values = decided(trial)
    names = short_names(list(values))
    settings = " ".join(f"{name}={_text(value, False)}" for name, value in zip(names, values.values(), strict=True))
    ended = {"complete": f"{results.metric} {_text(trial.score, False)}", "failed": f"failed: {trial.reason}",
             "pruned": "stopped early"}[trial.state]  # fmt: skip
    return f"trial {trial.number}: {ended}, {trial.epochs} epochs; {settings}"


def spread(trial: TrialRecord) -> float | None:
    """Standard deviation of a trial's score over its inner folds."""
    return statistics.stdev(trial.fold_scores) if len(trial.fold_scores) > 1 else None


def short_names(paths: Sequence[str], taken: Sequence[str] = ()) -> tuple[str, ...]:
    """Each path by its last word, or by as many as tell it from the others and from the columns `taken`."""

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
    """The settings that these trials decided, in the file's order; a range with `or:` is one setting."""
    paths = dict.fromkeys(path.removesuffix(OR) for path in results.header["parameters"])
    return [path for path in paths if any(path in decided(trial) for trial in trials)]


def decided(trial: TrialRecord) -> Values:
    """What a trial decided, by setting: of a range with `or:`, the number that it took."""
    either = {path.removesuffix(OR): value for path, value in trial.values.items() if value != RANGE_OPTION}
    return {path: either[path] for path in dict.fromkeys(p.removesuffix(OR) for p in trial.values)}


def _values(trial: TrialRecord, paths: Sequence[str]) -> list[Cell]:
    return [decided(trial).get(path) for path in paths]


def title(results: Results) -> list[str]:
    """What was searched, in a line."""
    header = results.header
    data, better = header["dataset"], "higher" if results.maximize else "lower"
    shape = "×".join(str(n) for n in data["shape"])
    nested = f"{len(results.folds)} outer folds and the final chain" if results.folds else "a flat search"
    return [f"{results.name}: {data['name']}, {data['rows']:,} rows of {shape}; {results.metric} ({better} is better); "
            f"{header['sampler']}, {results.total} trials for {nested}"]  # fmt: skip


def headline(results: Results) -> list[str]:
    """The report's first lines, in words: the score to quote, and what to think of it."""
    lines = []
    if results.flat:
        best = next(iter(results.ranking()), None)
        if best is not None and best.score is not None:
            lines.append(f"{results.metric} {best.score:.4g}: optimistic, not an estimate of new data "
                         "(outer: none: the same folds chose and scored it)")  # fmt: skip
    elif results.score is None:
        lines.append("no outer fold has been scored yet")
    else:
        folds = results.header["chains"][0]
        share = folds["rows"] / (folds["rows"] + folds["test"])
        lines.append(
            f"{results.metric} {interval(results.score)} on rows that the search never saw "
            f"(tuning and training on {share:.0%} of the rows, averaged over data sets like this one; "
            f"{len(results.scored)} outer folds)"
        )
        if results.half_with_repeats is not None:
            lines.append(
                f"one cut into outer folds leaves a wide interval: repeats: {REPEATS} in resampling.outer would give "
                f"about ± {results.half_with_repeats:.2g}"
            )
        if results.inner_best is not None and results.optimism is not None:
            flatters = "too good" if results.optimism >= 0 else "below what the test gave"
            lines.append(
                f"inner best {results.inner_best:.4g}, which the search itself saw, against the outer "
                f"{results.score.mean:.4g}: {abs(results.optimism):.2g} {flatters}"
            )
        for comparison, other in ((results.against_default, "default"), (results.against_dummy, "dummy")):
            if comparison is not None:
                lines.append(verdict(comparison, other))
    if said := selection(results):
        lines.append(said)
    pruned, saved = results.pruned()
    if pruned:
        lines.append(
            f"{pruned} of {results.finished()} trials were stopped early, which saved up to {saved:.0%} of the epochs"
        )
    if missing := results.unscored():
        lines.append(f"WITHOUT {', '.join(missing)}: the winner's refit failed there")
    if not results.complete:
        asked = results.total * len(results.chains)
        lines.append(f"PARTIAL: {results.finished()} of {asked} trials, {len(results.scored)} of "
                     f"{len(results.folds)} outer folds scored; the same search command goes on")  # fmt: skip
    return lines


def selection(results: Results) -> str | None:
    """Which rule chose what, where it is not simply the best score."""
    best, chosen, rule = next(iter(results.ranking()), None), results.deployed, results.selections["final"]
    if best is None or chosen is None or best.score is None or chosen.score is None or rule.rule == "best":
        return None
    what = {"one_se": "the smallest model within one standard error of the best",
            "lower_bound": "the best score less its standard error"}[rule.rule]  # fmt: skip
    if chosen is best:
        return f"select: {rule.rule} ({what}) deploys the best trial, {best.number}"
    error = rule.error(best if rule.rule == "one_se" else chosen)
    return (
        f"select: {rule.rule} ({what}, ± {error:.2g}) deploys trial {chosen.number} ({chosen.score:.4g}, "
        f"{chosen.parameters:,} parameters) and not trial {best.number} ({best.score:.4g}, {best.parameters:,})"
    )


def summary(results: Results) -> str:
    """The result in one line, fit for the subject of a mail."""
    if results.flat:
        best = next(iter(results.ranking()), None)
        said = f"{results.metric} {best.score:.4g}, optimistic" if best and best.score is not None else "no score yet"
    elif results.score is None:
        said = "no outer score yet"
    else:
        half = results.score.half
        said = f"{results.metric} {results.score.mean:.4g}" + ("" if half is None else f" ± {half:.2g}")
    failed = sum(trial.state == "failed" for chain in results.chains.values() for trial in chain.trials)
    asked = results.total * len(results.chains)
    folds = f" and {len(results.scored)} of {len(results.folds)} outer folds" if results.folds else ""
    done = f"{asked} trials" if results.complete else f"PARTIAL, {results.finished()} of {asked} trials{folds}"
    return f"{results.name}: {said}; {done}" + (f", {failed} failed" if failed else "")


def interval(value: Interval) -> str:
    """ "0.953 ± 0.041 (95 % interval 0.912 … 0.994)"."""
    if value.half is None:
        return f"{value.mean:.4g} (one fold: no interval)"
    return f"{value.mean:.4g} ± {value.half:.2g} (95 % interval {value.low:.4g} … {value.high:.4g})"


def verdict(comparison: Comparison, other: str) -> str:
    """Tuned against default or dummy, in a sentence."""
    what = {"default": "the default configuration", "dummy": "a dummy that ignores the features"}[other]
    gain = comparison.gain
    margin = "" if gain.half is None else f" ± {gain.half:.2g}"
    said = f"not distinguishable ({gain.mean:+.2g}{margin})"
    if gain.half is None:
        said = f"{gain.mean:+.2g} on one fold, which allows no test"
    elif comparison.distinguishable:
        said = f"tuning {'gained' if gain.mean > 0 else 'lost'} {abs(gain.mean):.2g}{margin}"
    return f"against {what} ({comparison.mean:.4g}): {said}"


def as_json(results: Results, top: int | None, chain: str, trial: TrialRecord | None) -> str:
    """The whole report for programs, with the learning curves of one trial.

    `seconds` are the only values that differ between two equal runs."""

    def table(value: Table) -> list[dict[str, Cell]]:
        return [dict(zip(value.columns, row, strict=True)) for row in value.rows]

    def spanned(value: Interval | None) -> Any:
        return value and {"mean": value.mean, "half": value.half, "low": value.low, "high": value.high}

    def compared(value: Comparison | None) -> Any:
        return value and {
            "mean": value.mean, "gain": spanned(value.gain), "distinguishable": value.distinguishable
        }  # fmt: skip

    report: Mapping[str, Any] = {
        "name": results.name,
        "dataset": results.header["dataset"],
        "metric": results.metric,
        "maximize": results.maximize,
        "complete": results.complete,
        "score": spanned(results.score),
        "inner_best": results.inner_best,
        "optimism": results.optimism,
        "against_default": compared(results.against_default),
        "against_dummy": compared(results.against_dummy),
        "outer_folds": table(outer_folds(results)),
        "ranking": table(ranking(results, top, chain)),
        "deploy": deploy(results),
        "pruned": dict(zip(("trials", "saved_at_most"), results.pruned(), strict=True)),
        "failures": [asdict(each) for each in results.failures],
        "curves": trial and {"chain": chain, "trial": trial.number, **asdict(trial.curves)},
    }  # fmt: skip
    return json.dumps(report, indent=2)


def deploy(results: Results) -> dict[str, Any] | None:
    """The configuration to deploy: the winner of the final chain."""
    return results.deployed.configuration if results.deployed else None


def as_csv(table: Table) -> str:
    """One table as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(table.rows)
    return out.getvalue().rstrip("\n")


def as_markdown(results: Results, top: int | None, chain: str) -> str:
    """Headline and tables as Markdown."""
    parts = [
        f"# {_escaped(results.name)}",
        *title(results),
        "\n".join(f"* {said}" for said in headline(results)),
    ]
    for table in (outer_folds(results), ranking(results, top, chain), failures(results)):
        if table.rows:
            lines = [
                table.columns,
                ["---"] * len(table.columns),
                *cells(table),
            ]
            body = "\n".join("| " + " | ".join(_escaped(str(c)) for c in line) + " |" for line in lines)
            parts += [f"## {table.title}", body]
    return "\n\n".join(parts)


def _escaped(word: str) -> str:
    return word.replace("|", "\\|").replace("<", "&lt;")


def cells(table: Table) -> list[list[str]]:
    """The values as a reader wants them: four significant digits, measured ones aligned, a dash for nothing."""
    measured = [c != "seconds" and i < table.fixed for i, c in enumerate(table.columns)]
    return [[_text(cell, aligned) for cell, aligned in zip(row, measured, strict=True)] for row in table.rows]


def _text(cell: Cell, aligned: bool) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, bool):
        return str(cell).lower()
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:#.4g}" if aligned and abs(cell) < 1000 else f"{cell:.4g}"
