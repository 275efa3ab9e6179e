"""Files as bytes and text, for all sources that read files."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedIOBase
from pathlib import Path

from tuner.errors import DataError
from tuner.escapes import shortened
from tuner.files import file_kind
from tuner.memory import check_gzip
from tuner.sources.readers.encoding import as_utf8, decoded

PathOrPaths = str | tuple[str, ...]
IMAGES = frozenset(  # of which a file's name says what it is
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp",
     ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".jp2"}
)  # fmt: skip
TWICE = "name it once: duplicate rows would leak from training into test folds"
ENOUGH = 2**20  # bytes of a first look
PACKED = {  # how files begin that hold others
    b"1AY&SY": "packed by bzip2", b"\xfd7zXZ": "packed by xz", b"\x28\xb5\x2f\xfd": "packed by zstd",
    b"PK\x03\x04": "a ZIP archive, as .xlsx files are too",
}  # fmt: skip
LONGEST_LINE = 2**26  # bytes: what has longer ones is no text


def located(folder: Path, path: str, key: str = "path") -> Path:
    """The file or folder that a setting names; `key` is that setting. Raises `DataError`."""
    found = folder / path
    name = shortened(str(found).replace("\0", "\\0"))
    try:
        there = found.exists()
    except OSError as error:  # too long a name, a folder that is closed
        raise DataError(f"{name} cannot be read: {error.strerror}", key=key) from error
    if not there:
        raise DataError(f"{name}: no such file", f"dataset.{key} is relative to the experiment file", key)
    if not found.is_dir():
        check_file(found, key)
    return found


def check_file(path: Path, key: str = "path") -> None:
    """Raise `DataError` for a folder, a pipe or a device instead of a file."""
    with suppress(OSError):  # whoever opens it will tell
        if what := file_kind(path.stat().st_mode):
            hint = f"dataset.{key}: a file inside" if path.is_dir() else None
            raise DataError(f"{path} is {what}, not a file", hint, key)


def all_located(folder: Path, paths: PathOrPaths, key: str = "path") -> list[Path]:
    """The files or folders of one path or several. Raises `DataError`."""
    if not paths:
        raise DataError(f"{key} names no file", f"dataset.{key}: FILE, or a list of files", key)
    found = [located(folder, path, key) for path in ([paths] if isinstance(paths, str) else paths)]
    there: dict[Path, Path] = {}
    for path in found:
        if (other := there.setdefault(path.resolve(), path)) is not path:
            text = f"{path} is named twice" if path == other else f"{path} and {other} are the same"
            raise DataError(text, TWICE, key)
    for real, path in there.items():
        if around := next((there[each] for each in real.parents if each in there), None):
            raise DataError(f"{path} is read twice, as it is in {around}", TWICE, key)
    return found


def inside(folder: Path, *, deep: bool = True) -> Iterator[Path]:
    """Its files, sorted, then its folders, then what is in each of them; what is hidden is left out. Links are
    followed; a folder is entered once, and none that this one is in, as a link may lead back. Raises `DataError` for a
    pipe or a device among them, which would never end."""
    entered = set(map(str, folder.resolve().parents))
    for parent, folders, names in os.walk(folder, onerror=_refuse, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if (real := os.path.realpath(parent)) in entered:
            folders.clear()
            continue
        entered.add(real)
        for name in sorted(name for name in names if not name.startswith(".")):
            check_file(Path(parent, name))
            yield Path(parent, name)
        yield from (Path(parent, name) for name in folders)
        if not deep:
            return


def _refuse(error: OSError) -> None:
    raise DataError(f"{error.filename} cannot be read: {error.strerror}", key="path") from error


def is_gzip(path: Path) -> bool:
    """Whether the file begins as gzip's do. Raises `OSError`."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def readline(file: BufferedIOBase, where: str) -> bytes:
    """The next line. Raises `DataError` if it is longer than any line of text."""
    line = file.readline(LONGEST_LINE)
    if len(line) == LONGEST_LINE:
        raise DataError(f"{where} has a line of more than {LONGEST_LINE >> 20} MB, so it is not text", key="path")
    return line


@contextmanager
def reading(path: Path, key: str = "path") -> Iterator[BufferedIOBase]:
    """The file, unpacked if it is gzip's. Raises `DataError`, also for what is found while it is read, and for more
    than memory can hold."""
    check_file(path, key)
    try:
        packed = is_gzip(path)
        if packed:
            check_gzip(path)
        with gzip.open(path) if packed else path.open("rb") as file:
            yield file
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}", key=key) from error


def bytes_of(path: Path, key: str = "path") -> bytes:
    """The whole file, unpacked if it is gzip's."""
    with reading(path, key) as file:
        return file.read()


@contextmanager
def reading_text(path: Path, key: str = "path", encoding: str | None = None) -> Iterator[BufferedIOBase]:
    """The file as UTF-8, unpacked if it is gzip's. Raises `DataError`."""
    with reading(path, key) as file:
        start = file.read(10)
        start = start[4:] if start.startswith(b"BZh") else start  # then comes the size of a block
        file.seek(0)
        if what := next((what for sign, what in PACKED.items() if start.startswith(sign)), None):
            raise DataError(f"{path.name} is {what}, and not text", "unpack it, or pack it by gzip (.gz)", key)
        yield as_utf8(file, path.name, key, encoding)


def _first_bytes(path: Path, lines: int, key: str, encoding: str | None) -> bytes:
    """So many lines of the file as UTF-8; fewer, but two at least, where they are very long."""
    found: list[bytes] = []
    with reading_text(path, key, encoding) as file:
        while len(found) < lines and (len(found) < 2 or sum(map(len, found)) < ENOUGH):
            if not (line := readline(file, path.name)):
                break
            found.append(line)
    return b"".join(found)


def text_of(path: Path, key: str = "path", lines: int | None = None, encoding: str | None = None) -> str:
    """The whole file, or its first `lines`, as text, a byte order mark taken off. Raises `DataError`."""
    if lines is not None:
        return decoded(_first_bytes(path, lines, key, encoding), path.name, key)
    with reading_text(path, key, encoding) as file:
        return decoded(file.read(), path.name, key)
