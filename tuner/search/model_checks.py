"""Checks every model of an experiment before a search begins: that it can be built, and fits the task.

The user's own models are checked in a separate process (`UserCode`), from the text of the experiment.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tuner.data.dataset import Dataset
from tuner.errors import DataError, TunerError, UsageError, first_line
from tuner.experiment.configuration import Configuration
from tuner.experiment.experiment import Experiment, attempt
from tuner.experiment.own_code import Fault, UserCodeInfo, failed, is_user_code
from tuner.experiment.space import Choice, Parameter, Space, Value
from tuner.metrics import DEFAULT
from tuner.models._own import filled as filled_in
from tuner.models._own import load, shape_settings
from tuner.models.layers import Lanes, MetaLanes
from tuner.search.catalogue import catalogue
from tuner.search.jobs import Work
from tuner.search.machine import memory_budget_of, too_much
from tuner.search.own_kinds import PARTS, CodeHere
from tuner.search.recipe import recipe_of
from tuner.search.sizes import Sizes, sizes
from tuner.search.user_code import UserCode
from tuner.search.weights_check import check_weights
from tuner.training.fitting import FEWEST, LEAST
from tuner.training.lane_data import DatasetTensors, LaneData, as_read, shapes_of
from tuner.training.lanes import Lane
from tuner.training.loop import train
from tuner.training.stack import FLOAT

TIMES = 2  # trainings in the first process; one more follows in a second
SLOW = 20.0  # seconds after which a model is not trained again
REPEATED = 256  # most training rows of the epoch that is repeated
REPEATABLE = (
    "use only the generators of torch, NumPy or random, which are seeded; keep state in the module, not in globals"
)


SQUEEZE = "squeeze() also removes the dimension of rows: name one, as in squeeze(1), or use flatten(1)"


class ModelWarning(NamedTuple):
    """A warning about a model, and how to fix it."""

    text: str
    hint: str


class Tried(NamedTuple):
    """A model's first epoch, repeated, and what a few rows show."""

    epochs: list[Epoch]
    warnings: tuple[ModelWarning, ...]
    weights: tuple[str, ...]  # for each file that it starts from: what the file does not have, in words


class Epoch(NamedTuple):
    """The results of a model's first epoch, which must be the same whenever it is trained from the same seed."""

    train_loss: NDArray[np.float64]
    loss: NDArray[np.float64]
    score: NDArray[np.float64]


FAILED = Epoch(*(np.array([np.nan]) for _ in Epoch._fields))


class ModelCheck(NamedTuple):
    """The results of checking the models."""

    sizes: Sizes | None
    warnings: tuple[ModelWarning, ...]
    weights: tuple[str, ...] = ()  # for each file of initial weights: what it does not have, in words
    repeatable: bool = True  # whether training one of the models again gave the same


def check_models(experiment: Experiment, dataset: Dataset, code: UserCode) -> ModelCheck:
    """Build each model with its default settings, and train the user's own on a few rows. Raises `ExperimentError`."""
    names = names_of(experiment.space, "model")
    own, work = [name for name in names if is_user_code(name)], work_of(experiment, dataset)
    path, text = (
        experiment.document.path.absolute(),
        experiment.document.text,
    )  # user code may change its working directory
    epochs: dict[str, list[Epoch]] = {}
    warnings: list[ModelWarning] = []
    weights: list[str] = []
    for name in names:
        with errors_at(experiment, "model.name" if name in own else "model"):
            if name in own:
                epochs[name], found, started = code.with_data(name, dataset, _check_in_child, path, text, name)
                warnings += found
                weights += started
            elif work.own:  # a part of the training is the user's own
                code.with_data(name, dataset, _build_in_child, path, text, name)
            else:
                check_built(experiment, work, "model", name)
    if not work.own:
        return ModelCheck(sizes(experiment.space, work), ())
    code.restart()  # a new process has another process id, time and system entropy, on which a model must not depend
    for name, several in epochs.items():
        if len(several) == TIMES:
            with errors_at(experiment, "model.name"):
                several += code.with_data(name, dataset, _train_in_child, path, text, name) or [FAILED]
    with errors_at(experiment, "model.name"):
        counted = code.with_data(" or ".join(name for _, name in work.own), dataset, _sizes_in_child, path, text)
    changing = [each for name, several in epochs.items() if (each := unrepeated(name, several))]
    return ModelCheck(counted, (*warnings, *changing), tuple(weights), not changing)


@contextmanager
def errors_at(experiment: Experiment, where: str) -> Iterator[None]:
    """Convert an error of the user's code into an error at that place of the experiment, or at the setting beside it
    that a `DataError` names."""
    try:
        yield
    except DataError as error:
        place = where if error.key is None else f"{where.partition('.')[0]}.{error.key}"
        raise experiment.error(place, error.message, error.hint) from error
    except UsageError as error:
        raise experiment.error(where, error.message, error.hint) from error


