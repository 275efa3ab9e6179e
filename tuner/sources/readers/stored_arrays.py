"""Arrays in NPZ, NPY and safetensors files, read when they are asked for; nothing in a file is executed."""

from __future__ import annotations

import math
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from tuner.data.precision import BLOCK, Narrowed, narrow, narrow_pieces
from tuner.errors import DataError, did_you_mean
from tuner.sources.readers.files import check_file, located

WRITE = {
    "NPZ": "write plain arrays with numpy.savez",
    "NPY": "write a plain array with numpy.save",
    "safetensors": "write it with safetensors.numpy.save_file",
}
KNOWN = ("F64", "F32", "F16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL")  # to numpy, of safetensors


@dataclass(frozen=True, eq=False)
class Stored:
    """An array that is still in its file: read as it stands, or as float32 in the memory of its result, given the shape
    that it is to have (with the same numbers in the same order) and the axis of columns or channels."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    read: Callable[[], NDArray[Any]]
    floats: Callable[[tuple[int, ...], int], Narrowed]


Find = Callable[[str, str], Stored]


def finder(folder: Path, path: str, features: str | None) -> tuple[Find, tuple[str, ...]]:
    """A function that finds an array by its name and the setting that names it; and the names in the file.

    In an NPY file there is one array, the features; then other names are files too. Raises `DataError`."""
    whole = located(folder, path)
    kind = _kind(whole)
    if kind == "NPY":
        if features is not None:
            raise DataError(f"{whole.name} holds one array, which are the features", "leave features out", "features")
        return lambda name, key: _npy(_beside(folder, whole, name, key)), ()
    read = _npz if kind == "NPZ" else _safetensors
    with readable(whole, kind):
        names = _names(whole, kind)

    def find(name: str, key: str) -> Stored:
        if name not in names:
            raise DataError(f"{whole} has no array '{name}'", did_you_mean(name, names), key)
        return read(whole, name)

    return find, names


@contextmanager
def readable(path: Path, kind: str) -> Iterator[None]:
    """Turn the errors of a file that is not of this format into a `DataError`."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, EOFError, MemoryError, RuntimeError, NotImplementedError, OverflowError, KeyError,
            struct.error, zlib.error, zipfile.BadZipFile, SafetensorError) as error:  # fmt: skip
        pickled = "pickle" in str(error) or "Object arrays" in str(error)
        reason = "holds pickled objects" if pickled else f"cannot be read as {kind}: {error or type(error).__name__}"
        raise DataError(f"{path} {reason}", WRITE[kind], "path") from error


def _kind(path: Path) -> str:
    """The format, by the first bytes, or else by the name."""
    check_file(path)
    named = {".npy": "NPY", ".safetensors": "safetensors"}.get(path.suffix.lower(), "NPZ")
    with readable(path, named):
        with path.open("rb") as file:
            start = file.read(6)
        if start == npy.MAGIC_PREFIX:
            return "NPY"
        if start[:2] == b"PK" or named == "safetensors":
            return "NPZ" if start[:2] == b"PK" else named
        raise ValueError("it is not an archive" if named == "NPZ" else "it does not begin as one")


def _beside(folder: Path, whole: Path, name: str, key: str) -> Path:
    """The NPY file that a setting names."""
    if key == "features":
        return whole
    if not (folder / name).exists():
        text = f"{whole.name} holds one array, so dataset.{key} is a file too, and {folder / name} is not there"
        raise DataError(text, f"{key}: y.npy" if key == "target" else None, key)
    path = located(folder, name, key)
    if _kind(path) != "NPY":
        raise DataError(f"{path.name} is not an NPY file, as {whole.name} is", WRITE["NPY"], key)
    return path


def _names(path: Path, kind: str) -> tuple[str, ...]:
    if kind == "NPZ":
        with zipfile.ZipFile(path) as archive:
            return tuple(name.removesuffix(".npy") for name in archive.namelist())
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        return tuple(sorted(file.keys()))


