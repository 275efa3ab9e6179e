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
SHARE = 0.5  # share of the free memory that an unpacked file may take
RATIO = 1032  # largest compression ratio of deflate
CHUNK, STEP = 2**20, 2**27  # bytes


def memory(container: Path = CGROUP) -> tuple[float, float]:
    """Free and total memory in bytes: of the machine, or of the container if that is less (Linux)."""
    machine = psutil.virtual_memory()
    free, whole = float(machine.available), float(machine.total)
    with suppress(OSError, ValueError, KeyError):  # no container, or one without a limit: "max"
        limit, used = (float((container / name).read_text()) for name in ("memory.max", "memory.current"))
        kept = dict(line.split() for line in (container / "memory.stat").read_text().splitlines())
        free, whole = min(free, limit - used + float(kept["inactive_file"])), min(whole, limit)
    return free, whole


def check_gzip(path: Path) -> None:
    """Refuse a gzip file whose content would be too large. Raises `DataError`, `OSError`."""
    about, limit = path.stat(), max(1, memory()[0] * SHARE // STEP) * STEP  # rounded, for the cache
    if about.st_size * RATIO > limit and _is_larger(path, about.st_mtime_ns, about.st_size, limit):
        raise _too_large(path, limit)


def check_zip(path: Path) -> None:
    """Refuse a zip archive whose content would be too large. Raises `DataError`, `OSError`, `BadZipFile`."""
    limit = memory()[0] * SHARE
    with zipfile.ZipFile(path) as archive:
        if sum(each.file_size for each in archive.infolist()) > limit:
            raise _too_large(path, limit)


@lru_cache(maxsize=16)
def _is_larger(path: Path, written: int, size: int, limit: float) -> bool:
    """Whether a gzip file unpacks to more than `limit` bytes."""
    unpacking, total = zlib.decompressobj(wbits=31), 0
    with path.open("rb") as file, suppress(zlib.error):  # the reader of the file reports it
        while (packed := unpacking.unconsumed_tail or unpacking.unused_data or file.read(CHUNK)) and total <= limit:
            if unpacking.eof:
                unpacking = zlib.decompressobj(wbits=31)
            total += len(unpacking.decompress(packed, CHUNK))
    return total > limit


def _too_large(path: Path, limit: float) -> DataError:
    text = f"{path} takes more than {limit / 1e9:.1f} GB when it is unpacked, which is half of the free memory"
    return DataError(text, "a part of it, or a machine with more memory", "path")
