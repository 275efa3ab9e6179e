"""Dates as people write them, to be translated into ISO 8601: "25 March 2024" → "2024-03-25"; generated."""

import datetime
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from tuner.data.dataset import Dataset
from tuner.data.inputs import Tokens
from tuner.data.settings import DatasetSettings
from tuner.sources.columns.tokens import answers, coded, vocabulary

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
WAYS = ("{day} {month} {year}", "{month} {day}, {year}", "{day:02d}.{number:02d}.{year}", "{short} {day} {year}")
FIRST, LAST = datetime.date(1950, 1, 1).toordinal(), datetime.date(2049, 12, 31).toordinal()


class Settings(DatasetSettings):
    name: Literal["dates"] = "dates"
    rows: int = Field(2000, ge=10, le=1_000_000, description="how many dates")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="seed of the generated dates")


def load(settings: Settings, folder: Path) -> Dataset:
    """Characters of dates of the years 1950 … 2049 in four ways to write them; the target is the ISO date."""
    random = np.random.default_rng(settings.seed)
    days = [datetime.date.fromordinal(int(day)) for day in random.integers(FIRST, LAST + 1, settings.rows)]
    ways = [WAYS[i] for i in random.integers(0, len(WAYS), settings.rows)]
    written = [
        way.format(day=d.day, number=d.month, year=d.year, month=MONTHS[d.month - 1], short=MONTHS[d.month - 1][:3])
        for d, way in zip(days, ways, strict=True)
    ]
    words = vocabulary(written)
    codes, lengths = coded(written, words)
    return Dataset(
        name=settings.name,
        inputs=Tokens(codes, words, lengths),
        target=answers([day.isoformat() for day in days], "ISO date"),
    )
