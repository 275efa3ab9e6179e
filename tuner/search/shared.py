"""Memory that processes share: the data is written once, and every worker reads it where it lies."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from multiprocessing.reduction import DupFd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.data.dataset import Dataset, arrays_of, with_arrays
from tuner.errors import LimitReached

ALIGNED = 64  # bytes: where an array may begin


class Opened:
    """An open file; given to a new process, it is open there too."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __reduce__(self) -> Any:
        return _received, (type(self), DupFd(self.descriptor))

    def __del__(self) -> None:
        os.close(self.descriptor)


def _received(kind: type[Opened], descriptor: Any) -> Opened:
    return kind(descriptor.detach())


class Memory(Opened):
    """Bytes without a name, which no limit of /dev/shm concerns; a new process that is given it has the same bytes."""

    def __init__(self, descriptor: int | None = None) -> None:
        super().__init__(_anonymous() if descriptor is None else descriptor)

    def reserve(self, size: int) -> None:
        """Make it so many bytes. Raises `OSError` where there are not so many."""
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(self.descriptor, 0, max(1, size))
        else:
            os.truncate(self.descriptor, max(1, size))

    def write(self, array: NDArray[Any], offset: int) -> None:
        """Copy an array there."""
        with open(self.descriptor, "r+b", closefd=False) as file:
            file.seek(offset)
            np.ascontiguousarray(array).tofile(file)

    def mapped(self, *, private: bool = False) -> mmap.mmap:
        """All of it; with `private`, what this process writes there no other sees."""
        return mmap.mmap(self.descriptor, 0, access=mmap.ACCESS_COPY if private else mmap.ACCESS_WRITE)


def _anonymous() -> int:
    """A file in memory, or, where the system has no such thing, one on the disk; its name is gone."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("tuner")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


@dataclass(frozen=True)
class Placed:
    """Data whose arrays lie in a `Memory`: kind, shape and first byte of each."""

    rest: Dataset
    arrays: Mapping[str, tuple[str, tuple[int, ...], int]]


def place(dataset: Dataset, memory: Memory) -> Placed:
    """Copy the arrays there. Raises `LimitReached` where there is no memory for them."""
    arrays, places, end = dict(arrays_of(dataset)), {}, 0
    for name, array in arrays.items():
        places[name] = (array.dtype.str, array.shape, end)
        end += -(-array.nbytes // ALIGNED) * ALIGNED
    try:
        memory.reserve(end)
        for name, array in arrays.items():
            memory.write(array, places[name][2])
    except OSError as error:
        text = f"there is no memory to share the data with other processes: {error.strerror}"
        raise LimitReached(text, "check ulimit -f and ulimit -v, or use smaller data") from error
    return Placed(with_arrays(dataset, {name: array[:0] for name, array in arrays.items()}), places)


def placed(there: Placed, memory: Memory) -> Dataset:
    """The data, its arrays where they lie; what is changed in them is changed for this process only."""
    view = memory.mapped(private=True)
    arrays: dict[str, Any] = {
        name: np.frombuffer(view, kind, prod(shape), offset).reshape(shape)
        for name, (kind, shape, offset) in there.arrays.items()
    }
    return with_arrays(there.rest, arrays)
