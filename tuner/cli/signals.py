"""Signals as exceptions, and the exit code of each error."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from tuner.errors import TunerError

SOON = 0.05  # seconds between two tries to raise a signal that came during an import


class Interrupted(BaseException):
    """A signal asked the process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def __str__(self) -> str:
        return f"interrupted by {signal.Signals(self.number).name}"


def exit_code(error: BaseException | None) -> int:
    """The exit code of an error: 0 without one; 1, a bug, for an unexpected one."""
    if error is None:
        return 0
    if isinstance(error, Interrupted):
        return 128 + error.number
    return error.exit_code if isinstance(error, TunerError) else 1


@contextmanager
def handle_signals() -> Iterator[None]:
    """Turn SIGINT, SIGTERM and SIGHUP into `Interrupted`, once; a second one ends the process at once.

    During an import the exception is delayed: Python drops exceptions in some import callbacks (1 in 60 interruptions
    was lost), and libraries convert it into their own errors. An exception that is dropped elsewhere is raised at the
    end.
    """
    interrupted: Interrupted | None = None

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        for other in watched:
            signal.signal(other, signal.SIG_DFL)
        if number in watched:
            interrupted = Interrupted(number)
        if _importing(frame):
            signal.setitimer(signal.ITIMER_REAL, SOON)  # tries again, by SIGALRM
        elif interrupted is not None:
            raise interrupted

    # ignored signals stay ignored: nohup, and shells that put a job in the background
    handled = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    watched = [number for number in handled if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in (*watched, signal.SIGALRM)}
    try:
        yield
    except Exception as error:
        if interrupted is None or isinstance(error, TunerError):
            raise
        raise interrupted from error
    else:
        if interrupted is not None:
            raise interrupted
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, handler in before.items():
            signal.signal(number, handler)


def _importing(frame: FrameType | None) -> bool:
    """Whether the frame, or one that it was called from, belongs to Python's import system."""
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None
