"""Plain text for language models: one file or several, cut into pieces; the target is the next token."""

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from tuner.data.dataset import Dataset
from tuner.data.inputs import Tokens
from tuner.data.roles import Roles
from tuner.data.target import PerPosition
from tuner.errors import DataError
from tuner.sources.columns.tokens import TokenSettings, coded, tokenised, vocabulary
from tuner.sources.loading.head import Head, Sniffed
from tuner.sources.readers.files import PathOrPaths, all_located, inside, text_of
from tuner.sources.readers.settings import EncodedSettings

BLOCKS = 50  # that stay whole in a fold


class Settings(TokenSettings, EncodedSettings):
    name: Literal["corpus"] = "corpus"
    path: PathOrPaths = Field(description="a text file or a folder of them, or a list, relative to the experiment file")
    length: int = Field(50, ge=2, le=10_000, description="tokens of a piece")
    tokens: Literal["word", "character"] = Field("character", description="what a text is cut into; signs are words")
    lowercase: bool = Field(False, description="read capital letters as small ones")


def load(settings: Settings, folder: Path) -> Dataset:
    """Pieces of text (N, T); the target is the next token of each.

    Neighbours stay in one fold, in 50 blocks of each file: the lines before and after tell much of a piece. Raises
    `DataError`."""
    pieces, blocks, short = [], [], []
    paths = all_located(folder, settings.path)
    for number, path in enumerate(_files(paths)):
        (tokens,) = tokenised([text_of(path, encoding=settings.encoding)], settings, path.name)
        short += [] if len(tokens) > settings.length else [(path.name, len(tokens))]
        starts = range(0, len(tokens) - settings.length, settings.length)
        pieces += [tokens[start : start + settings.length + 1] for start in starts]
        blocks += [number * BLOCKS + index * BLOCKS // len(starts) for index in range(len(starts))]
    if not pieces:
        text = f"no text is longer than {settings.length} {settings.tokens}s"
        raise DataError(text, "a smaller dataset.length", "length")
    words = vocabulary(pieces)
    codes, _ = coded(pieces, words)
    return Dataset(
        name=", ".join(path.name for path in paths),
        inputs=Tokens(codes[:, :-1].copy(), words),
        target=PerPosition(codes[:, 1:].copy(), words, (f"next {settings.tokens}",), "language"),
        roles=Roles(groups=np.unique(blocks, return_inverse=True)[1].astype(np.int64)),
        notes=_left_out(short, settings),
    )


def sniff(head: Head) -> Sniffed | None:
    """Possible for any text that no other source reads."""
    found = not head.folder and head.suffix in (".txt", ".md", ".text", "") and head.lines
    return Sniffed(1, head.encoded, "it is text to go on with") if found else None


def _left_out(short: list[tuple[str, int]], settings: Settings) -> tuple[str, ...]:
    """A note about files that are too short to be read."""
    if not short:
        return ()
    shown = ", ".join(name for name, _ in short[:3]) + (", …" if len(short) > 3 else "")
    files = f"{len(short):,} file{'s' if len(short) > 1 else ''} with {sum(count for _, count in short):,}"
    unit = f"{settings.tokens}s"
    return (f"left out, as no longer than {settings.length} {unit}: {files} {unit} in all ({shown})",)


def _files(paths: list[Path]) -> list[Path]:
    """All files: those that are named, and those in folders, sorted."""
    found: list[Path] = []
    for path in paths:
        files = sorted(each for each in inside(path) if not each.is_dir()) if path.is_dir() else [path]
        if not files:
            raise DataError(f"the folder {path} is empty", key="path")
        found += files
    return found
