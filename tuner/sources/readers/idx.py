"""The IDX format of MNIST: a header of type and sizes, then the values, big-endian; plain or gzip's."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.errors import DataError
from tuner.sources.readers.files import bytes_of

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP = b"\x1f\x8b"


def is_idx(path: Path) -> bool:
    """Whether a file begins like one: two zero bytes, or gzip's mark."""
    with path.open("rb") as file:
        first = file.read(2)
    return first in (b"\0\0", GZIP)


def read_idx(path: Path, key: str = "path") -> NDArray[Any]:
    """The array of a file. Raises `DataError`."""
    raw = bytes_of(path, key)
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] not in TYPES or raw[3] == 0:
        text = f"{path} is not an IDX file: it begins with {raw[:4].hex(' ') or 'nothing'}"
        raise DataError(text, "MNIST's begin with 00 00 08 and the number of dimensions", key)
    kind, dimensions = np.dtype(TYPES[raw[2]]), raw[3]
    start = 4 + 4 * dimensions
    if len(raw) < start:
        raise DataError(f"{path} ends in its header of {dimensions} sizes", "fetch it again", key)
    sizes = struct.unpack(f">{dimensions}I", raw[4:start])
    wanted, found = math.prod(sizes) * kind.itemsize, len(raw) - start
    if wanted != found:
        shape = "×".join(map(str, sizes))
        text = f"{path} says that it holds {shape} values, {wanted:,} bytes, and {found:,} follow"
        raise DataError(text, "fetch it again", key)
    return np.frombuffer(raw, dtype=kind, offset=start).reshape(sizes)
