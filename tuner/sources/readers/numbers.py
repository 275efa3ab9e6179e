"""Columns of texts as numbers, where they are numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tuner.errors import DataError
from tuner.sources.readers.columnar import narrowed
from tuner.sources.readers.settings import Decimal

MISSING = frozenset(  # in small letters, in a column that otherwise holds numbers: those of pandas and Arrow, and more
    {"", "na", "nan", "-nan", "n/a", "<na>", "#na", "#n/a", "#n/a n/a", "null", "none", "nat", "?",
     "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"}
)  # fmt: skip
EXACT = 2**53  # integers from here on are rounded in float64
CODE = r"^[+-]?0\d|^\d+[eE]\d+$"  # in a cell that may be a number, but of which the letters count
DECIMAL_COMMA = r"^[+-]?(\d{1,3}(\.\d{3})+|\d+)?(,\d+)?([eE][+-]?\d+)?$"  # with a point between thousands
CELLS = 1_000_000  # as float64 until they are narrowed


class NumberColumns:
    """Columns that are read as numbers as long as every cell is one, or plainly missing.

    Attributes:
        blocks: by the position of the column, its numbers (n,) so far, part by part: float32, or float64 where that
            would round them too coarsely. A column with any other cell is taken out, and so is one whose integers
            float64 would round: it has to be read as a whole.
    """

    def __init__(self, places: Iterable[int], decimal: Decimal = ".") -> None:
        self._decimal = decimal
        self.blocks: dict[int, list[NDArray[Any]]] = {index: [] for index in places}
        self._wide: dict[int, list[NDArray[np.float64]]] = {index: [] for index in self.blocks}  # not yet narrowed
        self._cells = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Read the next rows."""
        places = list(self.blocks)
        for index, values in zip(
            places, numbers([batch.column(index) for index in places], self._decimal), strict=True
        ):
            if values is None or values.dtype != np.float64:
                del self.blocks[index], self._wide[index]
            else:
                self._wide[index].append(values)
        self._cells += batch.num_rows * len(self.blocks)
        if self._cells >= CELLS:
            self._narrow()

    def _narrow(self) -> None:
        for index, parts in self._wide.items():
            if parts:
                self.blocks[index].append(narrowed(np.concatenate(parts)))
                parts.clear()
        self._cells = 0

    def take(self) -> dict[int, NDArray[Any]]:
        """The columns (N,) in which some value is known; the blocks are given up."""
        self._narrow()
        whole = {index: np.concatenate(self.blocks.pop(index)) for index in list(self.blocks)}
        return {index: values for index, values in whole.items() if not np.isnan(values).all()}


def numbers(columns: Sequence[pa.Array], decimal: Decimal = ".") -> list[NDArray[Any] | None]:
    """Each column of texts as float64 (n,), NaN where it is plainly missing, or as 64-bit integers where float64 would
    round them; None where a cell is not a number. All columns at once, or else by halves."""
    if not columns:
        return []
    try:
        found = _floats(pa.concat_arrays(columns), decimal).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        half = len(columns) // 2
        return [*numbers(columns[:half], decimal), *numbers(columns[half:], decimal)] if half else [None]
    return [_exact(cells, values) for cells, values in zip(columns, found.reshape(len(columns), -1), strict=True)]


def _exact(cells: pa.Array, values: NDArray[np.float64]) -> NDArray[Any]:
    """The integers that the cells hold, where float64 may have rounded them; else the values."""
    if len(values) and np.abs(values).max() >= EXACT:
        for kind in (pa.int64(), pa.uint64()):
            with suppress(pa.ArrowInvalid):
                return np.asarray(pc.cast(pc.utf8_trim_whitespace(cells), kind))
    return values


def _floats(cells: Any, decimal: Decimal) -> Any:
    """Texts as float64, null where plainly missing. Raises `ArrowInvalid` where one is not a number."""
    cells = pc.utf8_trim_whitespace(cells)
    absent = pc.is_in(pc.utf8_lower(cells), pa.array(sorted(MISSING)))
    if decimal == ",":
        if not pc.all(pc.or_kleene(absent, pc.match_substring_regex(cells, DECIMAL_COMMA))).as_py():
            raise pa.ArrowInvalid("not a number with a decimal comma")
        cells = pc.replace_substring(pc.replace_substring(cells, ".", ""), ",", ".")
    found = pc.cast(pc.if_else(absent, None, cells), pa.float64())
    if pc.any(pc.is_nan(found)).as_py():  # such as nan(1), which pandas takes for a text
        raise pa.ArrowInvalid("not a number")
    return found


def numbers_of(column: pd.Series, where: str, key: str | None, hint: str) -> NDArray[Any]:
    """The column (N,) as float64, or as the float32 that it is; NaN where it is missing. Raises `DataError` naming the
    first value that is not a number."""
    if column.dtype == np.float32:
        return column.to_numpy()
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = next((index for index, value in enumerate(column) if not _is_number(value)), None)
    if wrong is None:  # as decimals in a Parquet file
        return np.asarray(pd.to_numeric(column.astype(str), errors="coerce"), dtype=np.float64)
    held = f"holds {str(column.iloc[wrong])!r}, which is not a number"
    text = f"{where}: column '{column.name}' of data row {wrong + 1} {held}"
    raise DataError(text, hint, key)


def typed(column: pd.Series, decimal: Decimal = ".", *, label: bool = False) -> pd.Series:
    """Text as numbers where every value is one (or plainly missing); else as it stands, empty as missing. In a column
    of `label`s, such as of groups, 01 and 1 are two. If one word for missing is all that it holds, all is missing."""
    text = column.str.strip()
    absent = text.str.lower().isin(MISSING)
    if absent.all() and not label and text[text != ""].nunique() == 1:
        return text.where(~absent, None).astype(object)
    if not absent.all() and not (label and text.str.contains(CODE).any()):
        with suppress(pa.ArrowInvalid):
            _floats(pa.array(text, type=pa.string()), decimal)
            plain = text if decimal == "." else text.str.replace(".", "").str.replace(",", ".")
            numbers = pd.to_numeric(plain.where(~absent))
            return numbers.astype(float) if numbers.dtype == object else numbers  # integers beyond 64 bits
    return text.where(text != "", None).astype(object)


def _is_number(value: object) -> bool:
    absent = value is None or str(value).strip().lower() in MISSING
    return absent or not np.isnan(pd.to_numeric(str(value), errors="coerce"))
