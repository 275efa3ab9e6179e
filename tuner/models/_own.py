"""The user's own model: `my_nets.py:MyNet` beside the experiment file, or `package.module:Class` that is installed.

Any plain `nn.Module`. Its constructor's annotated arguments are the settings; those that are called like a shape
(`in_features`, `num_classes`, …: `SHAPES`) are handed in. Its `forward` reads a batch (N, …) as the data has it, codes
as int64, and may take `lengths` (N,) of sequences and `side` (N, D) beside ids. It answers as torch's losses want it:
(N, outputs), or of one output (N,); steps (N, T, outputs); pixels (N, classes, H, W).
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import math
import os
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple, get_args

from pydantic import Field, create_model
from pydantic.errors import PydanticUserError
from torch import Tensor, nn

from tuner.data.dataset import Layout, Task
from tuner.errors import TunerError, UsageError, did_you_mean
from tuner.models.layers import Copies, Lanes, Shapes
from tuner.seeds import seed_of
from tuner.spec.settings import Settings as BaseSettings
from tuner.spec.settings import members


class Shape(NamedTuple):
    """What is handed in under one name: its meaning, and how it is read; None where the data has no such thing."""

    meaning: str
    of: Callable[[Shapes], Any]


def _features(shapes: Shapes) -> int | None:
    if shapes.vocabularies:
        return None
    return shapes.inputs[-1] if len(shapes.inputs) == 2 else math.prod(shapes.inputs)


def _image(place: int) -> Callable[[Shapes], int | None]:
    return lambda shapes: shapes.inputs[place] if len(shapes.inputs) == 3 else None


def _ids(place: int) -> Callable[[Shapes], int | None]:
    return lambda shapes: shapes.vocabularies[place] if len(shapes.vocabularies) > 1 else None


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
    "side_features": Shape("numbers that stand beside the ids, which forward takes as side", lambda s: s.side or None),
    "num_classes": Shape("what it is to answer: logits of so many classes", lambda shapes: shapes.outputs),
    "out_features": Shape("the same; for regression, so many numbers", lambda shapes: shapes.outputs),
}
HANDED_IN = f"give it in the file; shapes are handed in by the names {', '.join(SHAPES)}"
KINDS = "annotate them as int, float, bool, str or Literal"
LAYOUTS, TASKS = get_args(Layout), tuple(task for task in get_args(Task) if task != "translation")


@dataclass(frozen=True)
class Own:
    """A class as a model: what a module of `tuner.models` has, and the hash of its file."""

    name: str
    Settings: type[BaseSettings]
    shapes: tuple[str, ...]
    make: Callable[..., nn.Module]
    digest: str
    LAYOUTS: tuple[str, ...] = LAYOUTS
    TASKS: tuple[str, ...] = TASKS

    def build(self, settings: BaseSettings, shapes: Shapes, lanes: Lanes) -> nn.Module:
        """K copies of it."""
        given = {name: SHAPES[name].of(shapes) for name in self.shapes}
        for name, value in given.items():
            if value is None:
                text = f"{self.name} asks for {name}, which this data does not have"
                has = [other for other, shape in SHAPES.items() if shape.of(shapes) is not None]
                raise UsageError(text, f"it has {', '.join(has)}; another layout may have more")
        make = partial(self.make, **given, **settings.model_dump(exclude={"name"}))
        return Copies(make, lanes, partial(_answer, shapes=shapes, name=self.name))


def _answer(out: Any, shapes: Shapes, name: str) -> Tensor:
    """What a copy says of N rows as a lane's answer: (N, outputs), or (N, *places, outputs)."""
    if not isinstance(out, Tensor):
        raise UsageError(f"the forward of {name} gives a {type(out).__name__}, not a tensor", "return one tensor")
    if len(shapes.places) == 2 and out.ndim == 4:
        return out.movedim(1, -1)
    return out[:, None] if shapes.outputs == 1 and out.ndim == 1 else out


def is_own(name: str) -> bool:
    """Whether a model's name means the user's own."""
    return ":" in name or name.endswith(".py")


def load(name: str, folder: Path) -> Own:
    """The class that `name` means, from `folder` or the installed packages. Raises `UsageError`."""
    return _load(name, folder.resolve())


@cache
def _load(name: str, folder: Path) -> Own:
    where, _, called = name.partition(":")
    module, files = _imported(where, folder)
    found = getattr(module, called, None)
    if not isinstance(found, type) or not issubclass(found, nn.Module):
        classes = [n for n, v in vars(module).items() if isinstance(v, type) and issubclass(v, nn.Module)]
        text = f"{where} has no class '{called}'" if found is None else f"{called} of {where} is no torch.nn.Module"
        if not called:
            raise UsageError(f"'{name}' names no class", f"name: {where}:{classes[0] if classes else 'CLASS'}")
        raise UsageError(text, did_you_mean(called, classes) if classes else None)
    settings, shapes = _arguments(name, found)
    return Own(name, settings, shapes, found, _digest(files))


