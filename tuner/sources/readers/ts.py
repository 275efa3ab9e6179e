"""The files of the UEA and UCR archive (Bagnall et al. 2018), with a sequence a line.

In a `.ts` file the channels stand between colons, and the label is last. A `.tsv` file has no header: the label is
first, the values of one channel follow between tabs, and NaN fills the ends of short sequences.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tuner.errors import DataError
from tuner.sources.readers.files import text_of
from tuner.sources.readers.numbers import MISSING, typed

Asked = Literal["classification", "regression"]
Steps = NDArray[np.float64]  # (T, D)


@dataclass(frozen=True, eq=False)
class Cases:
    """The sequences of one file or several, their labels, and what the header says of these."""

    steps: list[Steps]
    labels: pd.Series
    task: Asked


def read_cases(paths: Sequence[Path], encoding: str | None = None) -> Cases:
    """All cases, file after file; raises `DataError` with file and line."""
    steps: list[Steps] = []
    labels: list[str] = []
    asked: dict[Asked, Path] = {}
    for path in paths:
        header, lines = _split(path, encoding)
        task = _task(header, path)
        asked.setdefault(task, path)
        for where, line in lines:
            case, label = _case(line, where, header)
            if steps and case.shape[1] != steps[0].shape[1]:
                text = f"{where}: {case.shape[1]} channels, and the first sequence of {paths[0].name} has"
                raise DataError(f"{text} {steps[0].shape[1]}", "one number of channels in all files", "path")
            steps.append(case)
            labels.append(label)
    if len(asked) > 1:
        message = " and ".join(f"{path.name} asks for {task}" for task, path in asked.items())
        raise DataError(message, "files of one task", "path")
    return Cases(steps, typed(pd.Series(labels, dtype=str)), next(iter(asked)))


def _split(path: Path, encoding: str | None) -> tuple[dict[str, list[str]], Iterator[tuple[str, str]]]:
    """The header's words by their names in lower case, and each line of data with its place."""
    header: dict[str, list[str]] = {}
    lines = text_of(path, encoding=encoding).splitlines()
    if path.name.lower().removesuffix(".gz").endswith(".tsv"):
        numbered = ((f"{path.name}, line {n}", text) for n, text in enumerate(lines, start=1))
        return {"classlabel": ["true"]}, ((where, _as_ts(text, where)) for where, text in numbered if text.strip())
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words or line.startswith(("#", "%")):
            continue
        if not words[0].startswith("@"):
            raise DataError(f"{path.name}, line {number}: no header line such as @classLabel", _LOOKS, "path")
        name = words[0][1:].lower()
        if name == "data":
            rest = [(f"{path.name}, line {n}", text.strip()) for n, text in enumerate(lines, start=1) if n > number]
            found = [(where, text) for where, text in rest if text and not text.startswith(("#", "%"))]
            if not found:
                raise DataError(f"{path.name} has no sequences after @data", key="path")
            return header, iter(found)
        header[name] = words[1:]
    text = f"{path.name} has no line @data, so it is not a .ts file of the UEA and UCR archive"
    raise DataError(text, _LOOKS, "path")


def _as_ts(line: str, where: str) -> str:
    """A line of a `.tsv` file as a `.ts` file has it. Raises `DataError` for signs that mean something there."""
    if sign := next((sign for sign in ",:" if sign in line), None):
        raise DataError(f"{where}: it holds '{sign}'", "numbers with a decimal point, between tabs", "path")
    label, *values = line.strip("\r\n").split("\t")
    while values and values[-1].strip().lower() in MISSING:
        values.pop()
    return f"{','.join(values)}:{label}"


_LOOKS = "@-lines of a header, @data, then one sequence a line: 1,2,3:4,5,6:label"


def _task(header: dict[str, list[str]], path: Path) -> Asked:
    if _is_true(header, "timestamps"):
        text = f"{path.name} says @timeStamps true, and only values at equal steps are read"
        raise DataError(text, "write the values alone, and @timeStamps false", "path")
    if _is_true(header, "classlabel"):
        return "classification"
    if _is_true(header, "targetlabel"):
        return "regression"
    raise DataError(f"{path.name} says neither @classLabel true nor @targetLabel true", "there is nothing to predict",
                    "path")  # fmt: skip


def _is_true(header: dict[str, list[str]], name: str) -> bool:
    return [word.lower() for word in header.get(name, [])[:1]] == ["true"]


def _case(line: str, where: str, header: dict[str, list[str]]) -> tuple[Steps, str]:
    """One line: the steps of all channels, and its label."""
    *channels, label = (part.strip() for part in line.split(":"))
    labels = header.get("classlabel", [])[1:]
    if not channels:
        raise DataError(f"{where}: no ':' before the label", _LOOKS, "path")
    if label == "" or label == "?":
        raise DataError(f"{where}: the label is missing", "drop that line", "path")
    if labels and label not in labels:
        raise DataError(f"{where}: label {label!r} is not in @classLabel", f"one of: {' '.join(labels)}", "path")
    wanted = header.get("dimensions", header.get("dimension", []))
    if wanted and wanted != [str(len(channels))]:
        text = f"{where}: {len(channels)} channels, and @dimensions says {' '.join(wanted)}"
        raise DataError(text, "correct the line or the header", "path")
    values = [_values(text, f"{where}, channel {number}") for number, text in enumerate(channels, start=1)]
    for number, channel in enumerate(values, start=1):
        if len(channel) != len(values[0]):
            text = f"{where}: channel {number} has {len(channel)} steps, and channel 1 has {len(values[0])}"
            raise DataError(text, "? in the place of what is missing", "path")
    return np.array(values, dtype=np.float64).T, label


def _values(text: str, where: str) -> list[float]:
    if not text:
        raise DataError(f"{where}: no steps", "drop that line", "path")
    if text.startswith("("):
        raise DataError(f"{where}: values with their times, as {text[:20]!r}, are not read",
                        "write the values alone, at equal steps", "path")  # fmt: skip
    words = text.split(",")
    try:
        return [float(word) for word in words]
    except ValueError:
        return [_value(word.strip(), f"{where}, step {step}") for step, word in enumerate(words, start=1)]


def _value(word: str, where: str) -> float:
    if word.lower() in MISSING:
        return np.nan
    try:
        return float(word)
    except ValueError:
        raise DataError(f"{where}: {word[:40]!r} is not a number", "? says that a value is missing", "path") from None
