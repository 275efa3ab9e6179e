"""`tuner status study.db`: whether a search is running, its progress, and when it will be done."""

from __future__ import annotations

from pathlib import Path

import typer

from tuner.cli.options import NAME, STUDY

INCOMPLETE = 3


def command(
    study: Path = STUDY,
    name: str | None = NAME,
) -> None:
    """Show the progress of a search; exit code 0 if it is complete, 3 if not.

    \b
      tuner status study.db
      tuner status study.db || tuner search my.yaml
    """
    from datetime import UTC, datetime, timedelta

    from tuner.cli.chosen import results_of
    from tuner.cli.console import clock, console
    from tuner.errors import NoStudyYet
    from tuner.lock import holder
    from tuner.report.progress import Progress
    from tuner.report.tables import counted
    from tuner.report.words import summary

    to = console()

    def say(text: str) -> None:
        to.print(text, markup=False, soft_wrap=True)

    try:
        results = results_of(study, name)
    except NoStudyYet as error:  # as just after the file is made
        who = holder(study)
        say(f"{error}; search running: {who}" if who else f"{error}; no search is running")
        raise typer.Exit(INCOMPLETE) from None
    now = Progress(results, holder(study), datetime.now(UTC))

    def at(seconds: float) -> str:
        return f"at {(now.now + timedelta(seconds=seconds)).astimezone():%a %H:%M}"

    say(summary(results))
    if now.holder:
        say(f"running: {now.holder}")
        if now.seconds_left is not None:
            say(f"done in about {clock(now.seconds_left)}, {at(now.seconds_left)}")
        if now.stops_in is not None and (now.seconds_left is None or now.stops_in < now.seconds_left):
            say(f"but its time limit stops it in {clock(now.stops_in)}, {at(now.stops_in)}")
    elif not now.runs:
        say("not running")
    elif (end := now.runs[-1].end) is None:
        say(f"not running: the run of {_local(now.runs[-1].start)} did not say how it ended: it was probably killed")
    else:
        say(f"not running since {_local(end)}")
    for chain, best in now.best().items():
        finished = len(results.chains[chain].trials)
        score = "" if best is None else f", best {results.metric} {best:.4g}"
        say(f"  {chain}: {finished} of {counted(results.total, 'trial')}{score}")
    if not results.complete:
        raise typer.Exit(INCOMPLETE)


def _local(moment: str) -> str:
    """A stored moment in local time."""
    from datetime import datetime

    return f"{datetime.fromisoformat(moment).astimezone():%Y-%m-%d %H:%M:%S}"
