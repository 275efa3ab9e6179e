"""Tables in files as a pandas DataFrame, for all sources that read columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from tuner.errors import ColumnError, DataError, DataErrors, did_you_mean
from tuner.sources.columns.moments import in_order
from tuner.sources.readers import columnar, delimited, excel
from tuner.sources.readers.beginning import Dialect, beginning, declared_separator
from tuner.sources.readers.delimited import check_quotes, with_growing_blocks
from tuner.sources.readers.files import check_file, reading_text
from tuner.sources.readers.header import check_header, column_names
from tuner.sources.readers.numbers import NumberColumns, typed
from tuner.sources.readers.settings import PLAIN, DelimitedSettings

TYPED = (*columnar.FORMATS, *excel.SUFFIXES)  # files that say what their columns are
TABLES = (".csv", ".tsv", *TYPED)
DEFAULTS = {name: field.default for name, field in DelimitedSettings.model_fields.items()}
DELIMITED = tuple(DEFAULTS)
SEVERAL = (dict, list, set, tuple, np.ndarray)  # values in a cell
VALUES = "numbers, text, dates or true/false; or leave it out with drop"
UNNAMED = re.compile(r"Unnamed: \d+")  # what `column_names` calls a column without a name
Narrow = Callable[[str], bool]


# parameters: the file and how it is written, and what the caller knows of its columns
def read_frame(
    path: Path,
    settings: DelimitedSettings = PLAIN,
    sheet: int | str | None = None,
    narrow: Narrow | None = None,
    rows: int | None = None,
    labels: Collection[str | None] = (),
) -> pd.DataFrame:
    """The columns of a CSV, TSV, Parquet, Feather or Excel file: numbers where every value is one (or missing), else
    text, or what the file says. Numbers of columns that `narrow` holds for are float32, and take no more on the way,
    unless that would round them too coarsely. Of Parquet and Feather files the first `rows` can be asked for,
    which takes no more memory than they. In columns of `labels`, 01 and 1 are two. Columns without name and value
    are left out, which `attrs["notes"]` says.

    Raises `DataError`."""
    suffix = Path(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()
    if sheet is not None and suffix not in excel.SUFFIXES:
        raise DataError(f"{path.name} is not an Excel file, so it has no sheets", "leave sheet out", "sheet")
    if suffix in TYPED and (key := next((key for key in DELIMITED if getattr(settings, key) != DEFAULTS[key]), None)):
        raise DataError(f"{path.name} is not a CSV file, so it has no {key}", f"leave {key} out", key)
    try:
        if suffix in columnar.FORMATS:
            frame = columnar.read(path, suffix, narrow, rows)
        elif suffix in excel.SUFFIXES:
            check_file(path)
            cells = excel.read(path, sheet)
            frame = pd.DataFrame({name: _settled(cells[name]) for name in column_names(cells.columns, path.name)})
        else:
            frame = _csv(path, settings, "\t" if suffix == ".tsv" else ",", narrow, labels)
            if settings.day_first is not None:
                frame = in_order(frame, labels, day_first=settings.day_first)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not a readable table: {' '.join(str(error).split())}", key="path") from error
    if len(frame) == 0:
        raise DataError(f"{path.name} has a header but no rows")
    return _without_blank(frame)


def _without_blank(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame without its columns that have neither a name nor a value, which `attrs` says in `notes`."""
    blank = [name for name in frame.columns if UNNAMED.fullmatch(str(name)) and frame[name].isna().all()]
    if not blank or len(blank) == len(frame.columns):
        return frame
    left = frame.drop(columns=blank)
    note = f"columns without a name and any value are left out: {', '.join(blank)}"
    left.attrs["notes"] = (*frame.attrs.get("notes", ()), note)
    return left


def listed(names: str | Sequence[str] | None) -> list[str]:
    """The names as a list: of one, several or none."""
    return [names] if isinstance(names, str) else list(names or ())


def check_columns(frame: pd.DataFrame, named: Iterable[tuple[str, str]], where: str) -> None:
    """Raise `ColumnError` unless every column that a setting names exists, and none is named twice."""
    roles: dict[str, str] = {}
    errors = DataErrors()
    for key, column in named:
        with errors.collect():
            if column not in frame.columns:
                hint = did_you_mean(column, map(str, frame.columns))
                raise ColumnError(f"{where} has no column '{column}'", hint, key)
            if column in roles:
                twice = f"twice in {key}" if key == roles[column] else f"twice, by {roles[column]} and by {key}"
                raise ColumnError(f"{where}: column '{column}' is named {twice}", "leave one of them out", key)
            roles[column] = key
    errors.raise_all()


