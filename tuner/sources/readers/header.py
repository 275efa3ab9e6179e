"""The names of a table's columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from tuner.errors import DataError

MOST_COLUMNS = 100_000  # each takes 0.5 ms


def column_names(cells: Iterable[Any], where: str, key: str | None = None) -> list[str]:
    """The cells of a header as names, of which no two are the same. Raises `DataError`; also for more columns than a
    table may have, as each is read separately."""
    names = [str(cell).strip() or f"Unnamed: {index}" for index, cell in enumerate(cells)]  # as pandas calls them
    if len(names) > MOST_COLUMNS:
        text = f"{where} has {len(names):,} columns, and a table may have {MOST_COLUMNS:,}"
        raise DataError(text, "save the features as one array: dataset: {name: arrays, path: FILE.npz}", "path")
    if twice := sorted(name for name, count in Counter(names).items() if count > 1):
        raise DataError(f"{where} has two columns called '{twice[0]}'", "rename one of them", key)
    return names


def check_header(names: list[str], separator: str, where: str) -> None:
    """Raise `DataError` if the first row of a CSV file shows that it is split at the wrong sign, or is no header."""
    if len(names) < 2:
        other = next((s for s in ";\t|," if s != separator and s in names[0]), None)
        spaced = " " in names[0].strip() and "separate columns by commas or tabs, not by spaces"
        hint = f"dataset.separator: {other!r}" if other else spaced or "the first line names the columns"
        raise DataError(f"{where} has {len(names)} column(s) when split at {separator!r}", hint)
    numbers = [name for name in names if re.fullmatch(r"[-+]?\d*\.?\d+", name)]
    if any(not name.isdigit() for name in numbers) or (len(numbers) == len(names) and not _counts_on(names)):
        wrong = next((name for name in numbers if not name.isdigit()), names[0])
        text = f"the first line of {where} holds the number '{wrong}', and is to name the columns"
        raise DataError(text, "write a line of names above it", "path")


def _counts_on(names: list[str]) -> bool:
    """Whether columns are called 0, 1, 2, … or by years."""
    return all(int(second) == int(first) + 1 for first, second in pairwise(names))
