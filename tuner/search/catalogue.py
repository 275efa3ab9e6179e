"""The components that an experiment file can name: tuner's models and sources, and the user's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Protocol

from tuner import registry
from tuner.experiment.experiment import Catalogue
from tuner.experiment.own_code import UserCodeInfo, is_user_code
from tuner.experiment.settings import Settings
from tuner.metrics import METRICS
from tuner.models import _own as models
from tuner.search.contract import MODELS, SOURCES, member
from tuner.sources.custom import loader as loaders
from tuner.training.settings import TrainingSettings


class Code(Protocol):
    """Describes the user's own models and loaders. Each method raises `UsageError` for an invalid name."""

    def model(self, name: str) -> UserCodeInfo: ...
    def loader(self, name: str) -> UserCodeInfo: ...


class CodeHere:
    """The user's own code run in this process, which therefore must not be the driver."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def model(self, name: str) -> models.UserModel:
        """The class."""
        return models.load(name, self._folder)

    def loader(self, name: str) -> loaders.Loader:
        """The function."""
        return loaders.load(name, self._folder)


class Members(Mapping[str, type[Settings]]):
    """The settings of every member of a package by name; those of user code, which `own` finds, are not listed."""

    def __init__(self, package: str, own: Callable[[str], UserCodeInfo]) -> None:
        self._own = own
        self._settings = {name: member(package, name).Settings for name in registry.names(package)}

    def __getitem__(self, name: str) -> type[Settings]:
        return self._own(name).Settings if is_user_code(name) else self._settings[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings)

    def __len__(self) -> int:
        return len(self._settings)


def catalogue(code: Code) -> Catalogue:
    """The settings of every model and source, of training, and the metrics, for an experiment file."""
    return Catalogue(Members(MODELS, code.model), Members(SOURCES, code.loader), TrainingSettings, tuple(METRICS))


def model(name: str, folder: Path) -> ModuleType | models.UserModel:
    """The module of a model, or the user's own, whose code runs here."""
    return models.load(name, folder) if is_user_code(name) else member(MODELS, name)


def reads(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The layouts and the tasks of a model."""
    of = models if is_user_code(name) else member(MODELS, name)
    return of.LAYOUTS, of.TASKS
