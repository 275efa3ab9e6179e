"""Keeps what took long to load, by a fingerprint of files, settings and code; sees files change while they are read."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import fields, is_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np

import tuner
from tuner.data.dataset import Dataset, arrays_of
from tuner.data.inputs import Ids, Numbers, Tokens
from tuner.data.roles import Roles
from tuner.data.target import Amounts, Classes, Labels, NaiveForecast, PerPosition, Text
from tuner.errors import DataError
from tuner.experiment.settings import Settings
from tuner.sources.readers.files import inside

WORTH = 1.0  # seconds of loading
KEPT = 16  # data sets
BYTES = 10 * 10**9  # of all that are kept; the newest is, however large
REST = "rest.json"
CODE = tuple(
    Path(tuner.__file__).parent / package for package in ("data", "sources")
)  # which makes the arrays of files
LIBRARIES = ("numpy", "openpyxl", "pandas", "pillow", "pyarrow")
PARTS = {
    kind.__name__: kind
    for kind in (Dataset, Numbers, Tokens, Ids, Classes, Labels, Amounts, NaiveForecast, PerPosition, Text, Roles)
}
Stamps = list[tuple[str, int, int, int, int]]


class Source(Protocol):
    """A module of `tuner.sources`, or what serves as one."""

    def load(self, settings: Any, folder: Path) -> Dataset: ...


def load(source: Source, settings: Settings, folder: Path) -> Dataset:
    """What the source reads, or what it read of the same files before. Raises `DataError`."""
    before = _stamps(_files(source, settings, folder))
    entry = _place(settings, before) if before else None
    if entry is not None and (known := _kept(entry)) is not None:
        return known
    begun = time.perf_counter()
    dataset = source.load(settings, folder)
    if not isinstance(dataset, Dataset):
        raise DataError(f"load of this source returned {type(dataset).__name__}", "return a Dataset", "name")
    seconds = time.perf_counter() - begun
    if changed := sorted({*before} ^ {*_stamps(_files(source, settings, folder))}):
        raise DataError(f"{changed[0][0]} changed while it was read", "run again when it is written", "path")
    if entry is not None and seconds > WORTH:
        _keep(dataset, entry)
    return dataset


def _files(source: Source, settings: Settings, folder: Path) -> list[Path]:
    """Every file that the source reads: as it says itself by `files`, or those that its settings name."""
    if hasattr(source, "files"):
        return sorted(source.files(settings, folder))
    with suppress(OSError, ValueError, DataError):
        there = named(settings, folder)
        return sorted(each for path in there for each in ([path] if path.is_file() else inside(path)))
    return []


def named(settings: Settings, folder: Path) -> list[Path]:
    """The files and folders that the settings name, of those that are there."""
    values = [getattr(settings, key, None) for key in getattr(type(settings), "reads", ())]
    words = [word for value in values for word in ([value] if isinstance(value, str) else value or ())]
    with suppress(OSError, ValueError):  # what is too long for a path, say, is none
        return [folder / word for word in words if (folder / word).exists()]
    return []


def _stamps(files: list[Path]) -> Stamps:
    """Where each file is, how long, when it was written, and, as copies may keep that, when it came to be there."""
    stamps = []
    for path in files:
        with suppress(OSError, ValueError):
            about = path.stat()
            stamps.append((str(path.absolute()), about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino))
    return stamps


def _place(settings: Settings, stamps: Stamps) -> Path | None:
    """The folder of this data set; None where there is no home for one."""
    digest = hashlib.blake2b(digest_size=16)
    libraries = [version(name) for name in LIBRARIES]
    digest.update(repr((settings.model_dump(), stamps, libraries)).encode())
    for path in sorted(path for package in CODE for path in package.rglob("*.py")):
        digest.update(path.read_bytes())
    with suppress(RuntimeError):
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tuner" / digest.hexdigest()
    return None


def _kept(entry: Path) -> Dataset | None:
    """Its arrays are read from the disk as they are used."""
    try:
        found = _from_json(json.loads((entry / REST).read_text("utf-8")), entry)
        os.utime(entry)
        return found if isinstance(found, Dataset) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _from_json(value: Any, entry: Path) -> Any:
    """The inverse of `_to_json`."""
    if isinstance(value, list):
        return tuple(_from_json(each, entry) for each in value)
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return np.load(entry / f"{value['array']}.npy", mmap_mode="c")
    if "slice" in value:
        return slice(*value["slice"])
    kind = PARTS[value.pop("kind")]
    return kind(**{name: _from_json(each, entry) for name, each in value.items()})


def _to_json(value: Any, path: str = "") -> Any:
    """A part of a data set as JSON; an array is named by its path, as `arrays_of` has it."""
    if isinstance(value, np.ndarray):
        return {"array": path}
    if isinstance(value, slice):
        return {"slice": [value.start, value.stop]}
    if isinstance(value, tuple):
        return [_to_json(each) for each in value]
    if not is_dataclass(value):
        return value
    entry = f"{path}." if path else ""
    parts = {field.name: _to_json(getattr(value, field.name), f"{entry}{field.name}") for field in fields(value)}
    return {"kind": type(value).__name__, **parts}


def _keep(dataset: Dataset, entry: Path) -> None:
    """Write it beside the others, the oldest of which go; a disk that is full or closed is no harm."""
    with suppress(OSError):
        entry.parent.mkdir(parents=True, exist_ok=True)
        passing = Path(tempfile.mkdtemp(dir=entry.parent, prefix="writing-"))
        try:
            for name, array in arrays_of(dataset):
                np.save(passing / f"{name}.npy", array)
            (passing / REST).write_text(json.dumps(_to_json(dataset)), "utf-8")
            shutil.rmtree(entry, ignore_errors=True)  # what could not be read
            passing.replace(entry)
        finally:
            shutil.rmtree(passing, ignore_errors=True)
        newest, *others = sorted(entry.parent.iterdir(), key=lambda each: each.stat().st_mtime, reverse=True)
        taken = _bytes(newest)
        for count, old in enumerate(others, start=2):
            taken += _bytes(old)
            if count > KEPT or taken > BYTES:
                shutil.rmtree(old, ignore_errors=True)


def _bytes(entry: Path) -> int:
    return sum(file.stat().st_size for file in entry.glob("*"))