def _npz(path: Path, name: str) -> Stored:
    @contextmanager
    def opened() -> Iterator[IO[bytes]]:
        with readable(path, "NPZ"), zipfile.ZipFile(path) as archive:
            member = f"{name}.npy" if f"{name}.npy" in archive.namelist() else name
            with archive.open(member) as file:
                yield file

    return _streamed(path, "NPZ", opened)


def _npy(path: Path) -> Stored:
    @contextmanager
    def opened() -> Iterator[BufferedReader]:
        with readable(path, "NPY"), path.open("rb") as file:
            yield file

    return _streamed(path, "NPY", opened)


def _streamed(path: Path, kind: str, opened: Callable[[], Any]) -> Stored:
    def read() -> NDArray[Any]:
        with opened() as file:
            values = npy.read_array(file, allow_pickle=False)
            return values.astype(values.dtype.newbyteorder("="), copy=False)

    def pieces() -> Iterator[NDArray[Any]]:
        with opened() as file:
            yield from _pieces(file)

    def floats(as_shape: tuple[int, ...], axis: int) -> Narrowed:
        if columns_first or _long(dtype):
            return narrow(read().reshape(as_shape), axis)
        with readable(path, kind):
            return narrow_pieces(pieces, as_shape, axis, dtype)

    with opened() as file:
        shape, columns_first, dtype = _head(file)
    return Stored(dtype, shape, read, floats)


def _long(dtype: np.dtype[Any]) -> bool:
    """Whether whole numbers of this type may have more digits than float64."""
    return dtype.kind in "iu" and dtype.itemsize == 8


def _head(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns come first, and dtype; the file stands at the numbers then."""
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    with warnings.catch_warnings(action="ignore"):  # that Python 2 wrote it
        shape, columns_first, dtype = read(file)
    if dtype.hasobject:
        raise ValueError("pickled")
    return shape, columns_first, dtype


def _pieces(file: IO[bytes]) -> Iterator[NDArray[Any]]:
    """The numbers in the order of the file, `BLOCK` at once, so that those of a wide type are never all in memory."""
    shape, _, dtype = _head(file)
    size = math.prod(shape)
    for start in range(0, size, BLOCK):
        count = min(BLOCK, size - start)
        raw = file.read(count * dtype.itemsize)
        if len(raw) < count * dtype.itemsize:
            raise EOFError(f"it ends after {start + len(raw) // dtype.itemsize:,} of {size:,} numbers")
        yield np.frombuffer(raw, dtype)


def _safetensors(path: Path, name: str) -> Stored:
    from safetensors import safe_open

    def read() -> NDArray[Any]:
        with readable(path, "safetensors"), safe_open(path, framework="numpy") as file:
            values: NDArray[Any] = file.get_tensor(name)
            return values

    def pieces() -> Iterator[NDArray[Any]]:
        with readable(path, "safetensors"), safe_open(path, framework="numpy") as file:
            rows, count = file.get_slice(name), shape[0]
            step = max(1, BLOCK * count // max(math.prod(shape), 1))
            for start in range(0, count, step):
                yield rows[start : min(start + step, count)].reshape(-1)

    def floats(as_shape: tuple[int, ...], axis: int) -> Narrowed:
        if _long(stored):
            return narrow(read().reshape(as_shape), axis)
        with readable(path, "safetensors"):
            return narrow_pieces(pieces, as_shape, axis, stored)

    with readable(path, "safetensors"), safe_open(path, framework="numpy") as file:
        about = file.get_slice(name)
        dtype, shape = about.get_dtype(), tuple(about.get_shape())
    if dtype not in KNOWN:
        raise DataError(f"{path}: '{name}' is {dtype}, which numpy does not know", "save it as float32 (F32)", "path")
    words = {"F": "float", "I": "int", "U": "uint"}
    stored = np.dtype("bool" if dtype == "BOOL" else words[dtype[0]] + dtype[1:])
    return Stored(stored, shape, read, floats)
