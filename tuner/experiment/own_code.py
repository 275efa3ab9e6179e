"""The user's own code: `FILE.py:NAME` next to the experiment file, or `package.module:NAME` that is installed.

`find_object` imports it, and hashes it with the modules that it imports from its folder. A `Code` describes it in plain
values for other processes; `tuner.experiment.own_arguments` makes settings of its arguments.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from tuner.errors import LimitReached, TunerError, UsageError, did_you_mean, first_line, lacking
from tuner.experiment.settings import Settings
from tuner.seeds import seed_of

GROUP = "tuner"  # of entry points
DECLARE = f"put the function beside the experiment file, or declare it in its package: [project.entry-points.{GROUP}]"
INSTALLED = ("site-packages", "dist-packages")  # where pip installs; may lie beside the experiment file


@dataclass(frozen=True)
class Kind:
    """A kind of user code: a model, a loader, a loss, …

    Attributes:
        section: where the file names it: "model", "dataset", "training.loss", …
        word: placeholder in messages, "CLASS", "FUNCTION" or "NAME".
        what: what the object must be, for messages.
        fits: whether an object is of this kind.
        handed_in: names of arguments that tuner fills in, unless they have a default; see `despite_default`.
        required, unclear: messages about a setting without a default, and an argument that is neither.
        despite_default: names that are filled in even if they have a default, as are those annotated as "shape".
        declared: an installed package must declare an entry point of the group "tuner".
        functions_declared: so must one that names an installed function, but not a class.
        leading: how many of the first arguments of an object are passed by tuner, by position.
    """

    section: str
    word: str
    what: str
    fits: Callable[[Any], bool]
    handed_in: tuple[str, ...]
    required: str
    unclear: str
    despite_default: tuple[str, ...] = ()
    declared: bool = False
    functions_declared: bool = False
    leading: Callable[[Any], int] = lambda meant: 0

    @property
    def noun(self) -> str:
        """The kind in a word, such as "loss"."""
        return self.section.rpartition(".")[2]


@dataclass(frozen=True)
class Code:
    """A plain description of the user's code, which other processes can use without running it.

    `fields`: annotation and default (or `Field`) of each argument that is a setting; `handed_in`: arguments that are
    filled in; `skipped`: arguments that keep their default, as no file can hold their type, with this type; `files`,
    `digest`: the files of the code and of its imports from the same folder, and their hash."""

    name: str
    called: str
    fields: Mapping[str, tuple[Any, Any]]
    handed_in: tuple[str, ...]
    skipped: Mapping[str, str]
    files: tuple[Path, ...]
    digest: str


@dataclass(frozen=True)
class UserCodeInfo:
    """The user's code, as known to a process that does not run it."""

    code: Code
    Settings: type[Settings]


def is_user_code(name: str) -> bool:
    """Whether a name refers to the user's own code."""
    return ":" in name or name.endswith(".py")


def check_name(name: str, kind: Kind) -> None:
    """Raise `UsageError` if a name can be neither a file nor a module; runs nothing."""
    where = name.partition(":")[0]
    if not where.isprintable() or not (where.endswith(".py") or all(map(str.isidentifier, where.split(".")))):
        raise UsageError(f"{where!r} names no file and no module", f"{kind.section}.name is FILE.py:{kind.word}")


class UserObject(NamedTuple):
    """A class or function of the user, its files, and their hash."""

    target: Any
    files: tuple[Path, ...]
    digest: str


def find_object(name: str, folder: Path, kind: Kind) -> UserObject:
    """The object that `name` refers to, in `folder` or an installed package. Raises `UsageError`."""
    check_name(name, kind)
    where, _, called = name.partition(":")
    module, files = _imported(where, folder, kind)
    meant = getattr(module, called, None)
    if not kind.fits(meant):
        fitting = [n for n, v in vars(module).items() if kind.fits(v)]
        noun = kind.word.lower()
        text = f"{where} has no {noun} '{called}'" if meant is None else f"{called} of {where} is not a {kind.what}"
        if not called:
            raise UsageError(f"'{name}' names no {noun}", f"name: {where}:{fitting[0] if fitting else kind.word}")
        raise UsageError(text, did_you_mean(called, fitting) if fitting else None)
    if kind.functions_declared and inspect.isfunction(meant) and not where.endswith(".py"):
        _check_declared(where, root_of(name, folder))
    return UserObject(meant, tuple(files), _digest(files))


class Fault(NamedTuple):
    """What is wrong with the user's code, and how to fix it."""

    text: str
    hint: str


def failed(name: str, error: BaseException, on: str = "") -> Fault:
    """An exception of the user's code, in words. Raises `LimitReached` if the machine is at fault."""
    if lack := lacking(error):
        raise LimitReached(f"{name} cannot run{on}: {lack}") from error
    return Fault(f"{name} fails{on}: {first_line(error)}", "fix the error in your code; --debug shows the traceback")


