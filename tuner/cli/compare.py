"""`tuner compare a.db b.db`: which search is better, on the same outer folds, and how sure that is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tuner.cli.options import JSON
from tuner.errors import UsageError

if TYPE_CHECKING:
    from rich.text import Text

    from tuner.report.results import Results
    from tuner.report.tables import Table


def command(
    files: list[Path] = typer.Argument(readable=False, help="Study files; every study in each file is compared."),
    names: list[str] = typer.Option([], "--name", help="Only the studies of these names."),
    margin: float | None = typer.Option(
        None, "--margin", min=0, help="A difference that matters. Default: 0.01, or 1 % of a score without bounds."
    ),
    json: bool = JSON,
) -> None:
    """Rank studies and compare every pair, fold by fold (corrected t-test, correlated Bayesian t-test).

    \b
      tuner compare mlp.db rnn.db
      tuner compare study.db --name mlp --name rnn --margin 0.02
    """
    from tuner.cli.console import console, shown
    from tuner.report import compare, comparison_tables

    found = compare.compare(_studies(files, names), margin)
    if json:
        typer.echo(comparison_tables.as_json(found))
        return
    parts: list[Table | Text | str] = [*comparison_tables.partial(found), comparison_tables.ranking(found)]
    typer.echo(shown(console(), [*parts, *comparison_tables.sentences(found)]))


def _studies(files: list[Path], names: list[str]) -> list[tuple[str, Results]]:
    """Every study with a label that distinguishes it from the others."""
    from tuner.report.results import every

    found = [(file, results) for file in dict.fromkeys(files) for results in every(file)]
    if missing := [name for name in names if name not in {results.name for _, results in found}]:
        known = ", ".join(results.name for _, results in found)
        raise UsageError(f"no study '{missing[0]}' in these files", f"they hold: {known}")
    found = [(file, results) for file, results in found if not names or results.name in names]
    often = [results.name for _, results in found]
    return [(r.name if often.count(r.name) == 1 else f"{file}: {r.name}", r) for file, r in found]
