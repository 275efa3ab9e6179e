"""Delimited text (CSV, TSV and their kin), parsed by Arrow: every row is as wide as the first, every cell is a text."""

from __future__ import annotations

import io
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BufferedIOBase
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from tuner.errors import DataError
from tuner.process import allow_long_cells
from tuner.sources.readers.beginning import Beginning, Dialect, beginning, rows_of
from tuner.sources.readers.encoding import decoded
from tuner.sources.readers.files import LONGEST_LINE

BLOCK = 1 << 20  # bytes that are parsed at once
LOOK = 1 << 14  # the same for a first look
TOO_LONG = ("straddling", "Empty CSV file or block", "Could not skip")  # Arrow's words for a row beyond a block
BLANK = " \t\r\n"
CLOSE = 'close it; inside quotes, write ""; a text whose lines look like rows has to be on one line'

Result = TypeVar("Result")

allow_long_cells()  # for every reader of the sources


class UnevenRows(DataError):
    """A row has more or fewer fields than the first."""


class LongRow(Exception):
    """A row is longer than a block."""


class _Watched(io.RawIOBase):
    """A file for Arrow from its first row on, whose background thread can be stopped from reading on.

    It refuses NUL bytes, keeps CR LF in one block, adds a missing line end at the end of the file, and remembers the
    last character."""

    def __init__(self, file: BufferedIOBase, first: Beginning) -> None:
        self.file, self.last, self._held, self._over = file, b"", first.instead, False
        self._lock = threading.Lock()
        file.seek(first.start)

    def readable(self) -> bool:
        return True

    def stop(self) -> None:
        """End: a read under way finishes, and later ones give nothing, so that the file can be read anew."""
        with self._lock:
            self._over = True

    def read(self, size: int = -1) -> bytes:
        with self._lock:
            if self._over:
                return b""
            block = self._held + self.file.read(size - len(self._held) if size > 0 else size)
            if 0 < len(block) < size:
                more = self.file.read(1)
                block += more or (b"" if block.endswith((b"\n", b"\r")) else b"\n")
            if block.endswith(b"\r") and len(block) > 1:
                block, self._held = block[:-1], b"\r"
            else:
                self._held = b""
        if b"\0" in block:
            raise pa.ArrowInvalid("NUL")
        self.last = block.rstrip()[-1:] or self.last
        return block


def read(file: BufferedIOBase, dialect: Dialect, where: str, key: str = "path", rows: int | None = None) -> pa.Table:
    """All rows, the first included, or the first `rows` of them; every cell is a text.

    Args:
        file: bytes of UTF-8 that can be read twice.
        where: what errors call the file; `key` is the setting that names it.

    Raises:
        UnevenRows: a row is shorter or longer than the first.
        DataError: it is empty, is not text, or a quote mark is not closed.
    """

    def whole(block: int) -> pa.Table:
        found: list[pa.RecordBatch] = []
        for batch in batches(file, dialect, where, key, block=block):
            found.append(batch)
            if rows is not None and sum(each.num_rows for each in found) >= rows:
                break
        return pa.Table.from_batches(found).slice(0, rows)

    return with_growing_blocks(whole, BLOCK if rows is None else LOOK)


def with_growing_blocks(read: Callable[[int], Result], block: int | None = None) -> Result:
    """What `read` returns for blocks of so many bytes, or of more where a row is longer than a block."""
    block = block or BLOCK
    try:
        return read(block)
    except LongRow:
        return with_growing_blocks(read, min(64 * block, LONGEST_LINE))


