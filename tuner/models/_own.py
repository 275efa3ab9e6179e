"""The user's own model: `my_nets.py:MyNet` beside the experiment file, or `package.module:Class` that is installed.

Any plain `nn.Module`. Its constructor's annotated arguments are the settings. Arguments without a default that are
named like a shape (`in_features`, `num_classes`, …: `SHAPES`) are filled in from the data; with a default they are
settings like any other, so that `width` may be a number of channels, unless annotated as `Annotated[int, "shape"]`.
Its `forward` reads a batch (N, …) as the data has it, codes as int64, and may take `lengths` (N,) of sequences and
`side` (N, D) beside ids. It returns what torch's losses take: (N, outputs), or of one output (N,); steps
(N, T, outputs); pixels (N, classes, H, W).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple, get_args

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from tuner.data.inputs import Layout
from tuner.data.target import Task
from tuner.errors import UsageError
from tuner.experiment.own_arguments import code_of, described
from tuner.experiment.own_code import Kind, UserCodeInfo, find_object, reaching, root_of
from tuner.experiment.settings import Settings as BaseSettings
from tuner.models._weights import read_weights, start_from
from tuner.models.layers import Copies, Lanes, Shapes


class ModelSettings(BaseSettings):
    """The settings of every model of the user, beside the arguments of its constructor."""

    weights: str | None = Field(None, description="safetensors file with weights to start from, by name")


class Shape(NamedTuple):
    """A shape that can be passed to the user's constructor: its description, and a function that reads it from the data
    (None if the data does not have it)."""

    meaning: str
    of: Callable[[Shapes], Any]


def _features(shapes: Shapes) -> int | None:
    if shapes.vocabularies:
        return None
    return shapes.inputs[-1] if len(shapes.inputs) == 2 else math.prod(shapes.inputs)


def _image(index: int) -> Callable[[Shapes], int | None]:
    return lambda shapes: shapes.inputs[index] if len(shapes.inputs) == 3 else None


def _ids(index: int) -> Callable[[Shapes], int | None]:
    return lambda shapes: shapes.vocabularies[index] if len(shapes.vocabularies) > 1 else None


def _tokens(shapes: Shapes) -> int | None:
    return shapes.vocabularies[0] if len(shapes.vocabularies) == 1 else None


def _steps(shapes: Shapes) -> int | None:
    return shapes.inputs[0] if len(shapes.inputs) == 2 or len(shapes.vocabularies) == 1 else None


SHAPES: Mapping[str, Shape] = {
    "input_shape": Shape("the shape of a row, as a tuple", lambda shapes: shapes.inputs),
    "in_features": Shape("numbers of a row, or of a step of a sequence", _features),
    "in_channels": Shape("channels of an image", _image(0)),
    "height": Shape("rows of an image", _image(1)),
    "width": Shape("columns of an image", _image(2)),
    "sequence_length": Shape("steps of the longest sequence", _steps),
    "vocabulary_size": Shape("how many tokens there are, codes from 0", _tokens),
    "num_users": Shape("how many users there are: column 0 of the ids (N, 2)", _ids(0)),
    "num_items": Shape("how many items there are: column 1 of the ids (N, 2)", _ids(1)),
    "side_features": Shape(
        "number of side features beside the ids, passed to forward as `side`", lambda s: s.side or None
    ),
    "num_classes": Shape("number of classes: the model returns that many logits", lambda shapes: shapes.outputs),
    "out_features": Shape("the same; for regression, the number of outputs", lambda shapes: shapes.outputs),
}
ANY_NUMBER = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
MODEL = Kind(
    section="model",
    word="CLASS",
    what="torch.nn.Module",
    fits=lambda meant: isinstance(meant, type) and issubclass(meant, nn.Module),
    handed_in=tuple(SHAPES),
    required=f"give it in the file; shapes are handed in by the names {', '.join(SHAPES)}",
    unclear="is not a shape, and has neither an annotation nor a default",
)
LAYOUTS, TASKS = get_args(Layout), tuple(task for task in get_args(Task) if task != "translation")


@dataclass(frozen=True)
class UserModel(UserCodeInfo):
    """The user's model class with the interface of a module of `tuner.models`. Exists only in processes that may run
    the user's code."""

    make: Callable[..., nn.Module]
    root: Path
    folder: Path  # from which paths start

    def build(self, settings: BaseSettings, shapes: Shapes, lanes: Lanes) -> nn.Module:
        """Build K copies of the user's model. Raises `UsageError`, and `DataError` for its weights."""
        assert isinstance(settings, ModelSettings)
        given, name = filled(self, shapes), self.code.name
        for argument, value in given.items():
            if value is None:
                text = f"{name} asks for {argument}, which this data does not have"
                has = [other for other, shape in SHAPES.items() if shape.of(shapes) is not None]
                raise UsageError(text, f"give it a default, if it is a setting; it has {', '.join(has)}")
        arguments = {**given, **settings.model_dump(exclude={"name", *ModelSettings.model_fields})}
        make = partial(self._made, arguments, settings.weights, shapes)
        return Copies(make, lanes, partial(_answer, shapes=shapes, name=name))

    def started(self, settings: BaseSettings, shapes: Shapes) -> list[str]:
        """The parameters and buffers that do not start from the file of `weights`, as it does not have them. Raises
        `DataError`."""
        assert isinstance(settings, ModelSettings)
        arguments = {**filled(self, shapes), **settings.model_dump(exclude={"name", *ModelSettings.model_fields})}
        return self._start(self._constructed(arguments, shapes), settings.weights)

    def _made(self, arguments: Mapping[str, Any], weights: str | None, shapes: Shapes) -> nn.Module:
        """One module with its initial weights."""
        model = self._constructed(arguments, shapes)
        self._start(model, weights)
        return model

    def _constructed(self, arguments: Mapping[str, Any], shapes: Shapes) -> nn.Module:
        """One module; its constructor may import, and lazy layers get their shapes from a batch of zeros."""
        with reaching(self.root):
            model = self.make(**arguments)
            if any(map(is_lazy, model.parameters())):
                named = inspect.signature(model.forward).parameters
                more = {"lengths": torch.full((2,), shapes.inputs[0]), "side": torch.zeros(2, shapes.side or 0)}
                kind = torch.int64 if shapes.vocabularies else torch.float32
                training = model.training
                with torch.no_grad():
                    batch = torch.zeros((2, *shapes.inputs), dtype=kind)
                    model.eval()(batch, **{key: value for key, value in more.items() if key in named})
                model.train(training)
        return model

    def _start(self, model: nn.Module, weights: str | None) -> list[str]:
        if weights is None:
            return []
        with torch.no_grad():
            return start_from(model, read_weights(self.folder / weights), weights, self.code.name)


