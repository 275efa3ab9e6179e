"""How much memory there is, and whether a packed file fits into it."""

from __future__ import annotations

import zipfile
import zlib
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import psutil

from tuner.errors import DataError

CGROUP = Path("/sys/fs/cgroup")
SHARE = 0.5  # of the free memory that a file may take when it is unpacked
RATIO = 1032  # how much smaller deflate makes anything, at most
CHUNK, STEP = 2**20, 2**27  # bytes


def memory(container: Path = CGROUP) -> tuple[float, float]:
    """Bytes that are free, and that there are: of the machine, or of the container where that is less (Linux)."""
    machine = psutil.virtual_memory()
    free, whole = float(machine.available), float(machine.total)
    with suppress(OSError, ValueError, KeyError):  # no container, or one without a limit: "max"
        most, used = (float((container / name).read_text()) for name in ("memory.max", "memory.current"))
        kept = dict(line.split() for line in (container / "memory.stat").read_text().splitlines())
        free, whole = min(free, most - used + float(kept["inactive_file"])), min(whole, most)
    return free, whole


def check_gzip(path: Path) -> None:
    """Refuse a gzip file whose content would be too large. Raises `DataError`, `OSError`."""
    about, most = path.stat(), max(1, memory()[0] * SHARE // STEP) * STEP  # the same when it is asked again
    if about.st_size * RATIO > most and _is_larger(path, about.st_mtime_ns, about.st_size, most):
        raise _too_large(path, most)


def check_zip(path: Path) -> None:
    """Refuse a zip archive whose content would be too large. Raises `DataError`, `OSError`, `BadZipFile`."""
    most = memory()[0] * SHARE
    with zipfile.ZipFile(path) as archive:
        if sum(each.file_size for each in archive.infolist()) > most:
            raise _too_large(path, most)


@lru_cache(maxsize=16)
def _is_larger(path: Path, written: int, size: int, most: float) -> bool:
    """Whether there are more bytes in it."""
    unpacking, total = zlib.decompressobj(wbits=31), 0
    with path.open("rb") as file, suppress(zlib.error):  # which whoever reads it will tell
        while (packed := unpacking.unconsumed_tail or unpacking.unused_data or file.read(CHUNK)) and total <= most:
            if unpacking.eof:
                unpacking = zlib.decompressobj(wbits=31)
            total += len(unpacking.decompress(packed, CHUNK))
    return total > most


def _too_large(path: Path, most: float) -> DataError:
    text = f"{path} takes more than {most / 1e9:.1f} GB when it is unpacked, which is half of the free memory"
    return DataError(text, "a part of it, or a machine with more memory", "path")
