"""Exercise and body (Tenenhaus 1998): 20 rows, 3 exercises, 3 outputs."""

from pathlib import Path
from typing import Literal

from tuner.data.dataset import Dataset
from tuner.data.settings import NumberSettings
from tuner.sources._bundled import bundled


class Settings(NumberSettings):
    name: Literal["linnerud"] = "linnerud"


def load(settings: Settings, folder: Path) -> Dataset:
    """The whole set, as scikit-learn ships it."""
    return bundled(settings.name, settings)
