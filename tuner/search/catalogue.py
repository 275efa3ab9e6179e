"""The components that an experiment file can name: tuner's models and sources, and the user's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

from tuner import registry
from tuner.experiment.experiment import Catalogue
from tuner.experiment.own_code import is_user_code
from tuner.experiment.settings import Alternatives, Settings, alternatives
from tuner.metrics import METRICS
from tuner.models import _own as models
from tuner.search.contract import MODELS, SOURCES, member
from tuner.search.own_kinds import PARTS, Code
from tuner.training.settings import TrainingSettings


class WithOwn(Mapping[str, type[Settings]]):
    """The settings of components by name; those of the user's code, which `code` describes, are not listed."""

    def __init__(self, section: str, settings: Alternatives, code: Code) -> None:
        self._section, self._settings, self._code = section, settings, code

    def __getitem__(self, name: str) -> type[Settings]:
        return self._code.info(self._section, name).Settings if is_user_code(name) else self._settings[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings)

    def __len__(self) -> int:
        return len(self._settings)


def catalogue(code: Code) -> Catalogue:
    """The settings of every model and source, of training, and the metrics, for an experiment file."""
    fields = TrainingSettings.model_fields
    return Catalogue(
        WithOwn("model", _members(MODELS), code),
        WithOwn("dataset", _members(SOURCES), code),
        TrainingSettings,
        tuple(METRICS),
        WithOwn("metric", {}, code),
        {part.section: WithOwn(part.section, alternatives(fields[part.noun]), code) for part in PARTS},
    )


def _members(package: str) -> Alternatives:
    """The settings of every member of a package."""
    return {name: member(package, name).Settings for name in registry.names(package)}


def model(name: str, folder: Path) -> ModuleType | models.UserModel:
    """The module of a model, or the user's own, whose code runs here."""
    return models.load(name, folder) if is_user_code(name) else member(MODELS, name)


def reads(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The layouts and the tasks of a model."""
    of = models if is_user_code(name) else member(MODELS, name)
    return of.LAYOUTS, of.TASKS
