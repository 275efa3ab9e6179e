"""Iris flowers (Fisher 1936): 150 rows, 4 measurements, 3 species."""

from pathlib import Path
from typing import Literal

from tuner.data.dataset import Dataset
from tuner.data.settings import NumberSettings
from tuner.sources._bundled import bundled


class Settings(NumberSettings):
    name: Literal["iris"] = "iris"


def load(settings: Settings, folder: Path) -> Dataset:
    """The whole set, as scikit-learn ships it."""
    return bundled(settings.name, settings)
