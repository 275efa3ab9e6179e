"""Italian wines (UCI): 178 rows, 13 chemical measurements, 3 growers."""

from pathlib import Path
from typing import Literal

from tuner.data.dataset import Dataset
from tuner.data.settings import NumberSettings
from tuner.sources._bundled import bundled


class Settings(NumberSettings):
    name: Literal["wine"] = "wine"


def load(settings: Settings, folder: Path) -> Dataset:
    """The whole set, as scikit-learn ships it."""
    return bundled(settings.name, settings)
