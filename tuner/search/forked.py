"""Imported first by the server that workers are forked from, and by nobody else: its output, and its end."""

from __future__ import annotations

import atexit
import os
import shutil
import time


def _tidy(driver: int, folder: str) -> None:
    """Remove the folder where the process that started this server was killed; it removes it itself otherwise."""
    for _ in range(20):  # its pipe closes a moment before it is gone
        if os.getppid() != driver:
            shutil.rmtree(folder, ignore_errors=True)
            break
        time.sleep(0.05)


# whoever reads the output of a search waits for the search only, and sees nothing but its words; a server that cannot
# work is told of by the process that needs it
for _stream in (1, 2):
    os.dup2(os.open(os.devnull, os.O_WRONLY), _stream)
if _told := os.environ.pop("TUNER_FORKSERVER", None):
    _driver, _, _folder = _told.partition(":")
    atexit.register(_tidy, int(_driver), _folder)
