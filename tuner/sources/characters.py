"""English, character by character: the text of Python's own documentation, which is on every machine."""

import pydoc_data.topics
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from tuner.data.dataset import Dataset
from tuner.data.inputs import Tokens
from tuner.data.roles import Roles
from tuner.data.settings import DatasetSettings
from tuner.data.target import PerPosition
from tuner.errors import DataError
from tuner.sources.columns.tokens import coded, vocabulary


class Settings(DatasetSettings):
    name: Literal["characters"] = "characters"
    rows: int = Field(1000, ge=10, le=100_000, description="how many pieces of text, at most")
    length: int = Field(50, ge=2, le=10_000, description="characters of a piece")


def load(settings: Settings, folder: Path) -> Dataset:
    """Pieces of text (N, T); the target is the next character of each. A topic stays in one fold. Raises
    `DataError`."""
    texts, topics = [], []
    for number, topic in enumerate(sorted(pydoc_data.topics.topics)):
        text = " ".join(pydoc_data.topics.topics[topic].split())
        for start in range(0, len(text) - settings.length, settings.length):
            texts.append(text[start : start + settings.length + 1])
            topics.append(number)
    count = min(settings.rows, len(texts))
    picked = [index * len(texts) // count for index in range(count)]  # a little of every topic
    texts, topics = [texts[index] for index in picked], [topics[index] for index in picked]
    if not texts:
        raise DataError(f"no text is {settings.length} characters long", "a smaller length", "length")
    words = vocabulary(texts)
    codes, _ = coded(texts, words)
    return Dataset(
        name=settings.name,
        inputs=Tokens(codes[:, :-1].copy(), words),
        target=PerPosition(codes[:, 1:].copy(), words, ("next character",), "language"),
        roles=Roles(groups=np.array(topics, dtype=np.int64)),
    )
