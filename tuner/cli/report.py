"""`tuner report study.db`: the honest score, ranked tables, learning curves."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tuner.cli.options import NAME, STUDY
from tuner.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from tuner.experiment.records import TrialRecord
    from tuner.report.results import Results
    from tuner.report.tables import Table


TOP = 10


class Kind(enum.StrEnum):
    """The kinds of interval of the score."""

    corrected = "corrected"
    bates = "bates"


class Format(enum.StrEnum):
    """The formats of the report."""

    table = "table"
    json = "json"
    csv = "csv"
    markdown = "markdown"
    html = "html"


SUFFIXES = {".json": Format.json, ".csv": Format.csv, ".md": Format.markdown, ".html": Format.html}


def command(
    study: Path = STUDY,
    name: str | None = NAME,
    top: int | None = typer.Option(
        None, "--top", min=1, help=f"Rows of the ranking; default {TOP}, in csv and json all."
    ),
    chain: str = typer.Option("final", "--chain", help="Which chain to rank: final, outer-1, …"),
    trial: int | None = typer.Option(None, "--trial", min=0, help="Learning curves of this trial, not the best."),
    json: bool = typer.Option(False, "--json", help="The same as --format json."),
    rows: bool = typer.Option(False, "--predictions", help="With csv: the winners' predictions of outer-test rows."),
    interval: Kind = typer.Option(Kind.corrected, "--interval", help="corrected resampled t, or Bates et al. 2023."),
    format: Format | None = typer.Option(
        None,
        "--format",
        help="csv: the ranking; json: everything, and the curves of a trial; default: by the suffix of --output.",
    ),
    output: Path | None = typer.Option(
        None, "--output", readable=False, help="Write to this file: .json, .csv, .md, .html or text."
    ),
) -> None:
    """Show the results of a study, also while its search is running.

    \b
      tuner report study.db
      tuner report study.db --top 30 --format csv --output ranking.csv
      tuner report study.db --chain outer-2 --trial 17
    """
    from tuner.cli.chosen import results_of
    from tuner.cli.console import console, shown
    from tuner.cli.outputs import write
    from tuner.report import formats, tables

    if json and format not in (None, Format.json):
        raise UsageError(f"--json and --format {format} exclude each other", "leave one out")
    if json:
        format = Format.json
    if format is None:
        format = SUFFIXES.get(output.suffix.lower(), Format.table) if output else Format.table
    if rows and format is not Format.csv:
        raise UsageError("--predictions is only for CSV", "add --format csv")
    results = results_of(study, name, kind=interval.value)
    if results.flat and interval is Kind.bates:
        raise UsageError(f"--interval bates: {results.name} is a flat search, which has no outer score", "leave it out")
    results.chain(chain)
    if format in (Format.table, Format.html):
        to = console(as_text=output is not None or format is Format.html)
        text = shown(to, _parts(to, results, top or TOP, chain, trial))
        text = formats.as_html(results.name, text) if format is Format.html else text
    elif format is Format.json:
        text = formats.as_json(results, top, chain, _trial(results, chain, trial))
    elif format is Format.csv and rows:
        text = formats.as_csv(_row_by_row(results))
    elif format is Format.csv:
        text = formats.as_csv(tables.ranking(results, top, chain))
    else:
        text = formats.as_markdown(results, top or TOP, chain)
    if output is None:
        typer.echo(text)
    else:
        write(output, text, study, results.header)


def _parts(to: Console, results: Results, top: int, chain: str, number: int | None) -> Iterator[Table | Text | str]:
    """The report from top to bottom."""
    from rich.text import Text

    from tuner.report import tables, words
    from tuner.report.prediction_tables import summaries

    first, *more = words.headline(results)
    trial = _trial(results, chain, number)
    if number is not None:
        yield from _of_trial(to, results, trial, chain, asked=True)
        yield ""
    yield from (Text(line, style="dim") for line in words.title(results))
    yield Text(first, style="bold")
    yield from (*more, "")
    shown = [tables.outer_folds(results), tables.ranking(results, top, chain), tables.failures(results)]
    yield from (table for table in (*shown, *summaries(results)) if table.rows)
    if number is None:
        yield from _of_trial(to, results, trial, chain, asked=False)


def _of_trial(
    to: Console, results: Results, trial: TrialRecord | None, chain: str, *, asked: bool
) -> Iterator[Text | str]:
    """A trial's learning curves, and, if it was asked for, all about it."""
    from rich.text import Text

    from tuner.report import words
    from tuner.report.plots import plots

    if trial is None:
        return
    if asked:
        yield from (words.about(results, trial), *words.diagnosis(trial))
        if trial.details:
            yield Text(trial.details, style="dim")
    if trial.curves.score:
        yield Text(f"Learning curves of trial {trial.number} of {chain}", style="bold")
        yield Text.from_ansi(plots(trial, results.metric, min(to.width, 100), color=to.is_terminal))


def _row_by_row(results: Results) -> Table:
    from tuner.report.prediction_tables import row_by_row
    from tuner.report.predictions import predictions

    found = predictions(results)
    if found is None:
        hint = "resampling.outer: 5" if results.flat else "let the search go on"
        if results.header.task not in ("classification", "multilabel", "regression"):
            hint = f"predictions of {results.header.task} tasks are not stored row by row"
        raise UsageError(f"no outer fold of {results.name} has predictions", hint)
    return row_by_row(found, results.header.task)


def _trial(results: Results, chain: str, number: int | None) -> TrialRecord | None:
    if number is None:
        found = results.selections[chain].chosen(results.chain(chain).trials)
        return found and results.whole(chain, found)
    return results.whole(chain, results.trial(chain, number))
