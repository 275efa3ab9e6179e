"""One search at a time: a kernel lock beside the study. Reading needs none."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tuner.errors import StorageError, StudyBusy


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold the study for this process; the kernel lets go when the process ends, however it ends."""
    beside = path.with_name(path.name + ".lock")
    try:
        file = beside.open("a+")
    except OSError as error:
        raise StorageError(f"{beside} cannot be written: {error.strerror}", "name another file with --study") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise StudyBusy(f"{path} is being searched by {holder}", "wait for it, or use another --study") from error
        file.truncate(0)
        file.write(f"pid {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}")
        file.flush()
        yield
