"""Makes a recipe of a configuration: how to build its model, train it and score it."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from torch import nn

from tuner.errors import NotTrusted, UsageError
from tuner.experiment.configuration import Configuration
from tuner.experiment.own_code import is_user_code
from tuner.experiment.settings import Settings
from tuner.metrics import METRICS, Metric
from tuner.models._own import UserModel
from tuner.models._weights import digest_of
from tuner.models.layers import Lanes, Shapes
from tuner.search.catalogue import model
from tuner.search.jobs import Work
from tuner.search.own_kinds import KINDS, PARTS
from tuner.search.own_metric import own_metric
from tuner.training.own import OwnPart, OwnSchedule
from tuner.training.own_loss import OwnLoss
from tuner.training.own_optimizer import OwnOptimizer
from tuner.training.recipe import OwnParts, Recipe
from tuner.training.settings import TrainingSettings


def check_own(work: Work) -> None:
    """Raise `UsageError` if user code has changed since the search began."""
    for (section, name), digest in work.own.items():
        if KINDS[section].load(name, work.folder).code.digest != digest:
            raise UsageError(f"the file of {name} has changed since the search began", "start it again")
    for path, digest in work.weights.items():
        if digest_of(work.folder / path) != digest:
            raise UsageError(f"{path} has changed since the search began", "start it again")


def metric_of_work(work: Work) -> Metric:
    """The metric of a search; the user's own is loaded, which runs its code."""
    if not is_user_code(work.metric):
        return METRICS[work.metric]
    return own_metric(_part("metric", work.metric, work), work.metric_settings, work.dataset)


def _part(section: str, name: str, work: Work) -> OwnPart:
    """A function or class of the user: runs their code. Raises `UsageError`."""
    found = KINDS[section].load(name, work.folder)
    assert isinstance(found, OwnPart)
    return found


def recipe_of(configuration: Configuration, work: Work, **training: Any) -> Recipe:
    """How to train and score a configuration; `training` replaces some of its settings. Raises `NotTrusted`."""
    name = configuration.model["name"]
    parts, written = _own_parts({**configuration.training, **training})
    for section, code in (("model", name), *((f"training.{key}", part["name"]) for key, part in parts.items())):
        if is_user_code(code) and (section, code) not in work.own:  # such as a stored trial that was changed
            text = f"a trial names code that its experiment does not: {code}"
            raise NotTrusted(text, "restore the study from a copy")
    module = model(name, work.folder)
    settings, how = module.Settings.model_validate(configuration.model), TrainingSettings.model_validate(written)
    return Recipe(
        lambda shapes, lanes: _built(module, settings, shapes, lanes),
        how,
        metric_of_work(work),
        work.tune_threshold,
        _made(parts, how, work),
    )


Values = Mapping[str, Any]


def _own_parts(training: Values) -> tuple[dict[str, Values], dict[str, Any]]:
    """The settings of the user's own parts of a training, by section; and the settings without them."""
    parts = {kind.noun: training[kind.noun] for kind in PARTS if kind.noun in training}
    own = {key: part for key, part in parts.items() if part is not None and is_user_code(part["name"])}
    return own, {key: value for key, value in training.items() if key not in own}


def _made(parts: Mapping[str, Values], how: TrainingSettings, work: Work) -> OwnParts:
    """The user's own parts of a training. Raises `UsageError`."""
    dataset = work.dataset
    weights = (dataset.training_weights, dataset.score_weights)
    weighted = how.class_weight != "none" or any(each is not None for each in weights)
    found = {key: (_part(f"training.{key}", values["name"], work), values) for key, values in parts.items()}
    return OwnParts(
        loss=OwnLoss(*found["loss"], weighted=weighted) if "loss" in found else None,
        optimizer=OwnOptimizer(*found["optimizer"], how.weight_decay) if "optimizer" in found else None,
        schedule=OwnSchedule(*found["schedule"]) if "schedule" in found else None,
    )


def _built(family: ModuleType | UserModel, settings: Settings, shapes: Shapes, lanes: Lanes) -> nn.Module:
    """The network of all lanes, with the initialization of the settings, if they have one."""
    lanes.initialization = getattr(settings, "initialization", lanes.initialization)
    network = family.build(settings, shapes, lanes)
    if not isinstance(network, nn.Module):
        text = f"build of model '{settings.name}' returned {type(network).__name__}"  # type: ignore[attr-defined]
        raise UsageError(text, "return the network, a torch.nn.Module")
    return network
