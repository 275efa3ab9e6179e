"""Texts as codes, for all sources of texts."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Literal

import numpy as np
import regex
from numpy.typing import NDArray
from pydantic import Field

from tuner.data.inputs import PADDING, UNKNOWN, Rows, Tokens
from tuner.data.settings import DatasetSettings
from tuner.data.target import Text
from tuner.errors import DataError
from tuner.metrics.parts.sums import IGNORED
from tuner.metrics.texts import END

LARGEST = 2**28  # codes of all texts, padded alike
BOUNDARY = regex.compile(r"\b", regex.VERSION1 | regex.WORD)  # of words, Unicode Standard Annex 29
CLUSTER = regex.compile(r"\X")  # a letter with its accents, an emoji with its modifiers


class TokenSettings(DatasetSettings):
    """Settings of what a token is: words are Unicode's, of which each sign, and each Chinese or Thai letter, is one."""

    tokens: Literal["word", "character"] = Field("word", description="what a text is cut into; signs are words too")
    lowercase: bool = Field(True, description="read capital letters as small ones")


class TextSettings(TokenSettings):
    """The settings of all sources of texts."""

    max_length: int | None = Field(
        None, ge=1, le=1_000_000, description="tokens of a text that are kept; training.max_length can be searched"
    )


Texts = Sequence[Sequence[str]]


def tokenised(texts: Sequence[str], settings: TokenSettings, where: str) -> list[list[str]]:
    """The tokens of every text. Raises `DataError` for a text without any."""
    found = []
    for row, text in enumerate(texts, start=1):
        text = unicodedata.normalize("NFC", text.lower() if settings.lowercase else text)
        tokens = _words(text) if settings.tokens == "word" else _characters(" ".join(text.split()))
        if not tokens:
            raise DataError(f"{where}: the text of data row {row} is empty", "leave that row out")
        found.append(tokens)
    return found


def _words(text: str) -> list[str]:
    return [word for word in BOUNDARY.split(text) if word and not word.isspace()]


def _characters(text: str) -> list[str]:
    return list(text) if text.isascii() else CLUSTER.findall(text)


def read_texts(texts: Sequence[str], settings: TextSettings, where: str) -> Tokens:
    """These texts as inputs. Raises `DataError`."""
    return read_tokens(tokenised(texts, settings, where), settings, where)


def read_tokens(texts: Texts, settings: TextSettings, where: str) -> Tokens:
    """Texts that are cut into tokens already, as inputs. Raises `DataError`."""
    tokens = [text[: settings.max_length] for text in texts]
    longest = max(map(len, tokens))
    if len(tokens) * longest > LARGEST:
        text = f"{where}: {len(tokens):,} texts, padded to the longest of {longest:,} tokens, do not fit into memory"
        raise DataError(text, "dataset.max_length: 500, say", "max_length")
    words = vocabulary(tokens)
    codes, lengths = coded(tokens, words)
    return Tokens(codes, words, lengths)


def vocabulary(texts: Texts) -> tuple[str, ...]:
    """The words of a vocabulary: padding, unknown, and every token that occurs, sorted."""
    return (PADDING, UNKNOWN, *sorted({token for text in texts for token in text}))


def coded(texts: Texts, words: Sequence[str]) -> tuple[Rows, Rows]:
    """Codes (N, T), 0 after the end of a text, and the lengths (N,)."""
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    return _padded(texts, words, lengths.max(), 0), lengths


def answers(texts: Texts, name: str) -> Text:
    """The target of a translation, called `name`: each text with `END` after its last token."""
    words = ("<end>", *sorted({token for text in texts for token in text}))
    codes = _padded(texts, words, max(map(len, texts)) + 1, IGNORED)
    codes[np.arange(len(texts)), [len(text) for text in texts]] = END
    return Text(codes, words, (name,))


def _padded(texts: Texts, words: Sequence[str], width: int, rest: int) -> NDArray[np.int64]:
    index = {word: code for code, word in enumerate(words)}
    codes = np.full((len(texts), width), rest, dtype=np.int64)
    for row, text in enumerate(texts):
        codes[row, : len(text)] = [index[token] for token in text]
    return codes
