"""How to train and score a configuration: from its settings to what builds its model."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from torch import nn

from tuner.errors import NotTrusted, UsageError
from tuner.experiment.configuration import Configuration
from tuner.experiment.own_code import is_own
from tuner.experiment.settings import Settings
from tuner.metrics import METRICS
from tuner.models._own import Own, load
from tuner.models.layers import Lanes, Shapes
from tuner.search.catalogue import model
from tuner.search.jobs import Work
from tuner.training.settings import TrainingSettings
from tuner.training.stack import Recipe


def check_own(work: Work) -> None:
    """Refuse code of the user's own that is not what the search was begun with. Raises `UsageError`."""
    for name, digest in work.own.items():
        if load(name, work.folder).code.digest != digest:
            raise UsageError(f"the file of {name} has changed since the search began", "start it again")


def recipe_of(configuration: Configuration, work: Work, **training: Any) -> Recipe:
    """How to train and score a configuration, with other `training` settings where they are given."""
    name = configuration.model["name"]
    if is_own(name) and name not in work.own:  # a stored trial, say, which somebody has changed
        raise NotTrusted(f"a trial names code that its experiment does not: {name}", "restore the study from a copy")
    module = model(name, work.folder)
    settings = module.Settings.model_validate(configuration.model)
    how = TrainingSettings.model_validate({**configuration.training, **training})
    return Recipe(
        lambda shapes, lanes: _built(module, settings, shapes, lanes), how, METRICS[work.metric], work.tune_threshold
    )


def _built(family: ModuleType | Own, settings: Settings, shapes: Shapes, lanes: Lanes) -> nn.Module:
    """The network of all lanes, whose weights begin as the settings say, where these can say it."""
    lanes.initialization = getattr(settings, "initialization", lanes.initialization)
    return family.build(settings, shapes, lanes)
