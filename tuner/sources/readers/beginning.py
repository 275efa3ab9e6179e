"""Where the rows of a delimited file begin: after comments, blank lines and Excel's line `sep=;`."""

from __future__ import annotations

import csv
import io
import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from io import BufferedIOBase
from itertools import chain
from typing import NamedTuple

from tuner.errors import DataError
from tuner.sources.readers.encoding import decoded
from tuner.sources.readers.files import readline
from tuner.sources.readers.settings import Decimal

COMMENT = re.compile(r"#(?:[\s#!]|$)")  # and not a text that begins with a hashtag
DECLARED = re.compile(rb"(?:\xef\xbb\xbf)?sep=([,;\t|])[ \t]*(?:[\r\n]|$)")  # as Excel writes it
NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")


class Dialect(NamedTuple):
    """How a delimited file is written: what separates its cells, whether a cell may be `quoted` and then contain
    separators and line breaks (else a quote mark is an ordinary character), and the decimal sign of numbers."""

    separator: str
    quoted: bool = True
    decimal: Decimal = "."


class Row(NamedTuple):
    """A row's cells, the line at which it ends, and the bytes of UTF-8 from `start` to `end`."""

    cells: list[str]
    line: int
    start: int
    end: int


class Beginning(NamedTuple):
    """The first row of a file.

    Attributes:
        cells: of that row.
        start: bytes before the first row that is to be parsed.
        instead: bytes that are to be parsed first, a first row that is written differently.
        notes: what is left out.
    """

    cells: list[str]
    start: int
    instead: bytes
    notes: tuple[str, ...]


def beginning(file: BufferedIOBase, dialect: Dialect, where: str, key: str = "path") -> Beginning:
    """The first row; the file is at its start then. Raises `DataError`, also for a line that is too long."""
    file.seek(0)
    mark = len(BOM_UTF8) if readline(file, where).startswith(BOM_UTF8) else 0
    file.seek(0)
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")  # type: ignore[type-var]
    try:
        above, first = _begun(_parsed(text, dialect), dialect)
    except UnicodeDecodeError as error:
        file.seek(0)
        decoded(file.read(), where, key)
        raise AssertionError("bytes that are not UTF-8 were decoded") from error
    except csv.Error as error:
        raise DataError(f"{where} is not a readable table: {error}", key=key) from error
    finally:
        text.detach()
        file.seek(0)
    if not first:
        raise DataError(f"{where} is empty", "the first line names the columns", key)
    cells, comments = _cells(first), sum(bool(COMMENT.match(each.cells[0])) for each in above)
    notes = [f"{comments} lines of comments above the header are left out"] if comments > 1 else []
    notes += ["a line of comment above the header is left out"] if comments == 1 else []
    if blank := len(first[0].cells) - len(cells):
        names = ", ".join(f"Unnamed: {len(cells) + index}" for index in range(blank))
        notes.append(f"columns without a name and any value are left out: {names}")
        return Beginning(cells, mark + first[0].end, _written(cells, dialect), tuple(notes))
    return Beginning(cells, mark + first[0].start, b"", tuple(notes))


def rows_of(lines: Iterable[str], dialect: Dialect) -> Iterator[tuple[list[str], int]]:
    """The rows from the first, parsed by Python, which is slower than Arrow and knows the line at which each ends."""
    parsed = _parsed(lines, dialect)
    _, first = _begun(parsed, dialect)
    if first:
        yield _cells(first), first[0].line
    yield from ((row.cells, row.line) for row in chain(first[1:], parsed))


def declared_separator(file: BufferedIOBase) -> str | None:
    """The separator that the first line declares, as in `sep=;`."""
    file.seek(0)
    found = DECLARED.match(file.read(16))
    file.seek(0)
    return None if found is None else found[1].decode()


def _parsed(lines: Iterable[str], dialect: Dialect) -> Iterator[Row]:
    """All rows but blank ones."""
    start = end = 0

    def counted() -> Iterator[str]:
        nonlocal end
        for line in lines:
            end += len(line.encode())
            yield line

    reader = csv.reader(
        counted(), delimiter=dialect.separator, quoting=csv.QUOTE_MINIMAL if dialect.quoted else csv.QUOTE_NONE
    )
    for row in reader:
        if row and (len(row) > 1 or not row[0] or row[0].strip()):
            yield Row(row, reader.line_num, start, end)
        start = end


def _begun(parsed: Iterator[Row], dialect: Dialect) -> tuple[list[Row], list[Row]]:
    """What stands above the first row, and that row and the next, as far as there are any.

    A line is a comment if it begins with # and a blank, and the row below is a header, or has not as many cells: else
    it is a header itself, as NumPy writes it."""
    above: list[Row] = []
    row = next(parsed, None)
    if row is not None and DECLARED.match(dialect.separator.join(row.cells).encode()):
        above, row = [row], next(parsed, None)
    comments = []
    while row is not None and COMMENT.match(row.cells[0]):
        comments.append(row)
        row = next(parsed, None)
    below = [each for each in (row, next(parsed, None)) if each is not None]
    named = bool(below) and not any(NUMBER.fullmatch(cell.strip()) for cell in below[0].cells)
    if below and all(named or len(each.cells) != len(below[0].cells) for each in comments):
        return above + comments, below
    return above, comments + below


def _cells(first: list[Row]) -> list[str]:
    """The cells of the first row, without empty ones at its end that the second row does not have."""
    cells = first[0].cells
    width = len(first[1].cells) if len(first) > 1 else len(cells)
    return cells[:width] if not any(cell.strip() for cell in cells[width:]) else cells


def _written(cells: list[str], dialect: Dialect) -> bytes:
    if not dialect.quoted:
        return (dialect.separator.join(cells) + "\n").encode()
    text = io.StringIO()
    csv.writer(text, delimiter=dialect.separator, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()
