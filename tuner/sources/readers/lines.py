"""CSV and TSV files of texts, with or without a header, with quotes inside the texts."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence
from itertools import accumulate
from pathlib import Path

import pandas as pd

from tuner.errors import DataError
from tuner.sources.readers.files import text_of
from tuner.sources.readers.frames import TYPED, read_frame
from tuner.sources.readers.rows import check_width


def lines_of(path: Path, key: str = "path", first: int | None = None) -> list[str]:
    """The lines of a text file, or the `first` of them, the last empty ones left out."""
    lines = text_of(path, key, first).replace("\r\n", "\n").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise DataError(f"{path} is empty", key=key)
    return lines


def text_frame(
    path: Path, separator: str | None, headers: Collection[str], wanted: Sequence[str], first: int | None = None
) -> pd.DataFrame:
    """The columns, every value a text. The first line is the header where a `wanted` column is not a number, or,
    without any wanted one, where two of its names are known `headers`; else the columns are called "1", "2", …

    first: look at so many lines only, whole as far as quotes tell."""
    if path.suffix.lower() in TYPED:
        frame = read_frame(path, rows=first)[:first]
        return pd.DataFrame({name: ["" if pd.isna(v) else str(v) for v in frame[name]] for name in frame.columns})
    lines = lines_of(path) if first is None else _whole(lines_of(path, first=first))
    rows = _rows(lines, separator or _separator(path), path)
    head = [cell.strip() for cell in rows[0]]
    check_width(len(head), path.name)
    known = sum(cell.lower() in headers for cell in head)
    named = any(not name.isdigit() for name in wanted) if wanted else known >= min(2, len(head))
    names = head if named else [str(place) for place in range(1, len(head) + 1)]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path.name} has two columns called '{twice}'", "rename one of them")
    frame = pd.DataFrame(rows[1:] if named else rows, columns=names)
    if frame.empty:
        raise DataError(f"{path.name} has a header but no rows", key="path")
    return frame


def _whole(lines: list[str]) -> list[str]:
    """The lines up to the last one at which all quotes are closed: the number of quote marks up to there is even."""
    marks = accumulate(line.count('"') for line in lines)
    return lines[: max((place for place, count in enumerate(marks, start=1) if count % 2 == 0), default=len(lines))]


def _separator(path: Path) -> str:
    """The usual separator: a comma in .csv, else a tab, which texts hardly contain."""
    return "," if path.name.lower().endswith((".csv", ".csv.gz")) else "\t"


def _rows(lines: list[str], separator: str, path: Path) -> list[list[str]]:
    """Lines cut at the separator where each has as many; else, or at commas, as the csv module reads quotes.

    A quote mark that only opens, as in running text, would swallow the lines up to the next one."""
    cells = [line.split(separator) for line in lines if line.strip() or separator in line]
    if separator != "," and len({len(row) for row in cells}) == 1:
        return [[_unquoted(cell) for cell in row] for row in cells]
    reader = csv.reader(io.StringIO("\n".join(lines)), delimiter=separator, strict=True)
    rows: list[list[str]] = []
    try:
        for row in reader:
            if row and rows and len(row) != len(rows[0]):
                text = f"{path.name}, line {reader.line_num}: {len(row)} fields, and {len(rows[0])} in the first line"
                raise DataError(text, f"quote a text that holds {separator!r}; or dataset.separator", "path")
            rows += [row] if row else []
    except csv.Error as error:
        text = f"{path.name}, line {reader.line_num}: {error}"
        raise DataError(text, 'a quote mark inside a quoted text is written ""', "path") from error
    return rows


def _unquoted(cell: str) -> str:
    inner = cell.strip()[1:-1]
    quoted = len(cell.strip()) > 1 and cell.strip()[0] == cell.strip()[-1] == '"'
    return inner.replace('""', '"') if quoted and '"' not in inner.replace('""', "") else cell
