"""`tuner studies study.db`: list the studies of a file, rename or remove one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tuner.cli.options import JSON, STUDY
from tuner.errors import UsageError
from tuner.escapes import visible

if TYPE_CHECKING:
    from tuner.store import StoredStudy


def command(
    study: Path = STUDY,
    rename: tuple[str, str] | None = typer.Option(None, "--rename", metavar="OLD NEW", help="Rename a study."),
    remove: str | None = typer.Option(None, "--remove", metavar="NAME", help="Delete a study; asks before."),
    yes: bool = typer.Option(False, "--yes", help="With --remove: do not ask."),
    json: bool = JSON,
) -> None:
    """List the studies of a file, each with its score; rename or remove one.

    \b
      tuner studies study.db
      tuner studies study.db --rename tiny night
      tuner studies study.db --remove tiny
    """
    from tuner.cli.console import print_json
    from tuner.report.results import every
    from tuner.report.words import summary
    from tuner.store import check_file

    check_file(study, older=rename is None and remove is None)
    if yes and remove is None:
        raise UsageError("--yes is used only with --remove", "leave it out")
    if rename is not None and remove is not None:
        raise UsageError("--rename and --remove exclude each other", "one after the other")
    if rename:
        _rename(study, *rename)
    elif remove is not None:
        _remove(study, remove, yes)
    elif json:
        found = [{"name": each.name, "metric": each.metric, "score": each.score and each.score.mean,
                  "complete": each.complete, "began": each.began} for each in every(study)]  # fmt: skip
        print_json({"study": str(study), "studies": found})
    else:
        for results in every(study):
            typer.echo(visible(summary(results)))


def confirm(found: StoredStudy, study: Path, way_out: str) -> None:
    """Ask whether a study's trials may be deleted. Raises `UsageError` without a yes."""
    from tuner.report.tables import counted

    text = visible(f"{counted(found.trials, 'trial')} of '{found.name}' in {study}")
    if not sys.stdin.isatty():
        raise UsageError(f"this deletes {text}, and there is no terminal to ask on", f"--yes; {way_out}")
    if not typer.confirm(f"Delete {text}?", err=True):
        raise UsageError(f"nothing was deleted of '{found.name}'", way_out)


def _rename(study: Path, old: str, new: str) -> None:
    from contextlib import closing

    from tuner.experiment.sections import study_name
    from tuner.lock import lock
    from tuner.store import Store, read

    try:
        study_name(new)
    except ValueError as error:
        raise UsageError(f"a study's name must be {error}, not {new!r}", "a name such as night-1") from error
    with lock(study) as held:
        there = read(study, curves=False)
        _check_known(old, there, study)
        if new in there:
            raise UsageError(f"{study} has a study '{new}' already", "another name")
        with closing(Store(study, held=held)) as store:
            store.rename(old, new)
    typer.echo(f"'{visible(old)}' is now '{new}'; tuner search FILE --name {new} goes on with it")


def _remove(study: Path, name: str, yes: bool) -> None:
    from contextlib import closing

    from tuner.lock import lock
    from tuner.store import Store, read

    with lock(study) as held:
        there = read(study, curves=False)
        _check_known(name, there, study)
        if not yes:
            confirm(there[name], study, "a copy of the file keeps it")
        with closing(Store(study, held=held)) as store:
            store.delete(name)
    typer.echo(f"'{visible(name)}' is removed")


def _check_known(name: str, there: dict[str, StoredStudy], study: Path) -> None:
    from tuner.errors import did_you_mean

    if name not in there:
        raise UsageError(f"{study} has no study '{name}'", did_you_mean(name, there))
