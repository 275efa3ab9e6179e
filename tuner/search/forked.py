"""Imported by the server that workers are forked from, and by nobody else: what it and they say of accidents."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
from types import TracebackType


def _told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Nothing of a worker to whom nothing was said, as the driver was interrupted while it started it."""
    if not issubclass(kind, EOFError):
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _told
if _place := os.environ.get("TUNER_FORKSERVER"):  # where whoever started the server is killed, it tidies up at its end
    atexit.register(shutil.rmtree, _place, ignore_errors=True)
