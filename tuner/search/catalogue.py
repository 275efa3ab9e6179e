"""What an experiment file can name, gathered from the folders; and the user's own models and loaders beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

from tuner import registry
from tuner.data import own
from tuner.models import _own
from tuner.spec.experiment import Catalogue
from tuner.spec.own_code import is_own
from tuner.spec.settings import Settings
from tuner.training.metrics import METRICS
from tuner.training.settings import TrainingSettings

MODELS, SOURCES = "tuner.models", "tuner.data.sources"
Member = _own.Own | own.Loader


class Members(Mapping[str, type[Settings]]):
    """The settings of every member of a package by name; those of the user's own, as `own` finds, are not listed."""

    def __init__(self, package: str, own: Callable[[str], Member]) -> None:
        self._own = own
        self._settings = {name: registry.load(package, name).Settings for name in registry.names(package)}

    def __getitem__(self, name: str) -> type[Settings]:
        return self._own(name).Settings if is_own(name) else self._settings[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings)

    def __len__(self) -> int:
        return len(self._settings)


def catalogue(folder: Path) -> Catalogue:
    """The settings of every model and source, of training, and the metrics, for an experiment file in `folder`."""
    models = Members(MODELS, lambda name: _own.load(name, folder))
    return Catalogue(models, Members(SOURCES, lambda name: own.load(name, folder)), TrainingSettings, tuple(METRICS))


def model(name: str, folder: Path) -> ModuleType | _own.Own:
    """The module of a model, or what serves as one."""
    return _own.load(name, folder) if is_own(name) else registry.load(MODELS, name)


def source(name: str, folder: Path) -> ModuleType | own.Loader:
    """The module of a data source, or what serves as one."""
    return own.load(name, folder) if is_own(name) else registry.load(SOURCES, name)