# parameters: the file and what errors call it, how it is written, which columns are wanted, and how much at once
def batches(
    file: BufferedIOBase, dialect: Dialect, where: str, key: str = "path", *,
    block: int, only: Sequence[int] | None = None,
) -> Iterator[pa.RecordBatch]:  # fmt: skip
    """Read a delimited file in batches of rows, the header row included.

    Args:
        file: UTF-8 bytes; must be seekable.
        dialect: separator and quoting.
        where, key: name of the file and of the setting, for errors.
        block: bytes parsed at once.
        only: positions of the columns to read; None: all.

    Raises:
        UnevenRows: a row has more or fewer fields than the first.
        LongRow: a row is longer than `block`.
        DataError: the file is empty or not text, or a quote mark is not closed.
    """
    first = beginning(file, dialect, where, key)
    watched, names = _Watched(file, first), [f"f{index}" for index in range(len(first.cells))]
    options = pyarrow.csv.ReadOptions(use_threads=False, autogenerate_column_names=True, block_size=block)
    parsing = pyarrow.csv.ParseOptions(
        delimiter=dialect.separator,
        quote_char='"' if dialect.quoted else False,
        newlines_in_values=dialect.quoted,
        invalid_row_handler=lambda row: "skip" if row.actual_columns == 1 and not row.text.strip(BLANK) else "error",
    )
    as_text = pyarrow.csv.ConvertOptions(
        strings_can_be_null=False,
        column_types=dict.fromkeys(names, pa.string()),
        include_columns=[names[index] for index in (range(len(names)) if only is None else only)],
    )
    last = failed = None
    try:
        with pyarrow.csv.open_csv(watched, options, parsing, as_text) as stream:
            for batch in stream:
                last = batch if batch.num_rows else last
                yield batch
    except pa.ArrowException as error:
        failed = error
    finally:
        watched.stop()
    if failed is not None and block < LONGEST_LINE and any(words in str(failed) for words in TOO_LONG):
        raise LongRow from failed
    if failed is not None:
        raise _explained(failed, file, dialect, where, key) from failed
    if (
        only is None
        and dialect.quoted
        and last is not None
        and watched.last != b'"'
        and "\n" in last.columns[-1][-1].as_py()
    ):
        (_, before), (row, _) = deque([([], 0), *_by_line(file, dialect, where, key)], maxlen=2)
        raise DataError(f"{where}, line {before + 1}: {_open(len(row) - 1, row[-1])}", CLOSE, key)


def check_quotes(
    columns: Iterable[pa.ChunkedArray], file: BufferedIOBase, dialect: Dialect, where: str, key: str
) -> None:
    """Raise `DataError` for a quote mark that is left open by mistake, so that several rows become one cell: without
    it, each of its lines would have as many fields as a row."""
    if not any(pc.any(pc.match_substring(column, "\n")).as_py() for column in columns):
        return
    before = 0
    for row, line in _by_line(file, dialect, where, key):
        for index, cell in enumerate(row if line > before + 1 else ()):
            lines = cell.replace("\r\n", "\n").split("\n")
            others = [each.count(dialect.separator) for each in lines]
            others[0] += index
            others[-1] += len(row) - 1 - index
            if len(lines) > 1 and {*others} == {len(row) - 1}:
                raise DataError(f"{where}, line {before + 1}: {_open(index, cell)}", CLOSE, key)
        before = line


def _by_line(file: BufferedIOBase, dialect: Dialect, where: str, key: str) -> Iterator[tuple[list[str], int]]:
    file.seek(0)
    return rows_of(io.StringIO(decoded(file.read(), where, key), newline=""), dialect)


def _explained(error: Exception, file: BufferedIOBase, dialect: Dialect, where: str, key: str) -> DataError:
    """The error in the user's words: what is not UTF-8, or the line of the first row of another width, and of the open
    quote mark that made several lines one row."""
    width = before = 0
    for row, line in _by_line(file, dialect, where, key):
        width = width or len(row)
        wrong = enumerate(row if len(row) != width else ())
        if (broken := next((index for index, cell in wrong if "\n" in cell), None)) is not None:
            return UnevenRows(f"{where}, line {before + 1}: {_open(broken, row[broken])}", CLOSE, key)
        if len(row) != width:
            text = f"{where} is not a readable table: line {line} has {len(row)} fields, and the first {width}"
            return UnevenRows(text, _hint(len(row) < width, dialect.separator), key)
        before = line
    return DataError(f"{where} is not a readable table: {' '.join(str(error).split())}", key=key)


def _open(index: int, cell: str) -> str:
    return f"the quote mark of field {index + 1} is not closed: {cell.partition(chr(10))[0].strip()[:60]!r}"


def _hint(short: bool, separator: str) -> str:
    if short:
        return f"a missing value is an empty field, as in a{separator}{separator}c"
    return f"name every column, quote a text that holds {separator!r}, and end no row with it"
