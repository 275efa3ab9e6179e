"""Checks the files of initial weights of the user's own models: which configurations can start from them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from tuner.errors import DataError
from tuner.experiment.configuration import Configuration
from tuner.experiment.experiment import Experiment
from tuner.experiment.space import Choice, Fixed, Parameter, Value
from tuner.models._own import load
from tuner.models._weights import OtherShape
from tuner.search.jobs import Work
from tuner.search.recipe import recipe_of
from tuner.search.unused_settings import extremes
from tuner.training.lane_data import as_read, shapes_of

TRIED = 16  # draws of a configuration, of which the first is the default
SLOW = 10.0  # seconds after which no further one is tried


class Started(NamedTuple):
    """A file and its model: the parameters that it does not have, in words; and which configurations it does not fit,
    if any."""

    words: str
    refused: str | None


def weights_of(experiment: Experiment, model: str | None = None) -> list[str]:
    """The files of initial weights that the experiment names, for one of its models or for all."""
    entries: list[Parameter | Fixed] = [*experiment.space.parameters, *experiment.space.fixed]
    found = [
        value
        for each in entries
        if each.target == "model.weights" and model in (None, *_models(each), *([] if _models(each) else [model]))
        for value in extremes(each)
    ]
    return [value for value in dict.fromkeys(found) if value is not None]


def _models(entry: Parameter | Fixed) -> list[str]:
    """The branch of the model that an entry stands in; empty without branches."""
    return [option for path, option in entry.condition.selected if path == "model"]


def check_weights(experiment: Experiment, name: str, work: Work) -> Iterator[Started]:
    """For each file that the model `name` can start from. Raises `DataError` if it fits no configuration."""
    own = load(name, work.folder)
    for file in weights_of(experiment, name):
        left: list[list[str]] = []
        errors: list[DataError] = []
        begun = time.monotonic()
        for configuration in _configurations(experiment, name, file):
            shapes = shapes_of(as_read(work.dataset, recipe_of(configuration, work).settings))
            try:
                left.append(own.started(own.Settings.model_validate(configuration.model), shapes))
            except DataError as error:
                errors.append(error)
            except Exception:  # of the constructor: the trial will say so
                continue
            if time.monotonic() - begun > SLOW:
                break
        tried = len(left) + len(errors)
        if not left and errors and (tried == 1 or not all(isinstance(each, OtherShape) for each in errors)):
            raise errors[0]
        words = f"{file}, for all of {name}" + (f" but {', '.join(left[0])}" if left and left[0] else "")
        refused = f"{file} does not fit {len(errors)} of {tried} configurations that were tried: " if errors else None
        yield Started(words if left else f"{file}: fits no configuration of {name} that was tried",
                      refused and refused + errors[0].message)  # fmt: skip


def _configurations(experiment: Experiment, name: str, file: str) -> Iterator[Configuration]:
    """Different configurations of the space in which this model starts from this file: the default one, if it does, and
    others drawn at random."""
    space, random, seen = experiment.space, np.random.default_rng(0), set[str]()

    def choose(parameter: Parameter, draw: int) -> Value:
        domain = parameter.domain
        if parameter.path == "model":
            return name
        if parameter.target == "model.weights" and isinstance(domain, Choice) and file in domain.options:
            return file
        if draw == 0:
            return domain.nearest(parameter.default)
        if isinstance(domain, Choice):
            return domain.options[random.integers(len(domain.options))]
        return domain.nearest(random.uniform(domain.low, domain.high))

    for draw in range(TRIED):
        values = space.walk(partial(choose, draw=draw))
        configuration = space.configuration(values)
        key = json.dumps(configuration.model)
        if (configuration.get("model.name"), configuration.get("model.weights")) != (name, file) or key in seen:
            continue
        seen.add(key)
        if space.admits(values):
            yield configuration
