"""Derives seeds by hashing their purpose, so that a purpose has the same seed in every process."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray


def seed_of(*purpose: int | str | NDArray[np.int64]) -> int:
    """A seed below 2^63 from its purpose; an array is hashed by its content."""
    digest = hashlib.blake2b(digest_size=8)
    for part in purpose:
        if isinstance(part, np.ndarray):
            digest.update(b"a%d:" % len(part) + part.astype("<i8").tobytes())
        else:
            digest.update(f"{type(part).__name__}{part!r};".encode())
    return int.from_bytes(digest.digest(), "little") >> 1
