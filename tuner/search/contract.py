"""The contract of a file in `tuner/models` or `tuner/sources`, checked when the file is loaded."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import NamedTuple, get_args

from tuner import registry
from tuner.data.inputs import Layout
from tuner.data.target import Task
from tuner.errors import UsageError, did_you_mean, either
from tuner.experiment.settings import Settings, name_of, needs

MODELS, SOURCES = "tuner.models", "tuner.sources"
OF_THE_DATA = ("task", "layout", "storage")  # what `used_when` may name besides settings


class Contract(NamedTuple):
    """What a file must define: a function with so many parameters, and tuples of these words."""

    function: str
    parameters: tuple[str, ...]
    words: dict[str, tuple[str, ...]]

    @property
    def parts(self) -> tuple[str, ...]:
        """The names that a file must define."""
        return ("Settings", *self.words, self.function)


CONTRACTS = {
    MODELS: Contract("build", ("settings", "shapes", "lanes"), {"LAYOUTS": get_args(Layout), "TASKS": get_args(Task)}),
    SOURCES: Contract("load", ("settings", "folder"), {}),
}


def member(package: str, name: str) -> ModuleType:
    """A model or source. Raises `UsageError` with all that its file lacks, and the errors of `registry.load`."""
    module = registry.load(package, name)
    if faults := list(_faults(module, name, CONTRACTS[package])):
        raise UsageError(f"{package}.{name}: {'; '.join(faults)}", "docs/extending.md says what such a file defines")
    return module


def _faults(module: ModuleType, name: str, contract: Contract) -> Iterator[str]:
    if not module.__doc__:
        yield "it has no docstring that says what it is"
    if lacking := [part for part in contract.parts if not hasattr(module, part)]:
        yield f"it does not define {either(lacking)}"
    for part, words in contract.words.items():
        yield from _unknown_words(part, getattr(module, part, ()), words)
    function = getattr(module, contract.function, None)
    if function is not None and not _takes(function, len(contract.parameters)):
        yield f"{contract.function} does not take ({', '.join(contract.parameters)})"
    if hasattr(module, "Settings"):
        yield from _faults_of_settings(module.Settings, name)


def _unknown_words(part: str, found: object, words: tuple[str, ...]) -> Iterator[str]:
    if not isinstance(found, tuple) or not found:
        yield f"{part} is not a tuple of words"
        return
    for word in found:
        if word not in words:
            yield f"{part} has {word!r}, which is not one of {', '.join(words)}"


def _takes(function: object, count: int) -> bool:
    if not callable(function):
        return False
    try:
        inspect.signature(function).bind(*range(count))
    except (TypeError, ValueError):
        return False
    return True


def _faults_of_settings(settings: object, name: str) -> Iterator[str]:
    if not (isinstance(settings, type) and issubclass(settings, Settings)):
        yield "its Settings does not inherit from tuner.experiment.settings.Settings"
        return
    if name_of(settings) != name or settings.model_fields["name"].default != name:
        yield f'its Settings does not have the field name: Literal["{name}"] = "{name}"'
    for key, field in settings.model_fields.items():
        if key != "name" and not field.description:
            yield f"the setting {key} has no description"
        for other in needs(settings, key):
            if other not in settings.model_fields and other not in OF_THE_DATA:
                near = did_you_mean(other, (*settings.model_fields, *OF_THE_DATA))
                yield f"used_when of {key} names {other}, which is not a setting ({near})"
