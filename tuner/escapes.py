"""Escapes text from data for a terminal, a spreadsheet and Markdown, so that it is shown and never executed."""

from __future__ import annotations

import re
from contextlib import suppress

# control characters, which move the cursor or set colours and titles (all but line feed and tab); characters that
# change the direction of text, break lines or have no width; and surrogates, which stand for bytes that are not UTF-8
HIDDEN = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\xad\\u061c\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060\\u2066-\\u2069"
    "\\ud800-\\udfff\\ufeff]"
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a cell that begins so is a formula for a spreadsheet
LONGEST = 200
MARKDOWN = re.compile(r"([\\`*\[\]|])")


def visible(text: str) -> str:
    """Text with every `HIDDEN` character written as \\u001b and the like, which is valid inside JSON too."""
    return HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def line(text: str) -> str:
    """Visible text in one line: a line break is written as \\n, so that no name from data begins a line."""
    return visible(text).replace("\n", "\\n")


def shortened(name: str) -> str:
    """A name for an error message, cut off after `LONGEST` letters."""
    return name if len(name) <= LONGEST else f"{name[:LONGEST]}…"


def cell(value: object) -> object:
    """A value for a CSV cell: text that a spreadsheet would take for a formula gets an apostrophe in front."""
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
    """Text for Markdown, escaped and in one line."""
    plain = visible(" ".join(text.split("\n")))
    return MARKDOWN.sub(r"\\\1", plain).replace("&", "&amp;").replace("<", "&lt;")
