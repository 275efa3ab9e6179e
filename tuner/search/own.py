"""The user's own code in a search: which there is, whether its files changed, whether models fit the task."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from tuner.data import own as loaders
from tuner.data.dataset import Dataset
from tuner.errors import TunerError
from tuner.models._own import Own, kept, load
from tuner.models.layers import Lanes, Outline
from tuner.search.jobs import Work
from tuner.search.machine import room_of, too_much
from tuner.search.trial import recipe_of
from tuner.spec.experiment import Experiment
from tuner.spec.own_code import failed, is_own
from tuner.spec.space import Choice, Parameter, Space, Value
from tuner.training.fitting import FEWEST, LEAST
from tuner.training.lane_data import LaneData, Table, as_read, shapes_of
from tuner.training.lanes import Lane
from tuner.training.stack import FLOAT


def own_models(experiment: Experiment) -> dict[str, Own]:
    """Each of the user's own models that the experiment names, by its name."""
    return {name: load(name, experiment.folder) for name in names_of_models(experiment.space) if is_own(name)}


def own_code(experiment: Experiment) -> dict[str, Own | loaders.Loader]:
    """The same, and the user's own loader, if there is one."""
    source = experiment.dataset.name  # type: ignore[attr-defined]  # every source's settings have one
    return {**own_models(experiment), **({source: loaders.load(source, experiment.folder)} if is_own(source) else {})}


def check_built(experiment: Experiment, dataset: Dataset, work: Work) -> None:
    """Build each model at its defaults; the user's own are to read two rows: what they say must fit the task."""
    space, most = experiment.space, room_of(experiment.limits, ["cpu"]).most
    for name in names_of_models(space):

        def choose(parameter: Parameter, name: str = name) -> Value:
            return name if parameter.path == "model" else parameter.domain.nearest(parameter.default)

        configuration = space.configuration(space.walk(choose))
        try:
            recipe = recipe_of(configuration, work)
            outline = recipe.build(shapes_of(as_read(dataset, recipe.settings)), Outline())
        except TunerError as error:
            raise experiment.error("model", error.message, error.hint) from error
        except (Exception, SystemExit) as error:
            if not is_own(name):
                raise
            raise experiment.error("model.name", *failed(name, error)) from error
        if not is_own(name):
            continue
        count = sum(parameter.numel() for parameter in outline.parameters())
        if (needed := FEWEST * LEAST * FLOAT * count) > most:
            text = f"{name} has {count:,} parameters at its defaults, which take at least {too_much(needed, most)}"
            raise experiment.error("model.name", text, "a smaller model, or a larger limits.memory")
        if wrong := _try(name, configuration, dataset, work):
            raise experiment.error("model.name", *wrong)


def _try(name: str, configuration: dict[str, Any], dataset: Dataset, work: Work) -> tuple[str, str] | None:
    """What is wrong with the model, and the cure."""
    recipe = recipe_of(configuration, work)
    table = Table(dataset, torch.device("cpu")).read_as(recipe.settings)
    rows = np.arange(min(2, len(dataset)))
    inputs = LaneData(table, [Lane(rows, (), 0)]).inputs(torch.from_numpy(rows)[None])
    wanted = (len(rows), *dataset.places, dataset.outputs)
    pixels = len(dataset.places) == 2
    shown = f"{len(rows)} rows of {'×'.join(str(n) for n in dataset.features.shape[1:])}"
    try:
        model = recipe.build(table.shapes, Lanes((0,)))
        if not any(True for _ in model.parameters()):
            return f"{name} has no weights to train", "register its layers in its constructor"
        if others := {str(p.dtype) for p in model.parameters()} - {"torch.float32"}:
            return f"{name} has weights of {', '.join(sorted(others))}", "float32, which lanes train in"
        out = model(*inputs)
        out.sum().backward()
        if tuple(out.shape[1:]) != wanted:
            said, due = (_as_torch(tuple(each), pixels) for each in (out.shape[1:], wanted))
            return f"{name} makes of {shown} a tensor {said}, not {due}", _cure(name, work) or "correct its forward"
    except TunerError as error:
        return error.message, error.hint or ""
    except (Exception, SystemExit) as error:
        text, hint = failed(name, error, f" on {shown}")
        return text, _cure(name, work) or hint
    return None


def _cure(name: str, work: Work) -> str | None:
    """What may be wrong where an argument named like a shape has a default."""
    settings = kept(load(name, work.folder))
    if not settings:
        return None
    which = " and ".join(settings)
    return (f"its constructor gives {which} a default, which makes it a setting; without one, or annotated as "
            'Annotated[int, "shape"], it is filled in from the data')  # fmt: skip


def filled(experiment: Experiment, dataset: Dataset) -> list[str]:
    """For each of the user's own models: which arguments are filled in from the data."""
    shapes, found = shapes_of(dataset), []
    for name in (name for name in names_of_models(experiment.space) if is_own(name)):
        given = load(name, experiment.folder).filled(shapes)
        words = ", ".join(f"{argument}={value}" for argument, value in given.items())
        found.append(f"{name}: {words or 'nothing'}")
    return found


def _as_torch(shape: tuple[int, ...], pixels: bool) -> tuple[int, ...]:
    """With the classes where the user's own models have them."""
    return (shape[0], shape[-1], *shape[1:-1]) if pixels and len(shape) == 4 else shape


def names_of_models(space: Space) -> list[str]:
    """Every model that a configuration can have."""
    chosen = [p.domain.options for p in space.parameters if p.path == "model" and isinstance(p.domain, Choice)]
    fixed = [str(f.value) for f in space.fixed if f.path == "model.name"]
    return [*(str(name) for options in chosen for name in options), *fixed]
