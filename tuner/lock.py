"""One search at a time: a kernel lock on a file next to the study. Reading needs none."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tuner.errors import StorageError, StudyBusy
from tuner.files import file_kind, regular_file, resolve_link

POLL = 0.05  # seconds between two looks at the lock
GLANCE = 0.2  # seconds to retry, as `holder` may hold the lock for a moment
PREFIX = "pid "  # how the text in a lock file begins
UNLOCKABLE = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL)  # error numbers of a file system without locks
HERE = "name another file with --study"


@contextmanager
def lock(path: Path, wait: float = 0.0) -> Iterator[Callable[[], None]]:
    """Hold the lock of a study for this process; the kernel releases it when the process ends for any reason.

    Args:
        path: the study file; symbolic links are resolved, so all links to a study share one lock.
        wait: seconds to wait for another process.

    Yields:
        A function that raises `StorageError` if the lock file has been deleted or replaced: then another process may
        hold a new one.

    Raises:
        StudyBusy: another process still holds the study after `wait` seconds.
        StorageError: the lock file cannot be used, the file system has no locks, or the study has several hard links:
            each name would get a separate lock.
    """
    lock_path = lock_file(path)
    _check_one_name(path)
    end = time.monotonic() + max(wait, GLANCE)
    with open(_open_lock_file(lock_path), "r+") as file:
        while not _taken(file, lock_path):
            if time.monotonic() >= end:
                file.seek(0)
                raise _busy(path, file.read().strip() or "another process")
            time.sleep(min(POLL, max(0.0, end - time.monotonic())))
        file.seek(0)
        file.truncate()
        file.write(f"{PREFIX}{os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}")
        file.flush()

        def held() -> None:
            try:
                there = lock_path.stat().st_ino
            except OSError:
                there = None
            if there != os.fstat(file.fileno()).st_ino:
                hint = "leave that file alone; the same command goes on"
                raise StorageError(
                    f"{lock_path} was deleted during the run, so another search may be writing, too", hint
                )

        yield held


def check_free(path: Path) -> None:
    """Raise `StudyBusy` if another process holds the study now."""
    if other := holder(path):
        raise _busy(path, other)


def _busy(path: Path, other: str) -> StudyBusy:
    return StudyBusy(f"{path} is being searched by {other}", "try later; tuner search can --wait 10m")


def holder(path: Path) -> str | None:
    """The process that is searching this study (pid, host, start), or None. Does not modify anything."""
    try:
        with open(lock_file(path), opener=_open_without_following) as file:
            return None if _taken(file, path, fcntl.LOCK_SH) else file.read().strip() or "another process"
    except (OSError, StorageError):
        return None


def lock_file(path: Path) -> Path:
    """The file that is locked while a study is searched. Raises `StorageError`."""
    study = resolve_link(path)
    if not study.name:
        raise StorageError(f"'{path}' is not the name of a file", HERE)
    return study.with_name(study.name + ".lock")


def files_of(path: Path) -> tuple[Path, ...]:
    """The study, its lock, and what SQLite keeps next to it."""
    study = resolve_link(path)
    return (study, lock_file(path), *(study.with_name(study.name + end) for end in ("-journal", "-wal", "-shm")))


def _open_lock_file(lock_path: Path) -> int:
    """Open or create the lock file; returns its descriptor. Raises `StorageError` if something else has this name."""
    try:
        descriptor = _open_without_following(lock_path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        trouble = "is a link" if error.errno == errno.ELOOP else f"cannot be written: {error.strerror}"
        raise StorageError(f"{lock_path} {trouble}", HERE) from error
    what = file_kind(os.fstat(descriptor).st_mode)
    if what or os.pread(descriptor, len(PREFIX), 0) not in (b"", PREFIX.encode()):
        os.close(descriptor)
        raise StorageError(f"{lock_path} is {what or 'something else'}, where tuner keeps its lock", HERE)
    return descriptor


def _open_without_following(name: str | Path, flags: int) -> int:
    """Open a file, but not through a symbolic link, and without waiting for the other end of a pipe."""
    return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)


def _check_one_name(path: Path) -> None:
    about = regular_file(path)
    if about and about.st_nlink > 1:
        text = f"{path} has another name (a hard link), under which another search could write it at the same time"
        raise StorageError(text, "search in a copy: cp STUDY OTHER.db, then --study OTHER.db; or remove the other name")


def _taken(file: IO[str], path: Path, how: int = fcntl.LOCK_EX) -> bool:
    """Whether this process has acquired the lock of the file; `holder` tries a shared one."""
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in UNLOCKABLE:
            raise
        text = f"the file system of {path} offers no locks ({error.strerror}), so two searches could write at once"
        raise StorageError(text, "--study on a local disk; copy it back when the search is done") from error
    return True
