"""The folder listing is the registry: a module in `tuner/models` is a model, one in `tuner/sources` a source."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import pkgutil
from pathlib import Path
from types import ModuleType

from tuner.errors import LimitReached, UsageError, first_line, lacking


def names(package: str) -> tuple[str, ...]:
    """The members of a package: its public modules, sorted. Sub-packages hold shared parts and are not members."""
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.submodule_search_locations is not None
    modules = pkgutil.iter_modules(spec.submodule_search_locations)
    return tuple(sorted(m.name for m in modules if not m.ispkg and not m.name.startswith("_")))


def load(package: str, name: str) -> ModuleType:
    """Import one member. Raises `UsageError` if its file fails, and `LimitReached` if this machine cannot import it."""
    try:
        return importlib.import_module(f"{package}.{name}")
    except Exception as error:
        if lack := lacking(error):
            raise LimitReached(f"{package}.{name} cannot be imported: {lack}") from error
        text = f"{package}.{name} cannot be imported: {first_line(error)}"
        raise UsageError(text, "fix that file; --debug shows the traceback") from error


def summary(package: str, name: str) -> str:
    """The first line of a member's docstring, read without importing it."""
    spec = importlib.util.find_spec(f"{package}.{name}")
    assert spec is not None and spec.origin is not None
    doc = ast.get_docstring(ast.parse(Path(spec.origin).read_text("utf-8"))) or ""
    return doc.partition("\n")[0]
