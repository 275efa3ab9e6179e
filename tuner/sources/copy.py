"""The copy task (Hochreiter & Schmidhuber 1997): repeat the first symbols of a sequence after a delay; generated."""

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from tuner.data.dataset import Dataset
from tuner.data.inputs import PADDING, UNKNOWN, Tokens
from tuner.data.settings import DatasetSettings
from tuner.data.target import PerPosition
from tuner.metrics.parts.sums import IGNORED

BLANK, GO = "_", ">"


class Settings(DatasetSettings):
    name: Literal["copy"] = "copy"
    rows: int = Field(1000, ge=10, le=1_000_000, description="how many sequences")
    symbols: int = Field(4, ge=2, le=26, description="different symbols")
    length: int = Field(5, ge=1, le=1000, description="symbols to remember")
    delay: int = Field(5, ge=0, le=10_000, description="blank steps before they are asked for")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="seed of the generated symbols")


def load(settings: Settings, folder: Path) -> Dataset:
    """Tokens (N, T): symbols, blanks, a sign to go, blanks. The target is the symbols, at the blanks after the sign.

    Always predicting one symbol is right in 1 of `symbols` steps, and its perplexity is `symbols`.
    """
    random = np.random.default_rng(settings.seed)
    alphabet = tuple("abcdefghijklmnopqrstuvwxyz"[: settings.symbols])
    words = (PADDING, UNKNOWN, *alphabet, BLANK, GO)
    steps = 2 * settings.length + settings.delay + 1
    symbols = random.integers(0, settings.symbols, (settings.rows, settings.length))
    codes = np.full((settings.rows, steps), words.index(BLANK), dtype=np.int64)
    codes[:, : settings.length] = symbols + 2
    codes[:, -settings.length - 1] = words.index(GO)
    targets = np.full((settings.rows, steps), IGNORED, dtype=np.int64)
    targets[:, -settings.length :] = symbols
    return Dataset(
        name=settings.name,
        inputs=Tokens(codes, words),
        target=PerPosition(targets, alphabet, ("symbol",), "tagging"),
    )
