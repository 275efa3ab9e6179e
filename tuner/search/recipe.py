"""Makes a recipe of a configuration: how to build its model, train it and score it."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from torch import nn

from tuner.errors import NotTrusted, UsageError
from tuner.experiment.configuration import Configuration
from tuner.experiment.own_code import is_user_code
from tuner.experiment.settings import Settings
from tuner.metrics import METRICS
from tuner.models._own import UserModel, load
from tuner.models.layers import Lanes, Shapes
from tuner.search.catalogue import model
from tuner.search.jobs import Work
from tuner.training.settings import TrainingSettings
from tuner.training.stack import Recipe


def check_own(work: Work) -> None:
    """Raise `UsageError` if user code has changed since the search began."""
    for name, digest in work.own.items():
        if load(name, work.folder).code.digest != digest:
            raise UsageError(f"the file of {name} has changed since the search began", "start it again")


def recipe_of(configuration: Configuration, work: Work, **training: Any) -> Recipe:
    """How to train and score a configuration; `training` replaces some of its settings. Raises `NotTrusted`."""
    name = configuration.model["name"]
    if is_user_code(name) and name not in work.own:  # such as a stored trial that was changed
        raise NotTrusted(f"a trial names code that its experiment does not: {name}", "restore the study from a copy")
    module = model(name, work.folder)
    settings = module.Settings.model_validate(configuration.model)
    how = TrainingSettings.model_validate({**configuration.training, **training})
    return Recipe(
        lambda shapes, lanes: _built(module, settings, shapes, lanes), how, METRICS[work.metric], work.tune_threshold
    )


def _built(family: ModuleType | UserModel, settings: Settings, shapes: Shapes, lanes: Lanes) -> nn.Module:
    """The network of all lanes, with the initialization of the settings, if they have one."""
    lanes.initialization = getattr(settings, "initialization", lanes.initialization)
    network = family.build(settings, shapes, lanes)
    if not isinstance(network, nn.Module):
        text = f"build of model '{settings.name}' returned {type(network).__name__}"  # type: ignore[attr-defined]
        raise UsageError(text, "return the network, a torch.nn.Module")
    return network
