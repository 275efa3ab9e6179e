"""Files as a user names them: a name may be a link, a pipe or a device, and what is there may be another's."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tuner.errors import StorageError

SQLITE = b"SQLite format 3\0"  # how every SQLite database begins
KINDS = (
    (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)  # fmt: skip
FIRST = 4096  # bytes of a look at what a file holds
LONGEST = 200  # bytes of a file's name that one beside it takes over


def target(path: Path) -> Path:
    """The file that a name means, links followed: so that one file has one name."""
    return Path(os.path.realpath(path)) if os.path.islink(path) else path  # noqa: PTH114 (it never raises)


def kind(mode: int) -> str | None:
    """What a file is, in words, where it is no regular one."""
    return next((word for fits, word in KINDS if fits(mode)), None)


def looked_at(path: Path) -> os.stat_result | None:
    """What is there, links followed; None for nothing. Raises `StorageError` for what is no regular file."""
    try:
        about = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}", "name another file") from error
    if what := kind(about.st_mode):
        raise StorageError(f"{path} is {what}, not a file", "name another file")
    return about


def whole(path: Path, write: Callable[[Path], object]) -> None:
    """Make a regular file in one move: `write` fills one beside it, which takes its place once it is on the disk.

    A file that is there keeps its permissions. Raises `StorageError` for what is no regular file, `OSError` for what
    the disk refuses.
    """
    place = target(path)
    before = looked_at(place)
    passing = place.with_name(f".{_cut(place.name)}.{secrets.token_hex(8)}.tmp")
    os.close(os.open(passing, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        write(passing)
        if before:
            passing.chmod(stat.S_IMODE(before.st_mode))
        on_disk(passing)
        passing.replace(place)
    except BaseException:
        with suppress(OSError):
            passing.unlink(missing_ok=True)
        raise
    on_disk(place.parent)


def on_disk(path: Path) -> None:
    """Wait until a file or a folder is on the disk, where its file system can tell."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def check_output(path: Path, option: str, *taken: Path) -> None:
    """Refuse to write where one of the files `taken` is, or inside a folder of them, or over a file that is no text:

    a study, another database, an image, arrays."""
    place = Path(os.path.realpath(path))
    for other in taken:
        there = Path(os.path.realpath(other))
        if place == there or place.is_relative_to(there) or _same(place, there):
            role = f"in {other}, which" if place != there and there.is_dir() else f"{other}, which"
            raise StorageError(f"{path} is {role} the study is made of", f"name another {option}")
    with suppress(OSError):
        if place.is_file():
            with place.open("rb") as file:
                start = file.read(FIRST)
            if b"\0" in start:
                what = "an SQLite database" if start.startswith(SQLITE) else "no text"
                raise StorageError(f"{path} is {what}, which {option} would destroy", f"name another {option}")


def _same(place: Path, there: Path) -> bool:
    with suppress(OSError):
        return place.samefile(there)
    return False


def _cut(name: str) -> str:
    return os.fsdecode(os.fsencode(name)[:LONGEST])
