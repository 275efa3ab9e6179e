"""20 newsgroups: 18,846 messages of 20 groups, as scikit-learn fetches and keeps them; which group is asked."""

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from tuner.data.dataset import Dataset
from tuner.data.target import Classes
from tuner.sources.columns.tokens import TextSettings, read_texts
from tuner.sources.readers.fetched import bunch_of


class Settings(TextSettings):
    name: Literal["newsgroups"] = "newsgroups"
    max_length: int | None = Field(200, ge=1, le=1_000_000, description="tokens of a text that are kept")


def load(settings: Settings, folder: Path) -> Dataset:
    """The texts of both parts; headers, signatures and quotations are left out, as they give the group away."""
    bunch = bunch_of("20newsgroups", subset="all", shuffle=False, remove=("headers", "footers", "quotes"))
    rows = [row for row, text in enumerate(bunch.data) if text.strip()]
    empty = len(bunch.data) - len(rows)
    return Dataset(
        name=settings.name,
        inputs=read_texts([bunch.data[row] for row in rows], settings, settings.name),
        target=Classes(np.asarray(bunch.target, dtype=np.int64)[rows], tuple(map(str, bunch.target_names)), ("group",)),
        notes=(f"{empty} texts without a word are left out",) if empty else (),
    )
