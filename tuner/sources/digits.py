"""Handwritten digits (UCI): 1,797 images of 8×8 pixels, flat, as a sequence of rows, or as images."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from tuner.data.dataset import Dataset
from tuner.data.settings import NumberSettings
from tuner.sources._bundled import read

SHAPES = {"flat": None, "rows": (8, 8), "image": (1, 8, 8)}


class Settings(NumberSettings):
    name: Literal["digits"] = "digits"
    layout: Literal["flat", "rows", "image"] = Field(
        "flat", description="flat: 64 numbers; rows: 8 steps of 8; image: 1 channel of 8×8"
    )


def load(settings: Settings, folder: Path) -> Dataset:
    """The whole set, as scikit-learn ships it, in the layout asked for."""
    return read(settings.name, settings, SHAPES[settings.layout])
