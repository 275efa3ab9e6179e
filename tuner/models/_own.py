"""The user's own model: `my_nets.py:MyNet` beside the experiment file, or `package.module:Class` that is installed.

Any plain `nn.Module`. Its constructor's annotated arguments are the settings; those that are called like a shape
(`in_features`, `num_classes`, …: `SHAPES`) are handed in.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import math
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args

from pydantic import create_model
from pydantic.errors import PydanticUserError
from torch import nn

from tuner.data.dataset import Layout, Task
from tuner.errors import TunerError, UsageError, did_you_mean
from tuner.models.layers import Copies, Lanes, Shapes
from tuner.seeds import seed_of
from tuner.spec.settings import Settings as BaseSettings
from tuner.spec.settings import members

SHAPES: Mapping[str, Callable[[Shapes], Any]] = {  # None where the data has no such thing
    "input_shape": lambda s: s.inputs,
    "in_features": lambda s: None if s.vocabularies else s.inputs[-1] if len(s.inputs) == 2 else math.prod(s.inputs),
    "in_channels": lambda s: s.inputs[0] if len(s.inputs) == 3 else None,
    "height": lambda s: s.inputs[1] if len(s.inputs) == 3 else None,
    "width": lambda s: s.inputs[2] if len(s.inputs) == 3 else None,
    "sequence_length": lambda s: s.inputs[0] if len(s.inputs) == 2 or len(s.vocabularies) == 1 else None,
    "vocabulary_size": lambda s: s.vocabularies[0] if len(s.vocabularies) == 1 else None,
    "num_users": lambda s: s.vocabularies[0] if len(s.vocabularies) > 1 else None,
    "num_items": lambda s: s.vocabularies[1] if len(s.vocabularies) > 1 else None,
    "side_features": lambda s: s.side or None,
    "num_classes": lambda s: s.outputs,
    "out_features": lambda s: s.outputs,
}
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
        given = {name: SHAPES[name](shapes) for name in self.shapes}
        for name, value in given.items():
            if value is None:
                raise UsageError(f"{self.name} asks for {name}, which this data does not have")
        return Copies(partial(self.make, **given, **settings.model_dump(exclude={"name"})), lanes)


def is_own(name: str) -> bool:
    """Whether a model's name means the user's own."""
    return ":" in name


def load(name: str, folder: Path) -> Own:
    """The class that `name` means, from `folder` or the installed packages. Raises `UsageError`."""
    return _load(name, folder.resolve())


@cache
def _load(name: str, folder: Path) -> Own:
    where, _, called = name.partition(":")
    module, files = _file(where, folder) if where.endswith(".py") else _package(where)
    found = getattr(module, called, None)
    if not isinstance(found, type) or not issubclass(found, nn.Module):
        classes = [n for n, v in vars(module).items() if isinstance(v, type) and issubclass(v, nn.Module)]
        text = f"{where} has no class '{called}'" if found is None else f"{called} of {where} is no torch.nn.Module"
        raise UsageError(text, did_you_mean(called, classes) if classes else None)
    settings, shapes = _arguments(name, found)
    return Own(name, settings, shapes, found, _digest(files))


def _file(where: str, folder: Path) -> tuple[ModuleType, list[Path]]:
    """The module, and its file with those that it imported from beside it."""
    path = (folder / where).resolve()
    if not path.is_file():
        raise UsageError(f"{where}: no such file in {folder}", "model.name is FILE.py:CLASS beside the experiment file")
    spec = importlib.util.spec_from_file_location(f"tuner_own_{path.stem}_{seed_of(str(path)):x}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = set(sys.modules)
    sys.modules[spec.name] = module
    sys.path.append(str(path.parent))  # last: what it imports from beside it hides no library
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise _broken(where, error) from error
    finally:
        sys.path.remove(str(path.parent))
    beside = {}
    for name in set(sys.modules) - before - {spec.name}:
        place = getattr(sys.modules[name], "__file__", None)
        installed = place is None or "site-packages" in place or Path(place).is_relative_to(sys.prefix)
        if place and not installed and Path(place).is_relative_to(path.parent):
            beside[name] = Path(place)
    for name in beside:  # another folder may have one of the same name
        del sys.modules[name]
    return module, [path, *sorted(beside.values())]


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _package(where: str) -> tuple[ModuleType, list[Path]]:
    beside = [entry for entry in sys.path if entry in ("", str(Path.cwd()))]
    for entry in beside:  # the working directory is neither the experiment's folder nor installed
        sys.path.remove(entry)
    try:
        module = importlib.import_module(where)
        return module, [Path(module.__file__)] if module.__file__ else []
    except ModuleNotFoundError as error:
        raise UsageError(
            f"there is no installed module '{error.name}'", f"pip install it, or name {where}.py"
        ) from error
    except (Exception, SystemExit) as error:
        raise _broken(where, error) from error
    finally:
        sys.path[:0] = beside


def _broken(where: str, error: BaseException) -> TunerError:
    place = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
    return UsageError(f"{where} cannot be imported: {type(error).__name__}: {error}{place}", "mend it")


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
            fields[argument.name] = (kind, argument.default if given else ...)
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
