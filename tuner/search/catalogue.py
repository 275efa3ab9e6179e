"""What an experiment file can name, gathered from the folders; and the user's own models beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

from tuner import registry
from tuner.models import _own
from tuner.spec.experiment import Catalogue
from tuner.spec.settings import Settings
from tuner.training.metrics import METRICS
from tuner.training.settings import TrainingSettings

MODELS, SOURCES = "tuner.models", "tuner.data.sources"


class Models(Mapping[str, type[Settings]]):
    """The settings of every model by name; those of the user's own, which start in `folder`, are not listed."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._settings = folder, _settings(MODELS)

    def __getitem__(self, name: str) -> type[Settings]:
        return _own.load(name, self._folder).Settings if _own.is_own(name) else self._settings[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings)

    def __len__(self) -> int:
        return len(self._settings)


def catalogue(folder: Path) -> Catalogue:
    """The settings of every model and source, of training, and the metrics, for an experiment file in `folder`."""
    return Catalogue(Models(folder), _settings(SOURCES), TrainingSettings, tuple(METRICS))


def model(name: str, folder: Path) -> ModuleType | _own.Own:
    """The module of a model, or what serves as one."""
    return _own.load(name, folder) if _own.is_own(name) else registry.load(MODELS, name)


def source(name: str) -> ModuleType:
    """The module of a data source."""
    return registry.load(SOURCES, name)


def _settings(package: str) -> dict[str, type[Settings]]:
    return {name: registry.load(package, name).Settings for name in registry.names(package)}
