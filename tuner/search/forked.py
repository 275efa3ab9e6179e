"""Imported by the server that workers are forked from, and by nobody else: what it and they say of accidents."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import time
from types import TracebackType


def _told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Nothing of a worker to whom nothing was said, as the driver was interrupted while it started it."""
    if not issubclass(kind, EOFError):
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _told
_driver = os.getppid()


def _tidy(place: str) -> None:
    """Where whoever started the server was killed, it takes their folder away; not where only the server ends."""
    for _ in range(20):  # its pipe closes a moment before it is gone
        if os.getppid() != _driver:
            shutil.rmtree(place, ignore_errors=True)
            break
        time.sleep(0.05)


if _place := os.environ.pop("TUNER_FORKSERVER", None):
    atexit.register(_tidy, _place)
