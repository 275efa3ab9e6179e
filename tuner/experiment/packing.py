"""Packs arrays as short text for the study: NumPy's file format, compressed, in base64."""

from __future__ import annotations

import base64
import io
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.errors import StorageError

MOST = 2**29  # bytes


def pack(array: NDArray[Any]) -> str:
    """The array as text, without loss."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return base64.b64encode(zlib.compress(file.getvalue(), 6)).decode("ascii")


def as_small(numbers: NDArray[Any]) -> NDArray[Any]:
    """The numbers in the smallest type that holds them, if they are whole and not negative; others as they are."""
    if not numbers.size or not (numbers >= 0).all() or not (numbers == np.round(numbers)).all():
        return numbers
    return numbers.astype(np.min_scalar_type(int(numbers.max())))


def unpack(text: str) -> NDArray[Any]:
    """The inverse of `pack`. Raises `StorageError` if the text is damaged, or would unpack to more than `MOST`
    bytes."""
    opener = zlib.decompressobj()
    try:
        file = io.BytesIO(opener.decompress(base64.b64decode(text, validate=True), MOST))
        if not opener.eof or np.lib.format.read_magic(file) != (1, 0):
            raise ValueError
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        if min(shape, default=0) < 0:  # `reshape` would infer a negative length
            raise ValueError
        return np.frombuffer(file.read(), dtype).reshape(shape, order="F" if fortran else "C").copy()
    except (ValueError, zlib.error) as error:
        raise StorageError("packed numbers in the study are damaged", "restore it from a copy") from error
