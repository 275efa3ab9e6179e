"""Text files as UTF-8, in whatever encoding they are written."""

from __future__ import annotations

import codecs
import io
import re
from io import BufferedIOBase

from tuner.errors import DataError

MARKS = (  # byte order marks; that of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
WESTERN = "cp1252"  # Windows' superset of Latin-1
ACCENTED, RUN = re.compile(rb"[\x80-\xff]"), re.compile(rb"[\x80-\xff]{3,}")
OTHERS = "the encoding in which it is saved, such as cp1252, cp1251 or shift_jis"


def known(encoding: str) -> str:
    """The name of an encoding that Python knows. Raises `ValueError`."""
    try:
        "".encode(encoding)
    except LookupError:
        raise ValueError("unknown encoding; known are utf-8, utf-16, cp1252, latin-1, shift_jis and others") from None
    return encoding


def as_utf8(file: BufferedIOBase, where: str, key: str, encoding: str | None = None) -> BufferedIOBase:
    """The file itself, or a copy in UTF-8 if it is written in another encoding: the one that is named, or that of the
    byte order mark at its start. Raises `DataError` for bytes that are none of this encoding."""
    start = file.read(4)
    file.seek(0)
    encoding = encoding or next((name for mark, name in MARKS if start.startswith(mark)), None)
    if encoding is None or codecs.lookup(encoding).name in ("utf-8", "utf-8-sig"):
        return file
    return io.BytesIO(decoded(file.read(), where, key, encoding).encode())


def decoded(raw: bytes, where: str, key: str = "path", encoding: str = "utf-8-sig") -> str:
    """Bytes as text, a byte order mark taken off. Raises `DataError` with the first byte that is wrong."""
    try:
        text = raw.decode(encoding)
    except UnicodeError as error:
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        line = raw[:start].count(b"\n") + 1
        called, hint = encoding.upper(), "dataset.encoding: " + OTHERS
        if encoding == "utf-8-sig":
            called, hint = "UTF-8", f"dataset.encoding: {probable(raw) or OTHERS}; or save it as UTF-8"
        raise DataError(f"{where} is not {called} (byte {start}, line {line})", hint, key) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise DataError(f"{where} holds NUL bytes (line {line}), so it is not text", key=key)
    return text.removeprefix("\ufeff")


def probable(raw: bytes) -> str | None:
    """The encoding of western languages, if these bytes are not UTF-8 and look like it: letters with accents stand
    alone among others, as they do not in Cyrillic, Greek or Chinese."""
    if any(raw.startswith(mark) for mark, _ in MARKS):
        return None
    try:
        codecs.getincrementaldecoder("utf-8")().decode(raw)  # a letter may be cut off at the end
        return None
    except UnicodeDecodeError:
        pass
    accented, in_runs = len(ACCENTED.findall(raw)), sum(map(len, RUN.findall(raw)))
    if not accented or 2 * in_runs >= accented:
        return None
    try:
        raw.decode(WESTERN)
    except UnicodeDecodeError:
        return None
    return WESTERN
