"""Shared memory: the data is written once, and every worker reads it in place."""

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

ALIGNED = 64  # bytes: the offset of an array is a multiple


class Opened:
    """An open file; passed to a new process, it is open there, too."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __reduce__(self) -> Any:
        return _received, (type(self), DupFd(self.descriptor))

    def __del__(self) -> None:
        os.close(self.descriptor)


def _received(kind: type[Opened], descriptor: Any) -> Opened:
    return kind(descriptor.detach())


class Memory(Opened):
    """Anonymous shared memory, outside of the limits of /dev/shm; a new process that receives it has the same bytes."""

    def __init__(self, descriptor: int | None = None) -> None:
        super().__init__(_anonymous() if descriptor is None else descriptor)

    def reserve(self, size: int) -> None:
        """Resize it to `size` bytes. Raises `OSError` if there is not enough memory."""
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(self.descriptor, 0, max(1, size))
        else:
            os.truncate(self.descriptor, max(1, size))

    def write(self, array: NDArray[Any], offset: int) -> None:
        """Copy an array to `offset`."""
        with open(self.descriptor, "r+b", closefd=False) as file:
            file.seek(offset)
            np.ascontiguousarray(array).tofile(file)

    def mapped(self, *, private: bool = False) -> mmap.mmap:
        """Map all of it; with `private`, other processes do not see the changes of this one."""
        return mmap.mmap(self.descriptor, 0, access=mmap.ACCESS_COPY if private else mmap.ACCESS_WRITE)


def _anonymous() -> int:
    """A file without a name, in memory, or on the disk if the system has no such files in memory."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("tuner")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


@dataclass(frozen=True)
class SharedDataset:
    """A dataset whose arrays are in a `Memory`.

    Attributes:
        rest: the dataset with empty arrays.
        arrays: name → type, shape and offset of the array.
    """

    rest: Dataset
    arrays: Mapping[str, tuple[str, tuple[int, ...], int]]


def to_shared_memory(dataset: Dataset, memory: Memory) -> SharedDataset:
    """Copy the arrays of a dataset into shared memory.

    Args:
        dataset: the dataset.
        memory: shared memory; it is resized.

    Returns:
        The dataset without its arrays, and where each array lies. `from_shared_memory` is the inverse.

    Raises:
        LimitReached: there is not enough shared memory.
    """
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
    return SharedDataset(with_arrays(dataset, {name: array[:0] for name, array in arrays.items()}), places)


def from_shared_memory(there: SharedDataset, memory: Memory) -> Dataset:
    """The dataset with its arrays in shared memory, without a copy; changes are visible to this process only."""
    view = memory.mapped(private=True)
    arrays: dict[str, Any] = {
        name: np.frombuffer(view, kind, prod(shape), offset).reshape(shape)
        for name, (kind, shape, offset) in there.arrays.items()
    }
    return with_arrays(there.rest, arrays)