def check_values(
    column: pd.Series, where: str, key: str | None = None, refused: tuple[type, ...] = (*SEVERAL, bytes, complex)
) -> None:
    """Raise `DataError` if a cell holds what is no value of a feature, or of these types."""
    odd = next((value for value in column if isinstance(value, refused)), None)
    if odd is not None:
        raise DataError(f"{where} holds values of type {type(odd).__name__}", VALUES, key)


def check_complete(column: pd.Series, where: str, key: str) -> None:
    """Raise `DataError` if a value of the column is missing, or a cell holds several."""
    if column.dtype == object:
        check_values(column, f"{where}: column '{column.name}'", key, SEVERAL)
    missing = np.flatnonzero(column.isna().to_numpy())
    if len(missing):
        text = (
            f"{where}: '{column.name}' of data row {missing[0] + 1} is missing ({len(missing)} of {len(column)} rows)"
        )
        raise DataError(text, "drop those rows, or fill them in", key)


def _csv(
    path: Path, settings: DelimitedSettings, usual: str, narrow: Narrow | None, labels: Collection[str | None]
) -> pd.DataFrame:
    with reading_text(path, encoding=settings.encoding) as file:
        separator = settings.separator or declared_separator(file) or usual
        dialect = Dialect(separator, decimal=settings.decimal)
        return with_growing_blocks(lambda block: _columns(file, dialect, path.name, block, narrow, labels))


# parameters: the file, how it is written and what errors call it, how much to read at once, and what columns are
def _columns(
    file: BufferedIOBase, dialect: Dialect, where: str, block: int, narrow: Narrow | None,
    labels: Collection[str | None],
) -> pd.DataFrame:  # fmt: skip
    """Columns that may be narrow are read as numbers, and those that are none a second time, as texts."""
    first = beginning(file, dialect, where)
    check_header([cell.strip() for cell in first.cells], dialect.separator, where)
    names = column_names(first.cells, where)
    wanted = (index for index, name in enumerate(names) if narrow is not None and narrow(name))
    numbers = NumberColumns(wanted, dialect.decimal)
    parts: dict[int, list[pa.Array]] = {index: [] for index in range(len(names)) if index not in numbers.blocks}
    for number, batch in enumerate(delimited.batches(file, dialect, where, block=block)):
        rows = batch if number else batch.slice(1)
        numbers.add(rows)
        for index, several in parts.items():
            several.append(rows.column(index))
    found: dict[int, Any] = dict(numbers.take())
    again = [index for index in range(len(names)) if index not in parts and index not in found]
    for number, batch in enumerate(delimited.batches(file, dialect, where, only=again, block=block) if again else ()):
        for index, column in zip(again, batch.columns, strict=True):
            parts.setdefault(index, []).append(column if number else column.slice(1))
    texts = {index: pa.chunked_array(several) for index, several in parts.items()}
    check_quotes(texts.values(), file, dialect, where, "path")
    for index in list(texts):
        column = pd.Series(pd.array(texts.pop(index), dtype="str"))
        found[index] = typed(column, dialect.decimal, label=names[index] in labels)
    frame = pd.DataFrame({name: found[index] for index, name in enumerate(names)}, copy=False)
    frame.attrs["notes"] = first.notes
    return frame


def _settled(cells: pd.Series) -> pd.Series:
    """The cells of a column of a sheet as one type: numbers, dates, true/false or else text."""
    known = cells.dropna()
    kind = pd.api.types.infer_dtype(known)
    if kind in ("integer", "floating", "mixed-integer-float"):
        return pd.to_numeric(cells)
    if kind.startswith("date"):
        return pd.to_datetime(cells)
    if kind.startswith("timedelta"):
        return pd.to_timedelta(cells)
    if kind in ("boolean", "empty"):
        return cells.where(cells.notna(), None)
    return typed(cells.map(lambda cell: "" if pd.isna(cell) else str(cell)).astype(object))
