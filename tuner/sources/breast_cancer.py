"""Breast tumours (Wisconsin, UCI): 569 rows, 30 measurements, benign or malignant."""

from pathlib import Path
from typing import Literal

from tuner.data.dataset import Dataset
from tuner.data.settings import NumberSettings
from tuner.sources._bundled import bundled


class Settings(NumberSettings):
    name: Literal["breast_cancer"] = "breast_cancer"


def load(settings: Settings, folder: Path) -> Dataset:
    """The whole set, as scikit-learn ships it."""
    return bundled(settings.name, settings)
