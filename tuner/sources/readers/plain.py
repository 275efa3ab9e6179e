"""Tables as recommenders' data sets have them: columns between tabs, `::`, `|` or commas, with a header or without."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from tuner.errors import DataError
from tuner.sources.readers.beginning import COMMENT, Dialect, beginning
from tuner.sources.readers.delimited import check_quotes, read
from tuner.sources.readers.files import text_of
from tuner.sources.readers.frames import TYPED, read_frame
from tuner.sources.readers.header import column_names
from tuner.sources.readers.numbers import typed

SEPARATORS = ("::", "\t", ",", ";", "|")
TYPED_NAME = re.compile(r"(.+):(?:token|float)(?:_seq)?")  # in the header of RecBole's files


def read_plain(
    path: Path,
    key: str,
    has_header: Callable[[Sequence[str]], bool],
    names: tuple[str, ...] = (),
    encoding: str | None = None,
) -> pd.DataFrame:
    """The columns of a table as text, or as a typed file has them; what separates them, the first line shows.

    `has_header` tells it from the cells of the first line; columns without are called by `names`, else 1, 2, ….
    Raises `DataError` with `key`, the setting that names the file."""
    if path.suffix.lower() in TYPED:
        return read_frame(path)
    text = text_of(path, key, encoding=encoding)
    dialect = Dialect(_separator(text, path, key))
    if dialect.separator == "::":  # MovieLens' own, whose titles hold quote marks that mean nothing
        text, dialect = text.replace("\t", " ").replace("::", "\t"), Dialect("\t", quoted=False)
    file = io.BytesIO(text.encode())
    table = read(file, dialect, path.name, key)
    check_quotes(table.columns, file, dialect, path.name, key)
    frame: pd.DataFrame = table.to_pandas()
    frame.attrs["notes"] = beginning(file, dialect, path.name, key).notes
    first = [str(cell).strip() for cell in frame.iloc[0]]
    if has_header(first):
        typed_names = [TYPED_NAME.fullmatch(cell) for cell in first]
        first = [name[1] for name in typed_names if name] if all(typed_names) else first
        if len(frame) == 1:
            raise DataError(f"{path.name} has a header but no rows", key=key)
        return frame[1:].reset_index(drop=True).set_axis(column_names(first, path.name, key), axis=1)
    if names and len(first) > len(names):
        text = f"{path.name} has no header and {len(first)} columns"
        raise DataError(text, f"a first line that names them, or {', '.join(names)} only", key)
    called = list(names) or [str(number) for number in range(1, len(first) + 1)]
    return frame.set_axis(called[: len(first)], axis=1)


def _separator(text: str, path: Path, key: str) -> str:
    lines = (line for line in text.splitlines() if line.strip() and not COMMENT.match(line))
    first = next(lines, None)
    if first is None:
        raise DataError(f"{path.name} is empty", key=key)
    found = next((each for each in SEPARATORS if each in first), None)
    if found is None:
        raise DataError(f"{path.name} has one column", f"columns between {', '.join(map(repr, SEPARATORS))}", key)
    return found


def values_of(column: pd.Series) -> pd.Series:
    """A column of texts as numbers, if all values are numbers; other columns stay as they are."""
    if not (column.dtype == object or isinstance(column.dtype, pd.StringDtype)):
        return column
    return typed(column.astype(str).where(column.notna(), ""))


def labels_of(column: pd.Series) -> pd.Series:
    """Ids as text: whole numbers without a point, missing ones as empty text."""

    def label(value: object) -> str:
        whole = isinstance(value, float) and value.is_integer()
        return str(int(value)) if whole else str(value).strip()  # type: ignore[call-overload]

    text = column.str.strip() if isinstance(column.dtype, pd.StringDtype) else column.astype(object).map(label)
    return text.where(column.notna(), "")
