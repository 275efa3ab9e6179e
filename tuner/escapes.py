"""Escapes text from data for a terminal, a spreadsheet and Markdown, so that it is shown and never executed."""

from __future__ import annotations

import re
from contextlib import suppress

# control characters, which move the cursor or set colours and titles, and those that change the direction of text; all
# but line feed and tab
HIDDEN = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a cell that begins so is a formula for a spreadsheet
MARKDOWN = re.compile(r"([\\`*\[\]|])")


def visible(text: str) -> str:
    """Text with every control character written as \\u001b and the like, which is valid inside JSON too."""
    return HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


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
