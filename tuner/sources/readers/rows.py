"""Checks the text of a table before pandas reads it: every row is as wide as the first."""

from __future__ import annotations

import csv
from io import BufferedIOBase
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tuner.errors import DataError
from tuner.process import allow_long_cells
from tuner.sources.readers.files import readline

BLOCK = 1 << 20  # bytes
MOST_COLUMNS = 100_000  # each takes 0.5 ms
QUOTE, NEWLINE = b'"\n'
Codes: TypeAlias = NDArray[np.uint8]
Places: TypeAlias = NDArray[np.int64]

allow_long_cells()  # for every reader of the sources


def check_width(columns: int, where: str) -> None:
    """Raise `DataError` if the table has too many columns: each is read separately."""
    if columns > MOST_COLUMNS:
        text = f"{where} has {columns:,} columns, and a table may have {MOST_COLUMNS:,}"
        raise DataError(text, "save the features as one array: dataset: {name: arrays, path: FILE.npz}", "path")


def check_rows(file: BufferedIOBase, separator: str, where: str, key: str = "path", *, quoted: bool = True) -> None:
    """Refuse what pandas would fill in or swallow: a row shorter than the first, and the lines up to the next quote
    mark behind one that is open, whatever the columns are for. Raises `DataError` with `key`."""
    width = before = 0
    while block := file.read(BLOCK):
        if b"\0" not in block:
            block += readline(file, where)
        if b"\0" in block:  # pandas would cut the cell there
            raise DataError(f"{where} holds NUL bytes, so it is not a CSV file", key=key)
        block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in block else block
        block += b"" if block.endswith(b"\n") else b"\n"
        codes = np.frombuffer(block, dtype=np.uint8)
        ends = np.flatnonzero(codes == NEWLINE)
        starts = np.append(0, ends[:-1] + 1)
        cuts = np.flatnonzero(codes == ord(separator))
        odd: Places = np.empty(0, dtype=np.int64)
        if quoted and QUOTE in block:
            cuts, odd = _unquoted(codes, cuts, ends)
        fields = np.diff(np.searchsorted(cuts, ends), prepend=0) + 1
        for place in odd:
            line = block[starts[place] : ends[place]].decode(errors="replace").removeprefix("\ufeff")
            fields[place] = _parsed(line, separator, f"{where}, line {before + place + 1}", key)
        for place in np.flatnonzero(fields != width):
            if fields[place] == 1 and not block[starts[place] : ends[place]].strip(b" \t"):
                continue  # as pandas does
            width = width or int(fields[place])
            if fields[place] != width:
                line = f"line {before + place + 1} has {fields[place]} fields, and the first {width}"
                raise DataError(
                    f"{where} is not a readable table: {line}", _cure(fields[place] < width, separator), key
                )
        before += len(ends)


def _unquoted(codes: Codes, cuts: Places, ends: Places) -> tuple[Places, Places]:
    """Positions of the separators outside of quotes, and the lines that need the slow parser: those with an open quote
    mark, or with one inside a cell."""
    passed = np.cumsum(codes == QUOTE, dtype=np.int32)
    marks, first = np.flatnonzero(codes == QUOTE), np.append(0, passed[ends[:-1]])
    counts = passed[ends] - first
    line = np.repeat(np.arange(len(ends)), counts)
    before = np.append(NEWLINE, codes)[marks]
    inner = (before != NEWLINE) & (before != QUOTE) & (before != (codes[cuts[0]] if len(cuts) else NEWLINE))
    odd = counts % 2 == 1
    odd[line[inner & ((passed[marks] - first[line]) % 2 == 1)]] = True
    outside = (passed[cuts] - first[np.searchsorted(ends, cuts)]) % 2 == 0
    return cuts[outside], np.flatnonzero(odd)


def _cure(short: bool, separator: str) -> str:
    if short:
        return f"a missing value is an empty field, as in a{separator}{separator}c"
    return f"name every column, quote a text that holds {separator!r}, and end no row with it"


def _parsed(line: str, separator: str, where: str, key: str) -> int:
    """How many fields the line has. Raises `DataError` if a quote mark is not closed."""
    reader = csv.reader([f"{line}\n", ""], delimiter=separator)
    fields = next(reader)
    if reader.line_num > 1:
        text = f"{where}: the quote mark of field {len(fields)} is not closed: {fields[-1].strip()[:60]!r}"
        cure = 'close it on its line: no text of a table may have a line break; inside quotes, write ""'
        raise DataError(text, cure, key)
    return len(fields)
