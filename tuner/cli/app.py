"""The command line: one verb per file; the only place that prints errors and chooses exit codes."""

from __future__ import annotations

import errno
import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from tuner.cli import check, compare, curve, data, importance, init, replay, report, search, selftest, status, studies
from tuner.cli import list as list_
from tuner.cli.console import error_text, forget_stdout, not_written
from tuner.cli.signals import Interrupted, exit_code, handle_signals
from tuner.errors import LimitReached, StorageError, TunerError, lacking
from tuner.escapes import line, visible

HELP = """Tune a neural network by nested cross-validation; report an honest score.

\b
  tuner init                    write the shipped search spaces into ./spaces
  tuner search spaces/rnn.yaml  search into study.db; run again to go on
  tuner report study.db         honest score, ranked tables, learning curves
"""

VERBS = (search, report, compare, importance, curve, status, studies, replay, data, check, selftest, init, list_)
NAMES = {verb.__name__.rpartition(".")[2].rstrip("_") for verb in VERBS}
SILENT = (typer.Exit, BrokenPipeError, SystemExit)
NO_OUTPUT = (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG)  # errors of an output that cannot be written any more


class _Plain:
    """Help without a type after options that take no value."""

    def get_params(self, ctx: Any) -> list[Any]:
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for each in params:
            if getattr(each, "is_flag", False):
                each.metavar = ""
        return params


class _Command(_Plain, TyperCommand):
    pass


class _Group(_Plain, TyperGroup):
    pass


app = typer.Typer(
    name="tuner", help=HELP, no_args_is_help=True, pretty_exceptions_enable=False, cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"tuner {version('tuner')}")
        raise typer.Exit


@app.callback()
def options(
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Options that every verb shares; `run` reads `--debug`."""


for verb in VERBS:
    app.command(verb.__name__.rpartition(".")[2], cls=_Command)(verb.command)


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code. Every expected error ends here, in one `error:` line."""
    rest = [argument for argument in arguments if argument != "--debug"]
    try:
        with handle_signals():
            _check_place()
            code = app(rest, prog_name="tuner", standalone_mode=False)
            sys.stdout.flush()
        return code or 0
    except (Exception, Interrupted, SystemExit) as error:
        if "--debug" in arguments and not isinstance(error, (*SILENT, Interrupted, TyperException)):
            import traceback

            _say("".join(traceback.format_exception(error)).rstrip())
        return _tell(error, rest)


def _check_place() -> None:
    """Raise `LimitReached` if the working directory was deleted: libraries fail there with unclear errors."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise LimitReached("the working directory no longer exists; change to an existing one") from None


def _tell(error: BaseException, arguments: Sequence[str]) -> int:
    """Print what ended the command; returns its exit code."""
    if isinstance(error, typer.Exit):
        return error.exit_code
    if isinstance(error, SILENT):  # the reader closed the pipe, such as `| head -1`; Typer turns that into SystemExit
        forget_stdout()
        return 0
    if isinstance(error, TyperException):
        if message := " ".join(error.format_message().split()).replace("Value error, ", ""):
            verb = f" {arguments[0]}" if arguments[:1] and arguments[0] in NAMES else ""
            _say(f"error: {message}\n  = tuner{verb} --help")
        return error.exit_code
    saved = f"; what was finished is saved\n  = to go on: {again(arguments)}" if arguments[:1] == ["search"] else ""
    if isinstance(error, OSError) and error.errno in NO_OUTPUT and error.filename is None:
        forget_stdout()  # errors of other files have a name, or are a `TunerError`
        error = not_written(error)
    elif not isinstance(error, TunerError) and (lack := lacking(error)):
        error = LimitReached(lack)
    elif isinstance(error, OSError) and error.filename is not None:
        error = StorageError(f"{error.filename}: {error.strerror}", "check the path and its permissions")
    if isinstance(error, LimitReached):
        hint = f"\n  = {line(error.hint)}" if error.hint else ""
        _say(f"stopped: {line(error.message)}{saved}{hint}")
    elif isinstance(error, Interrupted):
        _say(f"{error}{saved}")
    elif isinstance(error, TunerError):
        _say(error_text(error))
    else:
        _say(f"error: a bug in tuner: {type(error).__name__}: {error}\n  = run again with --debug and report it")
    return exit_code(error)


def again(arguments: Sequence[str]) -> str:
    """The command that continues this one, without the option that deletes."""
    return shlex.join(["tuner", *(argument for argument in arguments if argument not in ("--fresh", "--yes"))])


def _say(text: str) -> None:
    with suppress(OSError):  # standard error is closed
        print(visible(text), file=sys.stderr, flush=True)
