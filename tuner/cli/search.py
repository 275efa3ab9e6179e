"""`tuner search FILE`: search to the total, and go on where an earlier run ended."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tuner.cli.options import DEVICE
from tuner.errors import StorageError, StudyBusy, TimeIsOver, UsageError

if TYPE_CHECKING:
    from tuner.cli.reporters import Reporters
    from tuner.search.options import SearchOptions


def command(
    file: str = typer.Argument(help="Experiment file, or the name of a shipped one (tuner list spaces)."),
    study: Path = typer.Option(
        Path("study.db"), "--study", readable=False, help="The file of the study, and of others."
    ),
    name: str | None = typer.Option(None, "--name", help="Name of this study in the file; default: the experiment's."),
    trials: int | None = typer.Option(None, "--trials", min=1, help="Total per chain, instead of the file's."),
    workers: int | None = typer.Option(
        None, "--workers", min=0, help="Worker processes; default: the cores, or one per GPU. 0: in this process."
    ),
    device: str = DEVICE,
    fresh: bool = typer.Option(False, "--fresh", help="Delete the study's trials and start over; asks before."),
    yes: bool = typer.Option(False, "--yes", help="With --fresh: do not ask."),
    timeout: str | None = typer.Option(None, "--timeout", help="Longest run, such as 7h; then go on by running again."),
    until: str | None = typer.Option(None, "--until", help="Stop at this local time, such as 07:00."),
    wait: str | None = typer.Option(
        None, "--wait", help="Wait up to this long, such as 10m, for another run of this study to end."
    ),
    quiet: bool = typer.Option(False, "--quiet", help="Print nothing unless something is wrong."),
    json: bool = typer.Option(False, "--json", help="Print one JSON object per event."),
    log: Path | None = typer.Option(None, "--log", readable=False, help="Append all events to this file."),
) -> None:
    """Search by nested cross-validation; everything goes into study.db.

    The same command again goes on to the total, also after a crash or a kill.

    \b
      tuner search rnn
      tuner search my.yaml --study night.db --trials 60
      tuner search my.yaml --until 07:00 --quiet --log night.log
    """
    from tuner.cli.console import announce
    from tuner.cli.reporters import Reporters
    from tuner.cli.spaces import find
    from tuner.files import resolve_link
    from tuner.lock import files_of
    from tuner.search.options import SearchOptions

    if quiet and json:
        raise UsageError("--quiet and --json exclude each other", "--json --log FILE, or --quiet")
    _check(timeout=timeout, until=until, wait=wait, name=name)
    if not (quiet or json):
        announce(f"reading {file}")
    study = resolve_link(study)
    options = SearchOptions(study, name, trials, workers, device, fresh, timeout, until, wait, quiet=quiet)
    try:
        kept = (*files_of(study), Path(file))
        with Reporters(quiet=quiet, json=json, log=log, kept=kept) as reporters:
            _search(find(file), options, reporters, sure=yes or not fresh)
    except TimeIsOver as error:
        if quiet:  # reaching the time limit is not an error; the exit code shows it
            raise typer.Exit(error.exit_code) from None
        raise


def _search(path: Path, options: SearchOptions, reporters: Reporters, sure: bool) -> None:
    from contextlib import ExitStack, suppress
    from dataclasses import replace

    from tuner.lock import check_free
    from tuner.search.forkserver import empty_storage, start_forkserver
    from tuner.store import check_file, holds_something

    if not os.path.isdir(options.study.parent):
        raise StorageError(
            f"{options.study}: the folder {options.study.parent} does not exist", "make it, or name another --study"
        )
    new = not holds_something(options.study)
    if not new:
        with suppress(StudyBusy):  # the search waits for the program that holds the file
            check_file(options.study)  # report a bad file before the slow import of torch
        if not options.wait:
            check_free(options.study)
    with ExitStack() as stack:
        empty = None
        if options.workers != 0:
            start_forkserver()
            empty = stack.enter_context(empty_storage()) if new else None
        from tuner.search.driver import search
        from tuner.search.machine import devices, memory_budget_of
        from tuner.search.prepare import prepare
        from tuner.search.sizes import check_memory

        prepared = prepare(path, options=options)
        prepared = check_memory(prepared, memory_budget_of(prepared.experiment.limits, devices(options.device)))
        if not sure:
            options = replace(options, agreed=_confirm_deletion(options, options.name or prepared.experiment.name))
        reporters.begin(prepared, options)
        search(prepared, options, reporters.handle, empty)


def _confirm_deletion(options: SearchOptions, name: str) -> int:
    """The number of trials that the user agrees to delete. Raises `UsageError` without a yes."""
    from tuner.cli.studies import confirm
    from tuner.store import holds_something, read

    found = read(options.study, curves=False).get(name) if holds_something(options.study) else None
    if found is None:
        return 0
    confirm(found, options.study, "--name OTHER keeps both")
    return found.trials


EXAMPLES = {"until": None, "name": "such as night-1"}


def _check(**options: str | None) -> None:
    """Raise `UsageError` for an invalid duration, time of day or name."""
    for option, text in options.items():
        if text is None:
            continue
        from tuner.experiment.sections import duration, study_name, time_of_day  # 0.1 s that most commands do not need

        try:
            {"until": time_of_day, "name": study_name}.get(option, duration)(text)
        except ValueError as error:
            raise UsageError(
                f"--{option} must be {error}, not {text!r}", EXAMPLES.get(option, "such as 90m")
            ) from error
