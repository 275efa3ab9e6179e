"""Preloaded first by the fork server, and imported nowhere else: silences its output and removes its folder at exit."""

from __future__ import annotations

import atexit
import os
import shutil
import time


def _tidy(driver: int, folder: str) -> None:
    """Remove the folder if the process that started this server was killed; otherwise that process removes it."""
    for _ in range(20):  # the pipe of that process closes a moment before it ends
        if os.getppid() != driver:
            shutil.rmtree(folder, ignore_errors=True)
            break
        time.sleep(0.05)


# the server must not inherit standard output: a reader of the search's output would wait for the server, too. Errors of
# the server are reported by the process that uses it
for _stream in (1, 2):
    os.dup2(os.open(os.devnull, os.O_WRONLY), _stream)
if _told := os.environ.pop("TUNER_FORKSERVER", None):
    _driver, _, _folder = _told.partition(":")
    atexit.register(_tidy, int(_driver), _folder)
