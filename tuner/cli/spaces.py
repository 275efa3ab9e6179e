"""Finds the shipped search spaces, and the experiment file that a word on the command line names."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from tuner.errors import UsageError, closest, did_you_mean
from tuner.escapes import shortened


def shipped() -> dict[str, Path]:
    """The shipped spaces by name: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    folder = next(f for f in (package / "search_spaces", package.parent / "search_spaces") if f.is_dir())
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def find(word: str) -> Path:
    """The file of that name; if there is none, or only a folder, the shipped space of that name."""
    path = Path(word)
    if os.path.exists(path) and not (path.is_dir() and word in shipped()):
        return path
    if word not in shipped() and (path.suffix or len(path.parts) > 1):
        there: list[str] = []
        with suppress(OSError):
            there = [each.name for each in path.parent.iterdir()]
        near = closest(path.name, there)
        hint = f"did you mean '{path.with_name(near)}'?" if near else "tuner list spaces names those that are shipped"
        raise UsageError(f"{shortened(word)}: no such file", hint)
    if word not in shipped():
        word = shortened(word)
        raise UsageError(f"{word}: no such file, and no shipped space of that name", did_you_mean(word, shipped()))
    return shipped()[word]


def first_words(path: Path) -> str:
    """The description of a space: its second comment line."""
    comments = [line[1:].strip() for line in path.read_text("utf-8").splitlines() if line.startswith("#")]
    return comments[1] if len(comments) > 1 else ""
