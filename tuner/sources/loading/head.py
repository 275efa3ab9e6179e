"""The first look at a file or folder, from which each source tells whether it would read it."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from tuner.sources.readers.files import IMAGES, inside
from tuner.sources.readers.frames import TABLES, TYPED
from tuner.sources.readers.lines import lines_of, text_frame

LOOKED_AT = 5000  # lines, as files are often sorted, the shortest text first
WORDS = 1.3  # of a cell on average: what has more, and hardly ever the same, is a text
CERTAIN = 5
FIRST = 200  # rows in which numbers with a decimal comma are looked for
COMMA, POINT = r"[+-]?[\d.]*\d,(\d{1,2}|\d{4,})", r"[+-]?[\d,]*\d\.(\d{1,2}|\d{4,})"


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
        self.table = not self.folder and self.suffix in TABLES
        self.typed = self.suffix in TYPED

    @cached_property
    def has_images(self) -> bool:
        """Whether an image is anywhere in a folder."""
        return any(each.suffix.lower() in IMAGES for each in inside(self.path) if not each.is_dir())

    @cached_property
    def lines(self) -> list[str]:
        """The first lines of a file that is no table; none of a folder. Raises `DataError` for what is no text."""
        return [] if self.folder or self.table else lines_of(self.path, first=LOOKED_AT)

    @cached_property
    def separated(self) -> dict[str, str]:
        """The separator of a CSV, unless it is the usual one."""
        if self.typed:
            return {}
        lines, usual = lines_of(self.path, first=LOOKED_AT), "\t" if ".tsv" in self.path.name.lower() else ","
        first = next((line for line in lines if line.strip()), "")
        found = None if usual in first else next((sign for sign in ";\t|" if sign in first), None)
        return {"separator": found} if found else {}

    @cached_property
    def delimited(self) -> dict[str, str]:
        """The separator and the decimal sign of a CSV, unless they are the usual ones."""
        cells = self.frame.iloc[1:FIRST].stack().str.strip() if self.table and not self.typed else pd.Series(dtype=str)
        comma, point = cells.str.fullmatch(COMMA).any(), cells.str.fullmatch(POINT).any()
        return {**self.separated, **({"decimal": ","} if comma and not point else {})}

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The first rows of a table, all as texts; the first of them may be the header."""
        return text_frame(self.path, self.separated.get("separator"), (), (), LOOKED_AT)

    @cached_property
    def columns(self) -> dict[str, str]:
        """The columns of a table: their names in small letters, and as they are written."""
        names = self.frame.iloc[0] if list(self.frame.columns)[:1] == ["1"] else self.frame.columns
        return {str(name).lower().strip(): str(name) for name in names}

    @cached_property
    def free_text(self) -> tuple[bool, ...]:
        """Whether the cells of the first two columns are texts, not names of classes."""
        return tuple(_is_free_text(self.frame.iloc[1:, index]) for index in range(min(2, len(self.frame.columns))))


def _is_free_text(column: pd.Series) -> bool:
    counts = [len(str(cell).split()) for cell in column]
    return sum(counts) >= WORDS * len(counts) and column.nunique() > len(counts) / 2
