"""Lists the components that an experiment can name: every model, data source and section with its settings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from pydantic_core import PydanticUndefined

from tuner import registry
from tuner.errors import either
from tuner.experiment.sections import Limits, Resampling, Search
from tuner.experiment.settings import Settings, alternatives, describe, name_of, needs, subsettings
from tuner.search.contract import MODELS, SOURCES, member
from tuner.training.settings import TrainingSettings

SECTIONS: dict[str, type[Settings]] = {
    "training": TrainingSettings,
    "resampling": Resampling,
    "search": Search,
    "limits": Limits,
}


class Setting(NamedTuple):
    """One setting, in words."""

    name: str
    kind: str
    bounds: str
    default: str
    meaning: str


class Component(NamedTuple):
    """A model, a data source, a section, or one of the alternatives inside these, such as an optimizer."""

    name: str
    summary: str
    settings: list[Setting]


def models() -> Iterator[Component]:
    """The models that come with tuner."""
    return _members(MODELS)


def sources() -> Iterator[Component]:
    """The data sources that come with tuner."""
    return _members(SOURCES)


def sections() -> Iterator[Component]:
    """The sections of an experiment file that are not a model or a data source."""
    for name, settings in SECTIONS.items():
        yield from _with_alternatives(name, _first_line(settings), settings)


def settings_of(cls: type[Settings]) -> list[Setting]:
    """The settings of a class, without the `name` that selects it among alternatives."""
    own = [
        key for key in cls.model_fields if key in vars(cls).get("__annotations__", {})
    ]  # listed before those of its base classes
    keys = dict.fromkeys((*own, *cls.model_fields))
    return [_setting(cls, key) for key in keys if key != "name" or not name_of(cls)]


def _members(package: str) -> Iterator[Component]:
    for name in registry.names(package):
        yield from _with_alternatives(name, registry.summary(package, name), member(package, name).Settings)


def _with_alternatives(name: str, summary: str, cls: type[Settings]) -> Iterator[Component]:
    """The component itself, then the alternatives of its settings."""
    yield Component(name, summary, settings_of(cls))
    for key, field in cls.model_fields.items():
        inner = subsettings(field)
        for word, each in (alternatives(field) or ({"": inner} if inner else {})).items():
            path = f"{name}.{key}.{word}" if word else f"{name}.{key}"
            yield Component(path, _first_line(each), settings_of(each))


def _setting(cls: type[Settings], key: str) -> Setting:
    field = cls.model_fields[key]
    where = "; ".join(
        f"only for {either(values)}" if other == "storage" else f"only with {other} {either(values)}"
        for other, values in needs(cls, key).items()
    )
    meaning = "; ".join(text for text in (field.description, where) if text)
    return Setting(key, *describe(field), _default(field.get_default()), meaning)


def _first_line(cls: type[Settings]) -> str:
    return (cls.__doc__ or "").strip().partition("\n")[0]


def _default(value: object) -> str:
    if value is PydanticUndefined:
        return "required"
    named = getattr(value, "name", value)
    return json.dumps(named).strip('"') if named != () else "none"