@cache
def experiment_here(path: Path, text: str) -> Experiment:
    """The experiment, in a process that may run the user's code."""
    return attempt(path, catalogue(CodeHere(path.parent)), text)


def _check_in_child(dataset: Dataset, path: Path, text: str, name: str) -> Tried:
    """Check one of the user's own models, and train its first epoch. Raises `UsageError`."""
    experiment = experiment_here(path, text)
    work = work_of(experiment, dataset)
    configuration, outline = check_built(experiment, work, "model", name)
    count = sum(parameter.numel() for parameter in outline.parameters())
    limit = memory_budget_of(experiment.limits, ["cpu"]).limit
    if (needed := FEWEST * LEAST * FLOAT * count) > limit:
        message = f"{name} has {count:,} parameters at its defaults, which take at least {too_much(needed, limit)}"
        raise UsageError(message, "a smaller model, or a larger limits.memory")
    found = _check_passes(name, configuration, work)
    if isinstance(found, Fault):
        raise UsageError(*found)
    started = list(check_weights(experiment, name, work))
    refused = [ModelWarning(each.refused, "exclude these: constraints: […]") for each in started if each.refused]
    weights = tuple(each.words for each in started)
    return Tried(_first_epochs(configuration, work, TIMES), (*found, *refused), weights)


def _build_in_child(dataset: Dataset, path: Path, text: str, name: str) -> None:
    """Build a model of tuner's, in the process that runs the user's code. Raises `UsageError`."""
    experiment = experiment_here(path, text)
    check_built(experiment, work_of(experiment, dataset), "model", name)


def _train_in_child(dataset: Dataset, path: Path, text: str, name: str) -> list[Epoch]:
    """The results of the first epoch of one of the user's own models. Raises `UsageError`."""
    experiment = experiment_here(path, text)
    work = work_of(experiment, dataset)
    configuration, _ = check_built(experiment, work, "model", name)
    return _first_epochs(configuration, work, 1)


def _sizes_in_child(dataset: Dataset, path: Path, text: str) -> Sizes | None:
    experiment = experiment_here(path, text)
    return sizes(experiment.space, work_of(experiment, dataset))


def work_of(experiment: Experiment, dataset: Dataset) -> Work:
    """The work for checking the user's own code; the metric is the default of the task."""
    sections = ("model", *(part.section for part in PARTS))
    own = {(section, name): "" for section in sections for name in names_of(experiment.space, section)}
    return Work(dataset, DEFAULT[dataset.task], experiment.folder, {key: "" for key in own if is_user_code(key[1])})


def check_built(experiment: Experiment, work: Work, section: str, name: str) -> tuple[Configuration, nn.Module]:
    """The default configuration with `name` as its model, or as another `section`; and its model without data. Raises
    `UsageError`."""

    def choose(parameter: Parameter) -> Value:
        return name if parameter.path == section else parameter.domain.nearest(parameter.default)

    configuration = experiment.space.configuration(experiment.space.walk(choose))
    try:
        recipe = recipe_of(configuration, work)
        return configuration, recipe.build(shapes_of(as_read(work.dataset, recipe.settings)), MetaLanes())
    except DataError:
        raise
    except TunerError as error:
        raise UsageError(error.message, error.hint) from error
    except BaseException as error:
        if not is_user_code(name):
            raise
        raise UsageError(*failed(name, error)) from error


def _check_passes(name: str, configuration: Configuration, work: Work) -> Fault | tuple[ModelWarning, ...]:
    """Check a forward and a backward pass of the user's model on two rows; returns the fault, or else warnings."""
    recipe, dataset = recipe_of(configuration, work), work.dataset
    tensors = DatasetTensors(dataset, torch.device("cpu")).read_as(recipe.settings)
    rows = np.arange(min(2, len(dataset)))
    inputs = LaneData(tensors, [Lane(rows, (), 0)]).inputs(torch.from_numpy(rows)[None])
    wanted = (len(rows), *dataset.positions, dataset.outputs)
    pixels = len(dataset.positions) == 2
    shown = f"{len(rows)} rows of {'×'.join(str(n) for n in dataset.features.shape[1:])}"
    try:
        model = recipe.build(tensors.shapes, Lanes((0,)))
        if not any(True for _ in model.parameters()):
            return Fault(f"{name} has no weights to train", "register its layers in its constructor")
        if others := {str(p.dtype) for p in model.parameters()} - {"torch.float32"}:
            return Fault(f"{name} has weights of {', '.join(sorted(others))}", "float32, which lanes train in")
        out = model(*inputs)
        out.sum().backward()
        if tuple(out.shape[1:]) != wanted:
            found, wanted_shape = (_as_torch(tuple(each), pixels) for each in (out.shape[1:], wanted))
            text = f"{name} returned a tensor of shape {found} for {shown}; expected {wanted_shape}"
            return Fault(text, _hint(name, work) or "correct its forward")
        return tuple(_suspicions(name, model.eval(), inputs, dataset))
    except TunerError as error:
        return Fault(error.message, error.hint or "")
    except BaseException as error:  # only the model itself can raise KeyboardInterrupt in this process
        fault = failed(name, error, f" on {shown}")
        return fault._replace(hint=_hint(name, work) or fault.hint)


