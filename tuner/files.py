"""Safe use of paths that a user names: links, pipes and devices are recognised, and files are replaced atomically."""

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
FIRST = 4096  # bytes that are read to tell text from binary data
NAME_BYTES = 200  # of the original name that a temporary file's name keeps; file systems allow 255


def resolve_link(path: Path) -> Path:
    """The path of the file that a symbolic link leads to; any other path as it is."""
    return Path(os.path.realpath(path)) if os.path.islink(path) else path  # noqa: PTH114 (it never raises)


def file_kind(mode: int) -> str | None:
    """The kind of a file that is not a regular one, such as "a pipe"; None for a regular file."""
    return next((word for fits, word in KINDS if fits(mode)), None)


def regular_file(path: Path) -> os.stat_result | None:
    """The `stat` of a regular file, or None if nothing is there. Raises `StorageError` for any other kind of file."""
    try:
        about = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}", "name another file") from error
    if what := file_kind(about.st_mode):
        raise StorageError(f"{path} is {what}, not a file", "name another file")
    return about


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Write a temporary file in the same folder by `write`, flush it to the disk, and rename it to `path`.

    An existing file keeps its permissions. Raises `StorageError` if there is something other than a regular file, and
    `OSError` if the disk refuses.
    """
    target = resolve_link(path)
    before = regular_file(target)
    temporary = target.with_name(f".{_cut(target.name)}.{secrets.token_hex(8)}.tmp")
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        write(temporary)
        if before:
            temporary.chmod(stat.S_IMODE(before.st_mode))
        sync(temporary)
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync(target.parent)


def sync(path: Path) -> None:
    """Flush a file or a folder to the disk, where the file system supports it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def check_output(path: Path, option: str, *taken: Path) -> None:
    """Raise `StorageError` if `path` is one of the files `taken`, lies in a folder of them, or holds binary data (a
    database, an image, arrays). `option` is the command line's name for it."""
    target = Path(os.path.realpath(path))
    for other in taken:
        protected = Path(os.path.realpath(other))
        if target == protected or target.is_relative_to(protected) or _same(target, protected):
            inside = f", as {path} lies in it" if target != protected and protected.is_dir() else ""
            text = f"{option} would change {other}, which the search reads{inside}"
            raise StorageError(text, f"name another {option}")
    with suppress(OSError):
        if target.is_file():
            with target.open("rb") as file:
                start = file.read(FIRST)
            if b"\0" in start:
                what = "an SQLite database" if start.startswith(SQLITE) else "a binary file"
                raise StorageError(f"{path} is {what}, which {option} would overwrite", f"name another {option}")


def _same(target: Path, protected: Path) -> bool:
    with suppress(OSError):
        return target.samefile(protected)
    return False


def _cut(name: str) -> str:
    return os.fsdecode(os.fsencode(name)[:NAME_BYTES])
