"""Files as bytes and text: what every source that reads files does with them."""

from __future__ import annotations

import gzip
import zlib
from io import BufferedReader
from pathlib import Path

from tuner.errors import DataError

PathOrPaths = str | tuple[str, ...]
IMAGES = frozenset(  # of which a file's name says what it is
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp",
     ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".jp2"}
)  # fmt: skip
LONGEST = 200  # letters of a path in an error


def located(folder: Path, path: str, key: str = "path") -> Path:
    """The file or folder that a setting names; `key` is that setting. Raises `DataError`."""
    found = folder / path
    name = str(found).replace("\0", "\\0")
    name = name if len(name) <= LONGEST else f"{name[:LONGEST]}…"
    try:
        there = found.exists()
    except OSError as error:  # too long a name, a folder that is closed
        raise DataError(f"{name} cannot be read: {error.strerror}", key=key) from error
    if not there:
        raise DataError(f"{name}: no such file", f"dataset.{key} is relative to the experiment file", key)
    if not found.is_file() and not found.is_dir():
        raise DataError(f"{found} is a device, not a file", key=key)
    return found


def check_file(path: Path, key: str = "path") -> None:
    """Refuse a folder in the place of a file."""
    if path.is_dir():
        raise DataError(f"{path} is a folder, not a file", f"dataset.{key}: a file inside", key)


def all_located(folder: Path, paths: PathOrPaths, key: str = "path") -> list[Path]:
    """The same of one path or several."""
    if not paths:
        raise DataError(f"{key} names no file", f"dataset.{key}: FILE, or a list of files", key)
    return [located(folder, path, key) for path in ([paths] if isinstance(paths, str) else paths)]


def is_gzip(path: Path) -> bool:
    """Whether the file begins as gzip's do. Raises `OSError`."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def opened(path: Path) -> gzip.GzipFile | BufferedReader:
    """The file to be read from its start, unpacked if it is gzip's. Raises `OSError`, `EOFError`, `zlib.error`."""
    return gzip.open(path) if is_gzip(path) else path.open("rb")


def bytes_of(path: Path, key: str = "path") -> bytes:
    """The whole file, unpacked if it is gzip's."""
    check_file(path, key)
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}", key=key) from error


def text_of(path: Path, key: str = "path") -> str:
    """The whole file as UTF-8 text, a byte order mark taken off."""
    raw = bytes_of(path, key)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DataError(f"{path} is not UTF-8 (byte {error.start}, line {line})", "save it as UTF-8", key) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise DataError(f"{path} holds NUL bytes (line {line}), so it is not text", key=key)
    return text
