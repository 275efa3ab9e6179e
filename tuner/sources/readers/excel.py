"""Sheets of Excel files."""

from __future__ import annotations

import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd

from tuner.errors import DataError, did_you_mean
from tuner.memory import check_zip

SUFFIXES = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
READ = SUFFIXES[:2]


def read(path: Path, sheet: int | str | None) -> pd.DataFrame:
    """The cells (objects) of a sheet, by its name or its number from 1, below the row that names the columns; an empty
    cell is missing. Raises `DataError`, `OSError`."""
    if path.suffix.lower() not in READ:
        raise DataError(f"{path.name} is not read", f"save it as {READ[0]}, or as CSV", "path")
    from openpyxl import load_workbook  # 0.1 s that other files do not need

    try:
        # openpyxl leaves a file open that it cannot read, and says what is wrong in exceptions of many kinds
        with path.open("rb") as file, warnings.catch_warnings(action="ignore"):
            check_zip(path)
            with closing(load_workbook(file, read_only=True, data_only=True, keep_links=False)) as book:
                name = _named([each.title for each in book.worksheets], sheet, path)
                cells = _cells(book[name])
    except (DataError, OSError, MemoryError):
        raise
    except Exception as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    if cells.empty:
        raise DataError(f"{path.name}: sheet '{name}' is empty", "the first row names the columns", "sheet")
    header = cells.iloc[0].copy()
    if pd.isna(header.iloc[0]) and list(cells.iloc[1:, 0]) == list(range(len(cells) - 1)):
        header.iloc[0] = "Unnamed: 0"  # the index column that pandas writes, named as in a CSV
    if header.isna().any():
        text = f"{path.name}: column {_letter(int(header.index[header.isna()][0]))} of sheet '{name}' has no name"
        raise DataError(text, "the first row names the columns", "sheet")
    return cells.iloc[1:].reset_index(drop=True).set_axis([str(each).strip() for each in header], axis=1)


def _cells(sheet: Any) -> pd.DataFrame:
    """Its columns that are not empty, down to the last row that is not; a lone cell far away adds one column, and no
    width to all rows."""
    sheet.reset_dimensions()  # what the file says of its size may be wrong
    columns: dict[int, list[Any]] = {}
    for number, row in enumerate(sheet.rows):
        for index, cell in enumerate(row):
            if (value := _value(cell)) is not None:
                column = columns.setdefault(index, [])
                column += [None] * (number - len(column))
                column.append(value)
    rows = max(map(len, columns.values()), default=0)
    cells = {index: [*columns[index], *[None] * (rows - len(columns[index]))] for index in sorted(columns)}
    return pd.DataFrame(cells, dtype=object)


def _value(cell: Any) -> Any:
    """A number that is whole as an int, as pandas has it; None for an empty cell and for an error of a formula."""
    value = None if cell.data_type == "e" or cell.value == "" else cell.value
    return int(value) if isinstance(value, float) and value.is_integer() else value


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


def _letter(index: int) -> str:
    """The letters of a column in Excel."""
    index, last = divmod(index, 26)
    return (_letter(index - 1) if index else "") + chr(ord("A") + last)
