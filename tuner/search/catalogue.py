"""What an experiment file can name, gathered from the folders."""

from __future__ import annotations

from types import ModuleType

from tuner import registry
from tuner.spec.experiment import Catalogue
from tuner.spec.settings import Settings
from tuner.training.metrics import METRICS
from tuner.training.settings import TrainingSettings

MODELS, SOURCES = "tuner.models", "tuner.data.sources"


def catalogue() -> Catalogue:
    """The settings of every model and source, of training, and the metrics."""
    return Catalogue(_settings(MODELS), _settings(SOURCES), TrainingSettings, tuple(METRICS))


def model(name: str) -> ModuleType:
    """The module of a model."""
    return registry.load(MODELS, name)


def source(name: str) -> ModuleType:
    """The module of a data source."""
    return registry.load(SOURCES, name)


def _settings(package: str) -> dict[str, type[Settings]]:
    return {name: registry.load(package, name).Settings for name in registry.names(package)}
