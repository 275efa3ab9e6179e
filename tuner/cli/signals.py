"""Signals as exceptions, and the exit code of whatever ends a command."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from tuner.errors import TunerError


class Interrupted(BaseException):
    """A signal asked the process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def __str__(self) -> str:
        return f"interrupted by {signal.Signals(self.number).name}"


def exit_code(error: BaseException | None) -> int:
    """0 without an error; 1, a bug, for what nobody expects."""
    if error is None:
        return 0
    if isinstance(error, Interrupted):
        return 128 + error.number
    return error.exit_code if isinstance(error, TunerError) else 1


@contextmanager
def heard() -> Iterator[None]:
    """Turn SIGINT, SIGTERM and SIGHUP into `Interrupted`, once; a second one ends the process at once.

    A library that is interrupted while it is imported may make an error of its own of it (a RecursionError, once in
    some hundred searches): that is an interruption too.
    """
    interrupted: Interrupted | None = None

    def hear(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        for other in watched:
            signal.signal(other, signal.SIG_DFL)
        interrupted = Interrupted(number)
        raise interrupted

    # what is ignored stays ignored: nohup, and shells that put a job in the background
    asked = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    watched = [number for number in asked if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, hear) for number in watched}
    try:
        yield
    except Exception as error:
        if interrupted is None or isinstance(error, TunerError):
            raise
        raise interrupted from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
