"""Diabetes progression (Efron et al. 2004): 442 rows, 10 measurements, one output."""

from pathlib import Path
from typing import Literal

from tuner.data.dataset import Dataset
from tuner.data.settings import NumberSettings
from tuner.sources._bundled import bundled


class Settings(NumberSettings):
    name: Literal["diabetes"] = "diabetes"


def load(settings: Settings, folder: Path) -> Dataset:
    """The whole set, as scikit-learn ships it."""
    return bundled(settings.name, settings)
