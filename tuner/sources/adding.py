"""The adding problem (Hochreiter & Schmidhuber 1997): add the two marked numbers of a long sequence; generated."""

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from tuner.data.dataset import Dataset
from tuner.data.inputs import Numbers, Scale
from tuner.data.settings import NumberSettings
from tuner.data.target import Amounts


class Settings(NumberSettings):
    name: Literal["adding"] = "adding"
    rows: int = Field(1000, ge=10, le=1_000_000, description="how many sequences")
    length: int = Field(50, ge=2, le=10_000, description="time steps")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="seed of the generated numbers")
    scale: Scale = Field("none", description="standard: zero mean, unit variance")


def load(settings: Settings, folder: Path) -> Dataset:
    """Features (N, T, 2): uniform numbers in [0, 1) and a marker that is 1 at two steps, one in each half.

    The target is the sum of the two marked numbers; always predicting 1 has MSE 1/6.
    """
    random = np.random.default_rng(settings.seed)
    n, steps = settings.rows, settings.length
    numbers = random.random((n, steps), dtype=np.float32)
    marks = np.zeros_like(numbers)
    half = steps // 2
    for low, high in ((0, half), (half, steps)):
        marks[np.arange(n), random.integers(low, high, n)] = 1.0
    return Dataset(
        name=settings.name,
        inputs=Numbers(
            np.stack([numbers, marks], axis=-1), ("number", "mark"), scale=settings.scale, impute=settings.impute
        ),
        target=Amounts((numbers * marks).sum(axis=1, keepdims=True).astype(np.float64), ("sum",)),
    )