_beside: set[str] = set()  # modules that the last model brought with it


def _imported(where: str, folder: Path) -> tuple[ModuleType, list[Path]]:
    """The module, and its file with those that it imported from beside it."""
    path = (folder / where).resolve() if where.endswith(".py") else None
    if path is not None and not (path.is_file() and path.is_relative_to(folder)):
        raise UsageError(f"{where}: no such file in {folder}", "model.name is FILE.py:CLASS beside the experiment file")
    root = folder if path is None else path.parent
    for name in _beside:  # another folder may have one of the same name
        sys.modules.pop(name, None)
    _beside.clear()
    before, paths = set(sys.modules), sys.path[:]
    elsewhere = {"", str(Path.cwd()), *os.environ.get("PYTHONPATH", "").split(os.pathsep)}  # that is not installed
    sys.path[:] = [*(entry for entry in paths if entry not in elsewhere), str(root)]  # last: it hides no library
    importlib.invalidate_caches()
    try:
        module = importlib.import_module(where) if path is None else _executed(path)
    except ModuleNotFoundError as error:
        missing = f"there is no module '{error.name}', neither in {folder} nor installed"
        raise UsageError(f"{where}: {missing}", "pip install it, or put it there") from error
    except (Exception, SystemExit) as error:
        raise _broken(where, error) from error
    finally:
        sys.path[:] = paths
    files = {name: Path(file) for name in set(sys.modules) - before if (file := _file_beside(sys.modules[name], root))}
    _beside.update(name for name, file in files.items() if Path(file) != path)
    own = [path] if path else [Path(module.__file__)] if module.__file__ else []
    return module, [*own, *sorted({*files.values()} - {*own})]


def _executed(path: Path) -> ModuleType:
    """A file as a module of its own."""
    spec = importlib.util.spec_from_file_location(f"tuner_own_{path.stem}_{seed_of(str(path)):x}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _file_beside(module: ModuleType, root: Path) -> str | None:
    """The file of a module that lies in `root`, and is not installed there."""
    place = getattr(module, "__file__", None)
    if place is None or "site-packages" in place or Path(place).is_relative_to(sys.prefix):
        return None
    return str(place) if Path(place).is_relative_to(root) else None


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _broken(where: str, error: BaseException) -> TunerError:
    place = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
    hint = "mend it"
    if "relative import" in str(error):
        hint = f"a module of a package is named with dots: {where.removesuffix('.py').replace('/', '.')}:CLASS"
    return UsageError(f"{where} cannot be imported: {type(error).__name__}: {error}{place}", hint)


def _plain(kind: Any) -> bool:
    """Whether a file can hold it: a number, text, true or false, one of several words, or nothing."""
    return all(
        member in (int, float, bool, str, type(None)) or typing.get_origin(member) is Literal
        for member in members(kind)
    )


def _arguments(name: str, cls: type[nn.Module]) -> tuple[type[BaseSettings], tuple[str, ...]]:
    """Settings from the constructor's arguments, and those of them that are shapes."""
    try:
        hints = typing.get_type_hints(cls.__init__, include_extras=True)
    except NameError as error:
        raise UsageError(
            f"{name}: an annotation cannot be read: {error}", "write int, float, bool, str or Literal"
        ) from error
    fields: dict[str, Any] = {}
    shapes = []
    for argument in list(inspect.signature(cls).parameters.values()):
        if argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD):
            continue
        given = argument.default is not argument.empty
        if argument.name == "name":
            raise UsageError(f"{name}: its argument 'name' is taken: it names the model", "call it otherwise")
        if argument.name in SHAPES:
            shapes.append(argument.name)
        elif argument.name in hints or (given and isinstance(argument.default, int | float | str)):
            kind = hints.get(argument.name, type(argument.default))
            if not _plain(kind):
                if given:
                    continue
                text = f"{name}: its argument '{argument.name}' is annotated as {getattr(kind, '__name__', kind)}"
                raise UsageError(text, KINDS)
            fields[argument.name] = (kind, argument.default if given else Field(description=HANDED_IN))
        elif not given:
            near = did_you_mean(argument.name, SHAPES)
            text = f"{name}: its argument '{argument.name}' is no shape, and has neither an annotation nor a default"
            raise UsageError(text, f"write {argument.name}: int, say; or {near}")
    try:
        settings = create_model(cls.__name__, __base__=BaseSettings, **{"name": (Literal[name], name), **fields})
    except (PydanticUserError, NameError, TypeError) as error:
        text = f"{name}: its arguments cannot be settings: {str(error).splitlines()[0]}"
        raise UsageError(text, KINDS) from error
    return settings, tuple(shapes)
