"""Which source reads a file, and how: each source is asked, and the surest one reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from tuner import registry
from tuner.errors import DataError
from tuner.sources.loading.head import CERTAIN, Head, Sniffed
from tuner.sources.readers.files import located

SOURCES = "tuner.sources"


class Guess(NamedTuple):
    """The settings that read a file, what was assumed, and the beginning of the file."""

    settings: dict[str, Any]
    assumed: str | None
    head: Head


def guess(path: Path, target: str | None) -> Guess:
    """How a file is probably read. Raises `DataError` where nothing fits."""
    located(Path(), str(path), "path")
    head, name, best = Head(path, target), "", Sniffed(0)
    for each in registry.names(SOURCES):
        source = registry.load(SOURCES, each)
        found = source.sniff(head) if hasattr(source, "sniff") else None
        if found is not None and found.confidence > best.confidence:
            name, best = each, found
        if best.confidence == CERTAIN:
            break
    if not name:
        text = f"{path}: no source reads such a file by itself"
        raise DataError(text, "tuner list datasets; then tuner data SPACE.yaml")
    settings = {"name": name, "path": str(path), **({"target": target} if target else {}), **best.settings}
    return Guess(settings, best.assumed, head)