def _suspicions(
    name: str, model: nn.Module, inputs: Sequence[torch.Tensor], dataset: Dataset
) -> Iterator[ModelWarning]:
    """Warnings about a model that returns probabilities, or cannot read a batch of one row."""
    with torch.no_grad():
        out = model(*inputs)
        sums = out.sum(dim=-1)
        if dataset.task == "classification" and (out >= 0).all() and torch.allclose(sums, torch.ones_like(sums)):
            text = f"{name} returns probabilities, which sum to 1 in each row, and the loss takes logits"
            yield ModelWarning(text, "leave the softmax out of its forward: the loss applies it")
        try:
            one: tuple[int, ...] = tuple(model(*(each[:, :1] for each in inputs)).shape[1:])
        except Exception as error:
            one, why = (), f": {first_line(error)}"
        else:
            why = f": it returns {one}, not {(1, *out.shape[2:])}"
        if one != (1, *out.shape[2:]):
            yield ModelWarning(f"{name} cannot read a batch of one row{why}", SQUEEZE)


def _hint(name: str, work: Work) -> str | None:
    """A hint if an argument that is named like a shape has a default."""
    settings = shape_settings(load(name, work.folder))
    if not settings:
        return None
    which = " and ".join(settings)
    return (f"its constructor gives {which} a default, which makes it a setting; without one, or annotated as "
            'Annotated[int, "shape"], it is filled in from the data')  # fmt: skip


def _first_epochs(configuration: Configuration, work: Work, times: int) -> list[Epoch]:
    """The results of `epochs_of`; none if the training fails."""
    try:
        return epochs_of(configuration, work, times)
    except BaseException:  # trials report errors of its training
        return []


def epochs_of(configuration: Configuration, work: Work, times: int) -> list[Epoch]:
    """The results of an epoch on a part of the rows, trained `times` times from the same seed; fewer times if it takes
    long. Raises what the user's code raises."""
    dataset = work.dataset
    order = np.random.default_rng(0).permutation(len(dataset))[: 2 * REPEATED].astype(np.int64)
    half = len(order) // 2
    recipe = recipe_of(configuration, work, epochs=1, warmup=0, early_stopping=None)
    lane, tensors = (
        Lane(np.sort(order[:half]), (np.sort(order[half:]),), 1),
        DatasetTensors(dataset, torch.device("cpu")),
    )
    found: list[Epoch] = []
    begun = time.monotonic()
    while len(found) < times and time.monotonic() - begun < SLOW:
        curves = train(recipe, [lane], tensors, lambda epoch, curves: np.ones(1, bool)).curves
        found.append(Epoch(curves.train_loss, curves.loss, curves.score))
    return found


def unrepeated(name: str, epochs: Sequence[Epoch]) -> ModelWarning | None:
    """A warning if the first epoch of a model is not the same each time."""
    for what, words in zip(Epoch._fields, ("training loss", "validation loss", "score"), strict=True):
        for again in epochs[1:]:
            before, after = getattr(epochs[0], what), getattr(again, what)
            if not np.array_equal(before, after, equal_nan=True):
                text = f"{name} is not reproducible: trained twice for one epoch from the same seed, its {words} is "
                text += f"{before.flat[-1]:.9g} and {after.flat[-1]:.9g}"
                return ModelWarning(f"{text}: its results cannot be reproduced", REPEATABLE)
    return None


def filled(dataset: Dataset, own: Mapping[tuple[str, str], UserCodeInfo]) -> list[str]:
    """For each of the user's own models: which arguments are filled in from the data."""
    shapes, found = shapes_of(dataset), []
    for model in (each for (section, _), each in own.items() if section == "model"):
        words = ", ".join(f"{argument}={value}" for argument, value in filled_in(model, shapes).items())
        found.append(f"{model.code.name}: {words or 'nothing'}")
    return found


def not_settings(own: Iterable[UserCodeInfo]) -> list[str]:
    """For the user's own code: which arguments keep their defaults, as no file can hold their type."""
    each = ((part.code.name, part.code.skipped) for part in own if part.code.skipped)
    return [f"{name}: {', '.join(f'{key} ({kind})' for key, kind in skipped.items())}" for name, skipped in each]


def _as_torch(shape: tuple[int, ...], pixels: bool) -> tuple[int, ...]:
    """The shape with the classes at the position that they have in user models."""
    return (shape[0], shape[-1], *shape[1:-1]) if pixels and len(shape) == 4 else shape


def names_of(space: Space, section: str) -> list[str]:
    """Every name that a configuration can have at `section`: of its model, its loss, …"""
    chosen = [p.domain.options for p in space.parameters if p.path == section and isinstance(p.domain, Choice)]
    fixed = [str(f.value) for f in space.fixed if f.path == f"{section}.name"]
    return [*fixed, *(str(option) for options in chosen for option in options)]
