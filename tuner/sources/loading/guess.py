"""Which source reads a file, and how: by its name and its first lines, for a first look at it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tuner.errors import DataError
from tuner.sources.columns.standing import held_times
from tuner.sources.columns.steps import equal_steps
from tuner.sources.ratings import CALLED
from tuner.sources.readers.files import IMAGES, inside, located
from tuner.sources.readers.frames import TABLES, TYPED, typed
from tuner.sources.readers.lines import lines_of, text_frame
from tuner.sources.texts import FASTTEXT, TARGET, TEXT

ARRAYS = (".npz", ".npy", ".safetensors")
OUTCOMES = ("target", "label", "class", "y", "outcome", "diagnosis", "species")
WORDS = 1.3  # of a cell on average: what has more, and hardly ever the same, is a text
LOOKED_AT = 5000  # lines, as files are often sorted, the shortest text first
STEPS = 10  # of a series at least


def guess(path: Path, target: str | None) -> tuple[dict[str, Any], str | None]:
    """The settings that read it, and what was assumed. Raises `DataError` where nothing fits."""
    located(Path(), str(path), "path")
    how = {"path": str(path), **({"target": target} if target else {})}
    name, suffix = path.name.lower().removesuffix(".gz"), path.with_suffix("").suffix if path.suffix == ".gz" else ""
    suffix = (suffix or path.suffix).lower()
    if path.is_dir():
        suffixes = {each.suffix.lower() for each in inside(path) if not each.is_dir()}
        return {"name": "images" if suffixes & IMAGES else "texts", **how}, None
    if suffix in ARRAYS:
        return {"name": "arrays", **how}, None
    if suffix == ".ts":
        return {"name": "sequences", **how}, None
    if "ubyte" in name or "idx3" in name:
        return {"name": "images", **how}, None
    if suffix in TABLES:
        return _of_columns(path, how)
    first = lines_of(path, first=LOOKED_AT)
    if all(line.count("::") >= 2 for line in first) or (suffix == ".data" and all(map(_all_numbers, first))):
        return {"name": "ratings", **how}, None
    if all(line.count("\t") == 1 for line in first) or all(line.startswith(FASTTEXT) for line in first):
        return {"name": "texts", **how}, None
    if suffix in (".txt", ".md", ".text", ""):
        return {"name": "corpus", **how}, "it is text to go on with"
    raise DataError(f"{path}: no source reads such a file by itself", "tuner list datasets; then tuner data SPACE.yaml")


def as_series(table: dict[str, Any]) -> dict[str, Any] | None:
    """The settings that forecast a table's target instead, where a time goes on in equal steps in its first rows."""
    path, separator, target = Path(table["path"]), table.get("separator"), table["target"]
    frame = text_frame(path, separator, (), (target,), LOOKED_AT)
    if target not in frame or not pd.api.types.is_numeric_dtype(typed(frame[target])):
        return None
    for column in (frame[name] for name in frame.columns if name != target):
        when = held_times(typed(column))
        if when is None or len(when) < STEPS or not (when[1:] > when[:-1]).all():
            continue
        with suppress(DataError):
            equal_steps(typed(column), when, np.arange(len(when)), path.name)
            return {**table, "name": "forecast", "time": column.name}
    return None


def _separated(path: Path) -> dict[str, str]:
    """The separator of a CSV where it is none that goes without saying."""
    if (path.stem if path.suffix == ".gz" else path.name).lower().endswith(TYPED):
        return {}
    first, usual = lines_of(path, first=1)[0], "\t" if ".tsv" in path.name.lower() else ","
    found = None if usual in first else next((sign for sign in ";\t|" if sign in first), None)
    return {"separator": found} if found else {}


def _of_columns(path: Path, how: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    separated = _separated(path)
    frame = text_frame(path, separated.get("separator"), (), (), LOOKED_AT)
    names = [str(name) for name in (frame.iloc[0] if list(frame.columns)[:1] == ["1"] else frame.columns)]
    lower = {name.lower().strip(): name for name in names}
    if any("user" in name for name in lower) and any(name in lower for name in CALLED["rating"]):
        return {"name": "ratings", **how}, None
    if any(path.suffix.lower() in IMAGES for path in map(Path, map(str, frame.iloc[-1]))):
        return {"name": "images", **how, **separated}, None
    how |= separated
    if set(lower) & set(TEXT) and (how.get("target") or set(lower) & set(TARGET)):
        return {"name": "texts", **how}, None
    wordy = [_wordy(frame.iloc[1:, place]) for place in range(min(2, len(names)))]
    if len(names) == 2 and sum(wordy) == 1:
        return {"name": "texts", **how}, None
    if wordy == [True, True]:
        return {"name": "pairs", **how}, "its first two columns are a text and its translation"
    if "target" in how:
        return {"name": "table", **how}, None
    outcome = next((lower[name] for name in OUTCOMES if name in lower), names[-1])
    return {"name": "table", **how, "target": outcome}, f"the target is '{outcome}'; else --target COLUMN"


def _all_numbers(line: str) -> bool:
    return all(cell.replace(".", "", 1).lstrip("-").isdigit() for cell in line.split())


def _wordy(column: pd.Series) -> bool:
    """Whether its cells are texts, not names of classes."""
    counts = [len(str(cell).split()) for cell in column]
    return sum(counts) >= WORDS * len(counts) and column.nunique() > len(counts) / 2