def _answer(out: Any, shapes: Shapes, name: str) -> Tensor:
    """Convert the output of a user model for N rows to the layout of lanes: (N, outputs) or (N, *positions,
    outputs)."""
    if not isinstance(out, Tensor):
        raise UsageError(f"the forward of {name} gives a {type(out).__name__}, not a tensor", "return one tensor")
    if len(shapes.positions) == 2 and out.ndim == 4:
        return out.movedim(1, -1)
    return out[:, None] if shapes.outputs == 1 and out.ndim == 1 else out


def filled(own: UserCodeInfo, shapes: Shapes) -> dict[str, Any]:
    """The arguments that come from the data; None where it has no such shape."""
    return {name: SHAPES[name].of(shapes) for name in own.code.handed_in}


def shape_settings(own: UserCodeInfo) -> list[str]:
    """Arguments named like a shape that are settings because they have a default."""
    return [name for name in own.Settings.model_fields if name in SHAPES]


def load(name: str, folder: Path) -> UserModel:
    """The class that `name` means, from `folder` or the installed packages: runs the user's code. Raises
    `UsageError`."""
    return _load(name, folder.resolve())


@cache
def _load(name: str, folder: Path) -> UserModel:
    code = find_object(name, folder, MODEL)
    own = described(code_of(name, code, MODEL, ModelSettings), ModelSettings)
    _check_forward(name, code.target)
    return UserModel(own.code, own.Settings, code.target, root_of(name, folder), folder)


def _check_forward(name: str, cls: type[nn.Module]) -> None:
    """Raise `UsageError` if the model asks for more than a batch, its lengths and its side features."""
    _, *arguments = inspect.signature(cls.forward).parameters.values()
    needed = [each.name for each in arguments[1:] if each.default is each.empty and each.kind not in ANY_NUMBER]
    if more := [each for each in needed if each not in ("lengths", "side")]:
        hint = "it gets one batch of all features, and lengths or side by these names: split the batch inside"
        raise UsageError(f"{name}: its forward also asks for {' and '.join(more)}", hint)
