"""The command line: one verb per file; the only place that prints errors and chooses exit codes."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import typer
from typer.exceptions import TyperException

from tuner.cli import check, init, report, search
from tuner.cli import list as list_
from tuner.cli.console import forget_stdout
from tuner.errors import TunerError

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


for verb in (search, report, check, init, list_):
    app.command(verb.__name__.rpartition(".")[2])(verb.command)


class Interrupted(BaseException):
    """A signal asked the process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code. Every expected error ends here, in one `error:` line."""
    debug = "--debug" in arguments
    trouble: Exception | None = None
    rest = [argument for argument in arguments if argument != "--debug"]
    try:
        with _signals():
            app(rest, prog_name="tuner", standalone_mode=False)
            sys.stdout.flush()
        return 0
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
        _say(
            f"interrupted by {signal.Signals(error.number).name}: what was finished is saved; the same command goes on"
        )
        code = 128 + error.number
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


@contextmanager
def _signals() -> Iterator[None]:
    """Turn SIGINT, SIGTERM and SIGHUP into `Interrupted`, once; a second one ends the process at once."""

    def heard(number: int, frame: FrameType | None) -> None:
        for other in watched:
            signal.signal(other, signal.SIG_DFL)
        raise Interrupted(number)

    # what is ignored stays ignored: nohup, and shells that put a job in the background
    asked = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    watched = [number for number in asked if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, heard) for number in watched}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
