"""CSV and TSV files of texts, with or without a header, with quotes inside the texts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from io import BufferedIOBase
from pathlib import Path

import pandas as pd

from tuner.errors import DataError
from tuner.sources.readers.beginning import Dialect, beginning, declared_separator
from tuner.sources.readers.delimited import UnevenRows, read
from tuner.sources.readers.files import reading_text, text_of
from tuner.sources.readers.frames import TYPED, read_frame
from tuner.sources.readers.header import column_names


def lines_of(path: Path, key: str = "path", first: int | None = None, encoding: str | None = None) -> list[str]:
    """The lines of a text file, or the `first` of them, the last empty ones left out. Raises `DataError`."""
    lines = text_of(path, key, first, encoding).replace("\r\n", "\n").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise DataError(f"{path} is empty", key=key)
    return lines


# parameters: the file and how it is written, what shows its header, and how much of it is wanted
def text_frame(
    path: Path, separator: str | None, headers: Collection[str], wanted: Sequence[str], *,
    first: int | None = None, encoding: str | None = None,
) -> pd.DataFrame:  # fmt: skip
    """The columns, every value a text. The first line is the header where a `wanted` column is not a number, or,
    without any wanted one, where two of its names are known `headers`; else the columns are called "1", "2", …

    first: read so many rows only. Raises `DataError`."""
    if path.suffix.lower() in TYPED:
        frame = read_frame(path, rows=first)[:first]
        return pd.DataFrame({name: ["" if pd.isna(v) else str(v) for v in frame[name]] for name in frame.columns})
    with reading_text(path, encoding=encoding) as file:
        sign = separator or declared_separator(file) or _separator(path)
        notes = beginning(file, Dialect(sign), path.name).notes
        rows = _rows(file, path.name, sign, first)
    blank = [name for name in rows.columns if not rows[name].iloc[0].strip() and (rows[name].str.strip() == "").all()]
    rows = rows.drop(columns=blank[: len(rows.columns) - 1])
    head = [cell.strip() for cell in rows.iloc[0]]
    known = sum(cell.lower() in headers for cell in head)
    named = any(not name.isdigit() for name in wanted) if wanted else known >= min(2, len(head))
    names = column_names(head if named else range(1, len(head) + 1), path.name)
    frame = (rows[1:].reset_index(drop=True) if named else rows).set_axis(names, axis=1)
    if frame.empty:
        raise DataError(f"{path.name} has a header but no rows", key="path")
    frame.attrs["notes"] = notes
    return frame


def _separator(path: Path) -> str:
    """The usual separator: a comma in .csv, else a tab, which texts hardly contain."""
    return "," if path.name.lower().endswith((".csv", ".csv.gz")) else "\t"


def _rows(file: BufferedIOBase, where: str, separator: str, first: int | None) -> pd.DataFrame:
    """The cells between separators where each line has as many; else, or between commas, as quote marks tell.

    A quote mark that only opens, as in running text, would swallow the lines up to the next one."""
    if separator != ",":
        with suppress(UnevenRows):
            found: pd.DataFrame = read(file, Dialect(separator, quoted=False), where, rows=first).to_pandas()
            return found.map(_unquoted)
    quoted: pd.DataFrame = read(file, Dialect(separator), where, rows=first).to_pandas()
    if len(quoted.columns) == 1:  # a blank line is a row of one cell
        quoted = quoted[quoted.iloc[:, 0].str.strip() != ""].reset_index(drop=True)
    return quoted


def _unquoted(cell: str) -> str:
    inner = cell.strip()[1:-1]
    quoted = len(cell.strip()) > 1 and cell.strip()[0] == cell.strip()[-1] == '"'
    return inner.replace('""', '"') if quoted and '"' not in inner.replace('""', "") else cell
