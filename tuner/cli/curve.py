"""`tuner curve study.db`: the learning curve over training size, and its interpretation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tuner.cli.options import DEVICE, JSON, NAME, STUDY, TRUST
from tuner.errors import NoResultError, UsageError

if TYPE_CHECKING:
    from tuner.report.tables import Table


def command(
    study: Path = STUDY,
    name: str | None = NAME,
    device: str = DEVICE,
    trust: bool = TRUST,
    again: bool = typer.Option(False, "--again", help="Train again, even if a curve is stored."),
    json: bool = JSON,
) -> None:
    """Train the chosen configuration on 10 … 100 % of the training rows; say whether more data would help.

    \b
      tuner curve study.db
    """
    from dataclasses import asdict

    from rich.text import Text

    from tuner.cli.chosen import results_of
    from tuner.cli.console import console, print_json, shown
    from tuner.report import size_curve
    from tuner.report.plots import over_rows
    from tuner.report.results import load

    results, to = results_of(study, name), console()
    if results.deployed is None:
        raise UsageError("no trial of the final chain has a score", "let the search go on, or see tuner report")
    stored = results.study.curve
    if again or stored is None or stored.trial != results.deployed.number:
        _train(study, results.name, device, trust)
        results = load(study, results.name)
    curve = size_curve.points(results)
    if not curve:
        raise NoResultError("the trainings on parts of the rows failed", "tuner report, for another configuration")
    if json:
        print_json({"name": results.name, "metric": results.metric, "curve": [asdict(point) for point in curve],
                    "verdict": size_curve.verdict(results, curve)})  # fmt: skip
        return
    bands = {"training": [p.training for p in curve], "validation": [p.validation for p in curve]}
    plot = over_rows(results.metric, [p.rows for p in curve], bands, min(to.width, 100), color=to.is_terminal)
    drawn: list[Table | Text | str] = [size_curve.table(results, curve), Text.from_ansi(plot)]
    typer.echo(shown(to, [*drawn, *size_curve.verdict(results, curve), size_curve.NOTE]))


def _wait(seconds: float) -> None:
    """Print once that another program holds the study; the curve is stored when the study is free."""
    from tuner.search.driver import FIRST_WORD, HELD

    if FIRST_WORD <= seconds < FIRST_WORD + 1:  # it is called every second
        typer.echo(HELD, err=True)


def _train(study: Path, name: str, device: str, trust: bool) -> None:
    from contextlib import closing

    from tuner.cli.console import progress
    from tuner.experiment.header import SizeCurve
    from tuner.lock import lock
    from tuner.report.results import load
    from tuner.search.header import as_stored
    from tuner.search.machine import devices
    from tuner.search.size_curve import size_curve
    from tuner.store import Store

    with lock(study) as held:
        results = load(study, name)
        chosen = results.deployed
        assert chosen is not None
        with progress() as report_progress:
            points = size_curve(as_stored(results.study, trusted=trust), chosen, devices(device)[0], report_progress)
        with closing(Store(study, held=held, busy=_wait)) as store:
            store.keep(name, SizeCurve(chosen.number, tuple(points)))
