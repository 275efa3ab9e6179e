"""Values as other tools write them, and the same in the notation of this file, for a setting that is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic.fields import FieldInfo

from tuner.errors import closest, plain_name
from tuner.experiment.flow import flow
from tuner.experiment.other_names import COMPONENT_SETTINGS, WEIGHT_DECAY, place_of
from tuner.experiment.other_ranges import as_here, is_range
from tuner.experiment.settings import Alternatives, Settings, alternatives, literals, subsettings
from tuner.experiment.yaml_file import Node

NAMES = ("name", "type", "target", "classpath", "classname", "buildertunername", "builtintunername",
         "builtinassessorname")  # fmt: skip
ARGUMENTS = ("initargs", "classargs", "params", "config", "kwargs")
PATIENCE = 5


def here(value: Any, field: FieldInfo) -> Any:
    """The value of another tool as this setting is written here; None if that cannot be told."""
    among, words = alternatives(field), literals(field)
    if among:
        return component(value, among)
    if subsettings(field) is not None and "patience" in subsettings(field).model_fields:  # type: ignore[union-attr]
        return early_stopping("early_stopping", value)
    found = as_here(value)
    if isinstance(found, list) and words:
        return [_word(each, words) for each in found]
    if found is None and words and not isinstance(value, list):
        return _word(name_in(value), words, None)
    return found


def component(value: Any, among: Alternatives) -> Any:
    """An optimizer, a schedule, … as it is written here; None if it cannot be told which is meant."""
    options = as_here(value) if not isinstance(value, list) else value
    if isinstance(options, list):
        named = [_word(name_in(each), among, None) for each in options]
        return named if all(named) else None
    name = _word(name_in(value), among, None)
    if name is None or not isinstance(value, dict):
        return name
    settings = dict(_settings(value, among[name]))
    return {"name": name, **settings} if settings else name


def _settings(given: Mapping[str, Any], cls: type[Settings]) -> Iterable[tuple[str, Any]]:
    """The settings of a component; weight decay too, though its place is another one, as its own error tells then."""
    for key, value in given.items():
        name = plain_name(key)
        if name in ARGUMENTS and isinstance(value, dict):
            yield from _settings(value, cls)
        elif name not in NAMES and not key.startswith("_"):
            meant = COMPONENT_SETTINGS.get(name, key)
            last = meant if meant in cls.model_fields else closest(key, cls.model_fields)
            if last is not None and last != "name":
                found = here(value, cls.model_fields[last])
                yield last, value if found is None else found
            elif place_of(key) == WEIGHT_DECAY:
                yield key, value


def name_in(value: Any) -> str | None:
    """The name of a component, which a mapping gives as name, type, _target_, class_path, …; without its package."""
    if isinstance(value, dict) and not is_range(value):
        value = next((inner for key, inner in value.items() if plain_name(key) in NAMES), None)
    return value.rpartition(".")[2] if isinstance(value, str) else None


def _word(word: Any, options: Iterable[Any], otherwise: Any = ...) -> Any:
    """The option that a word stands for; if there is none, `otherwise`, by default the word itself."""
    found = closest(word, [str(each) for each in options]) if isinstance(word, str) else None
    return found or (word if otherwise is ... else otherwise)


def early_stopping(key: str, value: Any) -> dict[str, Any] | None:
    """The settings of early stopping that a key such as callbacks describes; None if it is another one."""
    name = plain_name(key)
    if "callback" not in name and "stop" not in name:
        return None
    if not any("earlystopping" in plain_name(word) for word in (key, *_words(value))):
        return None
    if type(value) is int:
        return {"patience": value}
    return {"patience": next((number for inner, number in _numbers(value) if "patience" in inner), PATIENCE)}


def _words(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _words(each)
    elif isinstance(value, str):
        yield value


def _numbers(value: Any) -> Iterable[tuple[str, int]]:
    inner = (
        value.items() if isinstance(value, dict) else [("", each) for each in value] if isinstance(value, list) else ()
    )
    for key, each in inner:
        if type(each) is int:
            yield plain_name(key), each
        yield from _numbers(each)


def with_name(node: Node, among: Alternatives, path: str, default: str | None) -> str:
    """A hint for settings without a name: the line with the name, where it can be told which is meant."""
    entries, last = node.entries, path.rpartition(".")[2]
    if (found := component(node.plain(), among)) is not None:
        return f"{last}: {flow(found)}"
    if near := closest("name", entries):
        return f"did you mean 'name' instead of '{near}'?"
    if meant := [key for key in entries if (key in among or closest(key, among)) and entries[key].entries]:
        inner = entries[meant[0]].plain()
        one = {"name": meant[0] if meant[0] in among else closest(meant[0], among), **inner}
        return f"{last}: {flow(one if len(meant) == 1 else {'choose': node.plain()})}"
    if entries and default is not None and entries.keys() <= among[default].model_fields.keys():
        return f"{last}: {flow({'name': default, **node.plain()})}"
    return f"{path}: {{name: …}}, with one of: {', '.join(among)}"
