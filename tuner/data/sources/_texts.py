"""Texts as codes: what every source of texts does with them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tuner.data.dataset import END, IGNORED, PADDING, UNKNOWN, Rows


def vocabulary(texts: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Padding, unknown, and every token that occurs, sorted."""
    return (PADDING, UNKNOWN, *sorted({token for text in texts for token in text}))


def coded(texts: Sequence[Sequence[str]], words: Sequence[str]) -> tuple[Rows, Rows]:
    """Codes (N, T), 0 after the end of a text, and the lengths (N,)."""
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    return _padded(texts, words, lengths.max(), 0), lengths


def answers(texts: Sequence[Sequence[str]]) -> tuple[Rows, tuple[str, ...]]:
    """The targets of a translation (N, T), each with `END` after its last token, and the classes of its tokens."""
    words = ("<end>", *sorted({token for text in texts for token in text}))
    codes = _padded(texts, words, max(map(len, texts)) + 1, IGNORED)
    codes[np.arange(len(texts)), [len(text) for text in texts]] = END
    return codes, words


def _padded(texts: Sequence[Sequence[str]], words: Sequence[str], width: int, rest: int) -> NDArray[np.int64]:
    place = {word: code for code, word in enumerate(words)}
    codes = np.full((len(texts), width), rest, dtype=np.int64)
    for row, text in enumerate(texts):
        codes[row, : len(text)] = [place[token] for token in text]
    return codes
