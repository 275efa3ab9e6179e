"""The command line: one verb per file; the only place that prints errors and chooses exit codes."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException

from tuner.cli import check, init, replay, report, search, status
from tuner.cli import list as list_
from tuner.cli.console import forget_stdout
from tuner.cli.signals import Interrupted, exit_code, heard
from tuner.errors import LimitReached, TunerError

HELP = """Tune a neural network by nested cross-validation; report an honest score.

\b
  tuner init                    write the shipped search spaces into ./spaces
  tuner search spaces/rnn.yaml  search into study.db; run again to go on
  tuner report study.db         honest score, ranked tables, learning curves
"""

app = typer.Typer(name="tuner", help=HELP, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def options(
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
) -> None:
    """What every verb shares; `--debug` is read by `run`."""


for verb in (search, report, status, replay, check, init, list_):
    app.command(verb.__name__.rpartition(".")[2])(verb.command)


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code. Every expected error ends here, in one `error:` line."""
    debug = "--debug" in arguments
    trouble: Exception | None = None
    rest = [argument for argument in arguments if argument != "--debug"]
    try:
        with heard():
            code = app(rest, prog_name="tuner", standalone_mode=False)
            sys.stdout.flush()
        return code or 0
    except LimitReached as error:
        _say(f"stopped: {error.message}; what was finished is saved\n  = to go on: {again(rest)}")
        return error.exit_code
    except TunerError as error:
        _say(error.report())
        code, trouble = error.exit_code, error
    except TyperException as error:
        if message := " ".join(error.format_message().split()).replace("Value error, ", ""):
            _say(f"error: {message}\n  = tuner --help, or tuner VERB --help")
        code = error.exit_code
    except typer.Exit as error:
        return error.exit_code
    except Interrupted as error:
        saved = f"; what was finished is saved\n  = to go on: {again(rest)}" if rest[:1] == ["search"] else ""
        _say(f"{error}{saved}")
        return exit_code(error)
    except (BrokenPipeError, SystemExit):  # `| head -1` has seen enough; Typer exits so where a pipe is closed
        forget_stdout()
        return 0
    except Exception as error:
        _say(f"error: a bug in tuner: {type(error).__name__}: {error}\n  = run again with --debug and report it")
        code, trouble = 1, error
    if debug and trouble is not None:
        import traceback

        traceback.print_exception(trouble)
    return code


def again(arguments: Sequence[str]) -> str:
    """The command that goes on; what was deleted once is not to be deleted again."""
    return shlex.join(["tuner", *(argument for argument in arguments if argument != "--fresh")])


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
