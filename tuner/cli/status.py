"""`tuner status study.db`: whether a search is running, its progress, and when it will be done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tuner.cli.options import JSON, NAME, STUDY

if TYPE_CHECKING:
    from tuner.report.progress import Progress

INCOMPLETE = 3


def command(
    study: Path = STUDY,
    name: str | None = NAME,
    json: bool = JSON,
) -> None:
    """Show the progress of a search; exit code 0 if it is complete, 3 if not.

    \b
      tuner status study.db
      tuner status study.db || tuner search my.yaml
    """
    from datetime import UTC, datetime

    from tuner.cli.chosen import results_of
    from tuner.cli.console import console, print_json
    from tuner.errors import NoStudyYet
    from tuner.lock import holder
    from tuner.report.progress import Progress
    from tuner.report.words import summary

    to = console()

    def say(text: str) -> None:
        to.print(text, markup=False, soft_wrap=True)

    try:
        results = results_of(study, name)
    except NoStudyYet as error:  # as just after the file is made
        who = holder(study)
        if json:
            print_json({"study": str(study), "name": None, "running": who, "complete": False})
            raise typer.Exit(INCOMPLETE) from None
        say(f"{error}; search running: {who}" if who else f"{error}; no search is running")
        raise typer.Exit(INCOMPLETE) from None
    now = Progress(results, holder(study), datetime.now(UTC))
    if json:
        print_json({"study": str(study), **now.as_object()})
    else:
        for text in (summary(results), *_running(now), *_chains(now)):
            say(text)
    if not results.complete:
        raise typer.Exit(INCOMPLETE)


def _running(now: Progress) -> Iterator[str]:
    """Whether the search is running, and when it will be done."""
    from datetime import timedelta

    from tuner.cli.console import clock

    def at(seconds: float) -> str:
        return f"at {(now.now + timedelta(seconds=seconds)).astimezone():%a %H:%M}"

    left, stops = now.seconds_left, now.stops_in
    if now.holder:
        yield f"running: {now.holder}"
        if stops is not None and (left is None or stops < left):
            need = "" if left is None else f"; all trials would need about {clock(left)}"
            yield f"stops in {clock(stops)}, {at(stops)}: your limit{need}"
        elif left is not None:
            yield f"done in about {clock(left)}, {at(left)}"
    elif not now.runs:
        yield "not running"
    elif (end := now.runs[-1].end) is None:
        yield f"not running: the run of {_local(now.runs[-1].start)} did not say how it ended: it was probably killed"
    else:
        yield f"not running since {_local(end)}"


def _chains(now: Progress) -> Iterator[str]:
    """How far each chain is."""
    from tuner.report.tables import counted

    for chain, best in now.best().items():
        score = "" if best is None else f", best {now.results.metric} {best:.4g}"
        yield f"  {chain}: {len(now.results.chains[chain].trials)} of {counted(now.results.total, 'trial')}{score}"


def _local(moment: str) -> str:
    """A stored moment in local time."""
    from datetime import datetime

    return f"{datetime.fromisoformat(moment).astimezone():%Y-%m-%d %H:%M:%S}"
