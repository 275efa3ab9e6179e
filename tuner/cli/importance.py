"""`tuner importance study.db`: which hyperparameters mattered."""

from __future__ import annotations

from pathlib import Path

import typer

from tuner.cli.options import CHAIN, JSON, NAME, STUDY


def command(
    study: Path = STUDY,
    name: str | None = NAME,
    chain: str = CHAIN,
    json: bool = JSON,
) -> None:
    """Rank the searched hyperparameters by PED-ANOVA and fANOVA, each from 0 to 1.

    \b
      tuner importance study.db
    """
    from tuner.cli.chosen import results_of
    from tuner.cli.console import console, print_json, shown
    from tuner.report.importance import ENOUGH, importances
    from tuner.report.tables import Table

    results = results_of(study, name)
    results.chain(chain)
    rows = tuple((row.parameter, row.ped_anova, row.fanova) for row in importances(results, chain))
    if json:
        found = [{"parameter": name, "ped_anova": ped, "fanova": full} for name, ped, full in rows]
        print_json({"name": results.name, "chain": chain, "importance": found})
        return
    parts: list[Table | str] = [
        Table(f"Importance in the {chain} chain", ("parameter", "PED-ANOVA", "fANOVA"), rows, 3)
    ]
    complete = len(results.ranking(chain))
    if complete < ENOUGH:
        parts.append(f"warning: {complete} complete trials; below {ENOUGH}, importances are mostly chance")
    typer.echo(shown(console(), parts))
