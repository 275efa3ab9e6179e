"""Tables in files as a pandas DataFrame, for all sources that read columns."""

from __future__ import annotations

import csv
import io
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tuner.errors import DataError, did_you_mean
from tuner.sources.readers import columnar, excel
from tuner.sources.readers.files import bytes_of, check_file, is_gzip, opened, readline
from tuner.sources.readers.rows import check_rows, check_width

MISSING = frozenset({"", "na", "nan", "n/a", "null", "none", "?"})  # in a column that otherwise holds numbers
CELLS = 1_000_000  # of a chunk
TYPED = (*columnar.FORMATS, *excel.SUFFIXES)  # files that say what their columns are
TABLES = (".csv", ".tsv", *TYPED)
Separator = Literal[",", ";", "\t", "|"]
Narrow = Callable[[str], bool]


def read_frame(
    path: Path,
    separator: str | None = None,
    sheet: int | str | None = None,
    narrow: Narrow | None = None,
    rows: int | None = None,
) -> pd.DataFrame:
    """The columns of a CSV, TSV, Parquet, Feather or Excel file: numbers where every value is one (or missing), else
    text, or what the file says. Numbers of columns that `narrow` holds for are float32, and take no more on the way,
    unless that would round them too coarsely. Of Parquet and Feather files the first `rows` can be asked for,
    which takes no more memory than they.

    Raises `DataError`."""
    suffix = Path(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()
    if sheet is not None and suffix not in excel.SUFFIXES:
        raise DataError(f"{path.name} is not an Excel file, so it has no sheets", "leave sheet out", "sheet")
    if separator is not None and suffix in TYPED:
        raise DataError(f"{path.name} is not a CSV file, so it has no separator", "leave separator out", "separator")
    if suffix not in columnar.FORMATS:
        check_file(path)
    try:
        if suffix in columnar.FORMATS:
            frame = columnar.read(path, suffix, narrow, rows)
        elif suffix in excel.SUFFIXES:
            cells = excel.read(path, sheet)
            frame = pd.DataFrame({name: _settled(cells[name]) for name in checked_header(cells.columns, path.name)})
        else:
            frame = _csv(path, separator or ("\t" if suffix == ".tsv" else ","), narrow)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 (byte {_wrong_byte(path)})", "save it as UTF-8", "path") from error
    except (OSError, EOFError, ValueError, csv.Error, zlib.error) as error:  # pandas', pyarrow's: Value-
        reason = " ".join(str(error).split()).removeprefix("Error tokenizing data. C error: ")
        raise DataError(f"{path} is not a readable table: {reason}", key="path") from error
    if len(frame) == 0:
        raise DataError(f"{path.name} has a header but no rows")
    return frame


def listed(names: str | Sequence[str] | None) -> list[str]:
    """The names as a list: of one, several or none."""
    return [names] if isinstance(names, str) else list(names or ())


def check_columns(frame: pd.DataFrame, named: Iterable[tuple[str, str]], where: str) -> None:
    """Raise `DataError` unless every column that a setting names exists, and none is named twice."""
    roles: dict[str, str] = {}
    for key, column in named:
        if column not in frame.columns:
            hint = did_you_mean(column, map(str, frame.columns))
            raise DataError(f"{where} has no column '{column}'", hint, key)
        if column in roles:
            twice = f"twice in {key}" if key == roles[column] else f"twice, by {roles[column]} and by {key}"
            raise DataError(f"{where}: column '{column}' is named {twice}", "leave one of them out", key)
        roles[column] = key


def check_complete(column: pd.Series, where: str, key: str) -> None:
    """Raise `DataError` if a value of the column is missing."""
    missing = np.flatnonzero(column.isna().to_numpy())
    if len(missing):
        text = f"{where}: '{column.name}' of data row {missing[0] + 1} is missing ({len(missing)} rows)"
        raise DataError(text, "drop those rows, or fill them in", key)


def numbers_of(column: pd.Series, where: str, key: str | None, cure: str) -> NDArray[Any]:
    """The column (N,) as float64, or as the float32 that it is; NaN where it is missing. Raises `DataError` naming the
    first value that is not a number."""
    if column.dtype == np.float32:
        return column.to_numpy()
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = next((place for place, value in enumerate(column) if not _is_number(value)), None)
    if wrong is None:  # as decimals in a Parquet file
        return np.asarray(pd.to_numeric(column.astype(str), errors="coerce"), dtype=np.float64)
    held = f"holds {str(column.iloc[wrong])!r}, which is not a number"
    text = f"{where}: column '{column.name}' of data row {wrong + 1} {held}"
    raise DataError(text, cure, key)


def typed(column: pd.Series) -> pd.Series:
    """Text as numbers where every value is one (or plainly missing); else as it stands, empty as missing."""
    text = column.str.strip()
    absent = text.str.lower().isin(MISSING)
    if not absent.all():
        numbers = pd.to_numeric(text.where(~absent), errors="coerce")
        if numbers.notna().equals(~absent):
            return numbers
    return text.where(text != "", None).astype(object)


def _is_number(value: object) -> bool:
    absent = value is None or str(value).strip().lower() in MISSING
    return absent or not np.isnan(pd.to_numeric(str(value), errors="coerce"))


def checked_header(names: Iterable[Any], where: str) -> list[str]:
    """The names of the columns, of which no two are the same."""
    found = [str(name).strip() for name in names]
    check_width(len(found), where)
    twice = sorted(name for name, count in Counter(found).items() if count > 1)
    if twice:
        raise DataError(f"{where} has two columns called '{twice[0]}'", "rename one of them")
    return found


def _csv(path: Path, separator: str, narrow: Narrow | None) -> pd.DataFrame:
    """Text is read as such and then judged, as pandas would turn a class called NA into a missing value; numbers that
    may be narrow are read before, in chunks."""
    _check_header(path, separator)
    with opened(path) as raw:
        check_rows(raw, separator, path.name)
    packed = "gzip" if is_gzip(path) else None
    how: dict[str, Any] = {"sep": separator, "encoding": "utf-8-sig", "keep_default_na": False, "compression": packed}
    names = [str(name).strip() for name in pd.read_csv(path, nrows=0, **how).columns]
    numbers = {} if narrow is None else _narrow_numbers(path, names, narrow, how)
    rest = [place for place, name in enumerate(names) if name not in numbers]
    texts = pd.read_csv(path, dtype=str, usecols=rest if numbers else None, **how)
    others = {str(name).strip(): typed(texts[name]) for name in texts.columns}
    return pd.DataFrame({name: numbers[name] if name in numbers else others[name] for name in names}, copy=False)


def _narrow_numbers(path: Path, names: list[str], narrow: Narrow, how: dict[str, Any]) -> dict[str, np.ndarray]:
    """The columns of which every value is a number (or plainly missing), `narrowed` (N,), read in chunks.

    pandas' parser reads a number as `typed` does, to the bit; of what it takes for anything else nothing is kept."""
    words = sorted({form(word) for word in MISSING for form in (str.lower, str.upper, str.title)} | {"NaN", "N/a"})
    left = [place for place, name in enumerate(names) if narrow(name)]
    known, blocks = np.zeros(len(names), dtype=bool), []  # in large blocks, which memory is given back from
    wide: dict[tuple[int, int], np.ndarray] = {}
    with pd.read_csv(path, na_values=words, low_memory=False, chunksize=max(1, CELLS // len(names)), **how) as chunks:
        for number, chunk in enumerate(chunks):
            kinds = [dtype.kind for dtype in chunk.dtypes]
            left = [place for place in left if kinds[place] in "iuf"]
            block = np.full((len(names), len(chunk)), np.nan, dtype=np.float32)
            for place in left:
                values = columnar.narrowed(chunk.iloc[:, place].to_numpy())
                if values.dtype == np.float32:
                    block[place] = values
                else:
                    wide[number, place] = values
                known[place] |= not np.isnan(values).all()
            blocks.append(block)
    return {
        names[place]: np.concatenate([wide.get((number, place), block[place]) for number, block in enumerate(blocks)])
        for place in left
        if known[place]
    }


def _check_header(path: Path, separator: str) -> None:
    """Raise `DataError` if the first line shows that it is not a CSV file."""
    with opened(path) as raw:
        readline(raw, path.name)  # which may be too long
    with opened(path) as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        file.seek(0)
        header = [name.strip() for name in next(csv.reader(file, delimiter=separator), [])]
    if not first:
        raise DataError(f"{path.name} is empty", "the first line names the columns", "path")
    if len(header) < 2:
        other = next((s for s in ";\t|," if s != separator and first.count(s) > 0), None)
        hint = f"dataset.separator: {other!r}" if other else "the first line names the columns"
        raise DataError(f"{path.name} has {len(header)} column(s) when split at {separator!r}", hint)
    checked_header(header, path.name)
    numbers = [name for name in header if re.fullmatch(r"[-+]?\d*\.?\d+", name)]
    if any(not name.isdigit() for name in numbers) or (len(numbers) == len(header) and not _counts_on(header)):
        wrong = next((name for name in numbers if not name.isdigit()), header[0])
        text = f"the first line of {path.name} holds the number '{wrong}', and is to name the columns"
        raise DataError(text, "write a line of names above it", "path")


def _counts_on(names: list[str]) -> bool:
    """Whether columns are called 0, 1, 2, … or by years."""
    return all(int(second) == int(first) + 1 for first, second in pairwise(names))


def _settled(cells: pd.Series) -> pd.Series:
    """The cells of a column of a sheet as one type: numbers, dates, true/false or else text."""
    known = cells.dropna()
    kind = pd.api.types.infer_dtype(known)
    if kind in ("integer", "floating", "mixed-integer-float"):
        return pd.to_numeric(cells)
    if kind.startswith("date"):
        return pd.to_datetime(cells)
    if kind in ("boolean", "empty"):
        return cells.where(cells.notna(), None)
    return typed(cells.map(lambda cell: "" if pd.isna(cell) else str(cell)).astype(object))


def _wrong_byte(path: Path) -> int:
    """The error for the first byte that is not UTF-8, at its place in the file."""
    try:
        bytes_of(path).decode()
    except UnicodeDecodeError as error:
        return error.start
    return 0