_beside: set[str] = set()  # modules that user code last imported from its folder


@contextmanager
def reaching(root: Path) -> Iterator[None]:
    """Let imports find modules in `root` and installed ones."""
    elsewhere = {"", str(Path.cwd()), *os.environ.get("PYTHONPATH", "").split(os.pathsep)}  # not for installed modules
    paths = sys.path[:]
    sys.path[:] = [*(entry for entry in paths if entry not in elsewhere), str(root)]  # last: it hides no library
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = paths


def root_of(name: str, folder: Path) -> Path:
    """The folder in which imports of the user's code are looked up."""
    where = name.partition(":")[0]
    return (folder / where).resolve().parent if where.endswith(".py") else folder


def _imported(where: str, folder: Path, kind: Kind) -> tuple[ModuleType, list[Path]]:
    """The module, and its file with those of the modules that it imports from the same folder."""
    if not where.endswith(".py") and where.partition(".")[0] in sys.stdlib_module_names:
        text = f"{where} belongs to Python's standard library and cannot provide a {kind.what}"
        raise UsageError(text, f"{kind.section}.name is FILE.py:{kind.word} beside the experiment file")
    path = (folder / where).resolve() if where.endswith(".py") else None
    if path is not None and not (os.path.isfile(path) and path.is_relative_to(folder)):
        hint = f"{kind.section}.name is FILE.py:{kind.word} beside the experiment file"
        raise UsageError(f"{where}: no such file in {folder}", hint)
    root = root_of(where, folder)
    if path is not None and kind.declared and {*INSTALLED} & {*path.relative_to(folder).parts}:
        hint = f"{kind.section}.name is FILE.py:{kind.word} beside the experiment file"
        raise UsageError(f"{where} is an installed file", hint)
    if path is None and kind.declared:
        _check_declared(where, root)
    for name in _beside:  # another folder may have a module of the same name
        sys.modules.pop(name, None)
    _beside.clear()
    before, process = set(sys.modules), os.getpid()
    try:
        with reaching(root):
            module = importlib.import_module(where) if path is None else _executed(path)
    except ModuleNotFoundError as error:
        missing = f"there is no module '{error.name}', neither in {folder} nor installed"
        raise UsageError(f"{where}: {missing}", "pip install it, or put it there") from error
    except BaseException as error:  # it runs in a separate process, where only the code itself raises KeyboardInterrupt
        raise _broken(where, error, kind) from error
    finally:
        if os.getpid() != process:
            os._exit(0)  # the user's code forked: exit in the copy, the original goes on
    files = {name: Path(file) for name in set(sys.modules) - before if (file := _file_beside(sys.modules[name], root))}
    _beside.update(name for name, file in files.items() if Path(file) != path)
    place = getattr(module, "__file__", None)  # a namespace package has none
    own = [path] if path else [Path(place)] if place else []
    return module, [*own, *sorted({*files.values()} - {*own})]


def _check_declared(where: str, root: Path) -> None:
    """Raise `UsageError` for an installed module whose package declares no entry point."""
    if not _may_name(where, root):
        text = f"{where} is installed, and its package declares no entry point of the group '{GROUP}'"
        raise UsageError(text, DECLARE)


def _may_name(where: str, root: Path) -> bool:
    """Whether a module lies next to the experiment file, does not exist, or belongs to a package that declares an entry
    point: otherwise an experiment file could run any installed function."""
    package = where.partition(".")[0]
    with reaching(root):
        spec = importlib.util.find_spec(package)
    if spec is None:
        return True
    places = [*(spec.submodule_search_locations or ()), *([spec.origin] if spec.origin else [])]
    if any(Path(place).is_relative_to(root) and not {*INSTALLED} & {*Path(place).parts} for place in places):
        return True
    return package in {point.value.partition(":")[0].partition(".")[0] for point in entry_points(group=GROUP)}


def _executed(path: Path) -> ModuleType:
    """Import a file as a module."""
    spec = importlib.util.spec_from_file_location(f"tuner_own_{path.stem}_{seed_of(str(path)):x}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _file_beside(module: ModuleType, root: Path) -> str | None:
    """The file of a module in `root` that is not installed there."""
    place = getattr(module, "__file__", None)
    if place is None or {*INSTALLED} & {*Path(place).parts} or Path(place).is_relative_to(sys.prefix):
        return None
    return str(place) if Path(place).is_relative_to(root) else None


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _broken(where: str, error: BaseException, kind: Kind) -> TunerError:
    if lack := lacking(error):
        return LimitReached(f"{where} cannot be imported: {lack}")
    place = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
    hint = "fix it"
    if isinstance(error, ImportError) and "relative import" in str(error):
        hint = f"a module of a package is named with dots: {where.removesuffix('.py').replace('/', '.')}:{kind.word}"
    return UsageError(f"{where} cannot be imported: {first_line(error)}{place}", hint)
