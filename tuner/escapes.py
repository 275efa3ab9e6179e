"""Words of data made harmless for what shows them: a terminal, a spreadsheet, Markdown."""

from __future__ import annotations

import re
from contextlib import suppress

# what moves a cursor, sets a title, hides or turns text; a line's end and a tab are kept
HIDDEN = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # with which a cell begins that a spreadsheet computes
MARKDOWN = re.compile(r"([\\`*\[\]|])")


def visible(text: str) -> str:
    """Every control character as \\u001b and the like, as JSON writes it too."""
    return HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def cell(value: object) -> object:
    """A value for CSV: a text that a spreadsheet would compute begins with an apostrophe; numbers stay numbers."""
    if not isinstance(value, str):
        return value
    text = visible(value)
    if not text.startswith(FORMULA):
        return text
    with suppress(ValueError):
        float(text)
        return text
    return f"'{text}"


def markdown(text: str) -> str:
    """A text as it stands, in one line."""
    plain = visible(" ".join(text.split("\n")))
    return MARKDOWN.sub(r"\\\1", plain).replace("&", "&amp;").replace("<", "&lt;")
