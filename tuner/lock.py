"""One search at a time: a kernel lock beside the study. Reading needs none."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tuner.errors import StorageError, StudyBusy

POLL = 0.05  # seconds between two looks at the lock
GLANCE = 0.2  # seconds that a lock may be held by nobody but an onlooker


@contextmanager
def lock(path: Path, wait: float = 0.0) -> Iterator[Callable[[], None]]:
    """Hold the study for this process; the kernel lets go when the process ends, however it ends.

    Raises `StudyBusy` where another process still holds it after `wait` seconds. Gives a function that raises
    `StorageError` once the lock's file has been deleted, for then another process may hold a new one.
    """
    beside = _lock_file(path)
    try:
        file = beside.open("a+")
    except OSError as error:
        raise StorageError(f"{beside} cannot be written: {error.strerror}", "name another file with --study") from error
    end = time.monotonic() + max(wait, GLANCE)
    with file:
        while not _taken(file):
            if time.monotonic() >= end:
                file.seek(0)
                raise _busy(path, file.read().strip() or "another process")
            time.sleep(min(POLL, max(0.0, end - time.monotonic())))
        file.truncate(0)
        file.write(f"pid {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}")
        file.flush()

        def held() -> None:
            try:
                there = beside.stat().st_ino
            except OSError:
                there = None
            if there != os.fstat(file.fileno()).st_ino:
                hint = "leave that file alone; the same command goes on"
                raise StorageError(f"{beside} was deleted under the run, so another may be writing too", hint)

        yield held


def check_free(path: Path) -> None:
    """Raise `StudyBusy` if another process holds the study now."""
    if other := holder(path):
        raise _busy(path, other)


def _busy(path: Path, other: str) -> StudyBusy:
    return StudyBusy(f"{path} is being searched by {other}", "try later, or --wait 10m; or another --study")


def holder(path: Path) -> str | None:
    """Who is searching this study now (pid, host, since), or None; nothing is changed by asking."""
    try:
        with _lock_file(path).open() as file:
            return None if _taken(file, fcntl.LOCK_SH) else file.read().strip() or "another process"
    except OSError:
        return None


def _lock_file(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _taken(file: IO[str], kind: int = fcntl.LOCK_EX) -> bool:
    """Whether this process holds the lock of the file now; a shared one is an onlooker's."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
