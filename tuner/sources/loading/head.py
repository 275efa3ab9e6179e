"""The first look at a file or folder, from which each source tells whether it would read it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from tuner.data.levels import levels_of
from tuner.errors import DataError
from tuner.sources.columns.moments import moments
from tuner.sources.columns.written import as_written
from tuner.sources.readers.beginning import COMMENT, DECLARED, NUMBER
from tuner.sources.readers.encoding import probable
from tuner.sources.readers.files import IMAGES, inside, reading
from tuner.sources.readers.frames import TABLES, TYPED
from tuner.sources.readers.lines import lines_of, text_frame
from tuner.sources.readers.numbers import MISSING

LOOKED_AT = 5000  # lines, as files are often sorted, the shortest text first
WORDS = 1.3  # of a cell on average: what has more, and hardly ever the same, is a text
CERTAIN = 5
FIRST = 200  # rows in which numbers are looked for
PLAIN_TEXT = ("", ".txt", ".dat", ".data", ".text")
ENOUGH = 2**18  # bytes in which an encoding shows
SEPARATORS = "\t;|,"
DIGITS = r"(\d{1,2}|\d{4,}|\d+[eE][+-]?\d+)"  # three may be a thousand
COMMA, POINT = rf"[+-]?[\d.]*\d,{DIGITS}", rf"[+-]?[\d,]*\d\.{DIGITS}"
LEADING = r"[+-]?0,\d+"  # which no sign between thousands can follow
GROUPED = r"[+-]?[1-9]\d{0,2}\.\d{3}"  # a decimal point, or one between thousands
THOUSANDS = r"[+-]?([1-9]\d{0,2}(,\d{3})+|\d{1,3})"  # or three digits behind a decimal comma


class Sniffed(NamedTuple):
    """How a source would read a file: its settings other than `name`, `path` and `target`, and what it assumes.
    `confidence` is from 1 (it can be read so) to `CERTAIN`; the source with the highest one reads the file."""

    confidence: int
    settings: dict[str, Any] = {}  # noqa: RUF012  # never changed
    assumed: str | None = None


class Head:
    """The beginning of a file, read once for all sources, as far as they ask for it."""

    def __init__(self, path: Path, target: str | None) -> None:
        self.path, self.target = path, target
        self.folder = path.is_dir()
        self.name = path.name.lower().removesuffix(".gz")
        inner = path.with_suffix("").suffix if path.suffix == ".gz" else ""
        self.suffix = (inner or path.suffix).lower()
        self.typed = self.suffix in TYPED

    @cached_property
    def table(self) -> bool:
        """Whether it is a table: its name says so, or each line has as many cells, below a line of names, also if these
        lack one, as of R's row names, or stand between spaces."""
        return not self.folder and (self.suffix in TABLES or (self.suffix in PLAIN_TEXT and self._tabular()))

    def _tabular(self) -> bool:
        lines = [line for line in lines_of(self.path, first=FIRST, encoding=self._encoding) if line.strip()]
        for sign in (*SEPARATORS, " "):
            with suppress(csv.Error):
                parsed = csv.reader(lines, delimiter=sign, skipinitialspace=True)
                rows = [[cell.strip() for cell in row] for row in parsed]
                names, widths = rows[0], {len(row) for row in rows[1:]}
                if len(rows) > 2 < len(names) and len(widths) == 1 and min(widths) >= len(names) and all(names[1:]):
                    columns = zip(*rows[1:], strict=True)
                    return not any(map(NUMBER.fullmatch, names)) and any(map(_are_numbers, columns))
        return False

    @cached_property
    def has_images(self) -> bool:
        """Whether an image is anywhere in a folder."""
        return any(each.suffix.lower() in IMAGES for each in inside(self.path) if not each.is_dir())

    @cached_property
    def lines(self) -> list[str]:
        """The first lines of a file that is no table; none of a folder. Raises `DataError` for what is no text."""
        return [] if self.folder or self.table else lines_of(self.path, first=LOOKED_AT, encoding=self._encoding)

    @cached_property
    def _encoding(self) -> str | None:
        """The probable encoding of a text file that is not UTF-8."""
        if self.folder or self.typed:
            return None
        with reading(self.path) as file:
            return probable(file.read(ENOUGH))

    @cached_property
    def encoded(self) -> dict[str, str]:
        """The encoding of a text file, unless it is UTF-8."""
        return {"encoding": self._encoding} if self._encoding else {}

    @cached_property
    def separated(self) -> dict[str, str]:
        """The encoding and the separator of a CSV, unless they are the usual ones."""
        if self.typed:
            return {}
        lines = lines_of(self.path, first=LOOKED_AT, encoding=self._encoding)
        usual = "\t" if ".tsv" in self.path.name.lower() else ","
        first = next((line for line in lines if line.strip() and not COMMENT.match(line)), "")
        known = usual in first or DECLARED.match(first.encode())
        found = None if known else next((sign for sign in ";\t|" if sign in first), None)
        return {**self.encoded, **({"separator": found} if found else {})}

    @cached_property
    def delimited(self) -> dict[str, str]:
        """The encoding, the separator and the signs in numbers of a CSV, unless they are the usual ones."""
        if not self.table or self.typed:
            return self.separated
        cells = self.frame.iloc[1:FIRST].map(str.strip).replace("", None)
        known = cells.stack()
        point = known.str.fullmatch(POINT).any()
        texts = (cells[name].dropna().str for name in cells)
        grouped = any(each.fullmatch(GROUPED).any() and not each.contains(",").any() for each in texts)
        comma = known.str.fullmatch(COMMA).any() or known.str.fullmatch(LEADING).any()
        german = self.separated.get("separator") == ";"  # as where commas are decimal, and points between thousands
        if comma and not point and (german or not grouped):
            return {**self.separated, "decimal": ","}
        usual = self.separated.get("separator") is None and not comma
        return {**self.separated, **({"thousands": ","} if usual and _all(cells, THOUSANDS) else {})}

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The first rows of a table, all as texts; the first of them may be the header."""
        return text_frame(self.path, self.separated.get("separator"), (), (), first=LOOKED_AT, encoding=self._encoding)

    @property
    def headed(self) -> pd.DataFrame:
        """The first rows of a table below its header, all as texts."""
        if list(self.frame.columns)[:1] != ["1"]:  # a typed file says what its columns are called
            return self.frame
        names = [str(cell).strip() for cell in self.frame.iloc[0]]
        return self.frame.iloc[1:].reset_index(drop=True).set_axis(names, axis=1)

    @cached_property
    def columns(self) -> dict[str, str]:
        """The columns of a table: their names in small letters, and as they are written."""
        return {str(name).lower().strip(): str(name) for name in self.headed.columns}

    @cached_property
    def free_text(self) -> tuple[bool, ...]:
        """Whether the cells of the first two columns are texts, not names of classes, dates or numbers."""
        return tuple(_is_free_text(self.frame.iloc[1:, index]) for index in range(min(2, len(self.frame.columns))))


def _all(cells: pd.DataFrame, pattern: str) -> bool:
    """Whether all known cells of some column are written so, commas among them."""
    columns = (cells[name].dropna().str for name in cells)
    return any(column.contains(",").any() and column.fullmatch(pattern).all() for column in columns)


def _are_numbers(cells: Sequence[str]) -> bool:
    """Whether all known cells are numbers, and some are known."""
    known = [cell for cell in cells if cell.lower() not in MISSING]
    return bool(known) and all(map(NUMBER.fullmatch, known))


def _is_free_text(column: pd.Series) -> bool:
    counts = [len(str(cell).split()) for cell in column]
    return (
        sum(counts) >= WORDS * len(counts) and column.nunique() > len(counts) / 2 and not _are_dates_or_numbers(column)
    )


def _are_dates_or_numbers(column: pd.Series) -> bool:
    """Whether a table would read the texts as dates or numbers, or refuse them as such."""
    try:
        return moments(*levels_of(column), "") is not None or bool(as_written(column.to_frame("x"), ["x"], "")[1])
    except DataError:
        return True
