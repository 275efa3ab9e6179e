"""Sheets of Excel files."""

from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd

from tuner.errors import DataError, did_you_mean

SUFFIXES = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
READ = SUFFIXES[:2]


def read(path: Path, sheet: int | str | None) -> pd.DataFrame:
    """The cells (objects) of a sheet, by its name or its number from 1, below the row that names the columns; an empty
    cell is missing. Raises `DataError`, `OSError`."""
    if path.suffix.lower() not in READ:
        raise DataError(f"{path.name} is not read", f"save it as {READ[0]}, or as CSV", "path")
    path.open("rb").close()  # whatever else is wrong is openpyxl's to say, in exceptions of many kinds
    try:
        with warnings.catch_warnings(action="ignore"), pd.ExcelFile(path, engine="openpyxl") as book:
            name = _named(list(map(str, book.sheet_names)), sheet, path)
            cells = book.parse(name, header=None, dtype=object, keep_default_na=False, na_values=[""])
    except (DataError, OSError, MemoryError):
        raise
    except Exception as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    cells = cells.loc[:, cells.notna().any()]
    if cells.empty:
        raise DataError(f"{path.name}: sheet '{name}' is empty", "the first row names the columns", "sheet")
    header = cells.iloc[0].copy()
    if pd.isna(header.iloc[0]) and list(cells.iloc[1:, 0]) == list(range(len(cells) - 1)):
        header.iloc[0] = "Unnamed: 0"  # the index that pandas writes, called as in a CSV
    if header.isna().any():
        text = f"{path.name}: column {_letter(int(header.index[header.isna()][0]))} of sheet '{name}' has no name"
        raise DataError(text, "the first row names the columns", "sheet")
    return cells.iloc[1:].reset_index(drop=True).set_axis([str(each).strip() for each in header], axis=1)


def _named(names: list[str], sheet: int | str | None, path: Path) -> str:
    if sheet is None and len(names) == 1:
        return names[0]
    if str(sheet) in names:
        return str(sheet)
    if isinstance(sheet, int) and 1 <= sheet <= len(names):
        return names[sheet - 1]
    if sheet is None:
        text = f"{path.name} has {len(names)} sheets: {', '.join(map(repr, names))}"
        raise DataError(text, f"dataset.sheet: {names[0]!r}", "sheet")
    raise DataError(f"{path.name} has no sheet {sheet!r}", did_you_mean(str(sheet), names), "sheet")


def _letter(place: int) -> str:
    """A column as Excel calls it."""
    place, last = divmod(place, 26)
    return (_letter(place - 1) if place else "") + chr(ord("A") + last)
