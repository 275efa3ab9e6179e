"""The base class of all settings, and functions that read a field's alternatives, bounds and default.

A settings class stands next to the model or trainer that uses it. It declares type, bounds, default and one line of
help per setting; the experiment file, `tuner list` and the samplers all read them from here.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Union

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from tuner.errors import closest, either
from tuner.experiment.space import is_number


class Settings(BaseModel):
    """Frozen, strict (a text is not a number) and closed (an unknown key is an error)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    inherited: ClassVar[Mapping[str, Mapping[str, tuple[Any, ...]]]] = {}  # `used_when` of settings of base classes
    skipped: ClassVar[Mapping[str, str]] = {}  # arguments of user code that are no settings, with their types


Alternatives = Mapping[str, type[Settings]]


ABOVE_ZERO = ("above 0",)  # for `used_when`: any number that is
GIVEN = ("given",)  # for `used_when`: any value but null


def used_when(**values: tuple[Any, ...]) -> dict[str, Any]:
    """For `Field(json_schema_extra=…)`: the setting is used only if other settings have one of these values, or
    the data has: its `task`, its `layout`, or how it is stored (`storage`, in words)."""
    return {"used_when": values}


def meets(value: Any, wanted: tuple[Any, ...]) -> bool:
    """Whether a value is among those that `used_when` allows."""
    if wanted == GIVEN:
        return value is not None
    return value > 0 if wanted == ABOVE_ZERO and isinstance(value, int | float) else value in wanted


def not_used(name: str, other: str, wanted: tuple[Any, ...], found: tuple[Any, ...]) -> str:
    """The reason why a setting is not used: `other` must have one of the `wanted` values, and has those `found`."""
    if other == "storage":
        return f"{name} applies only to {either(wanted)}, and this is {found[0]}"
    if wanted == GIVEN:
        return f"{name} is used only when {other} is set, and here it is not"
    if wanted == (None,):
        return f"{name} is not used when {other} is set, and here {other} is {either(found)}"
    return f"{name} is used only with {other} {either(wanted)}, and here {other} is {either(found)}"


def comparison(value: Any) -> str:
    """A condition that a setting has a value that `used_when` allows, written as an expression."""
    words = {None: "== null", True: "== true", False: "== false", ABOVE_ZERO[0]: "> 0"}
    return words.get(value, f"== {value!r}")


def needs(cls: type[Settings], name: str) -> Mapping[str, tuple[Any, ...]]:
    """The values of other settings that `used_when` requires for a setting."""
    extra = cls.inherited.get(name, cls.model_fields[name].json_schema_extra)
    return extra.get("used_when", {}) if isinstance(extra, dict) else {}  # type: ignore[return-value]


def members(annotation: Any) -> tuple[Any, ...]:
    """The members of a union without `Annotated`; a plain type is a union of one."""
    if typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) in (Union, types.UnionType):
        return tuple(m for arg in typing.get_args(annotation) for m in members(arg))
    return (annotation,)


def is_settings(annotation: Any) -> bool:
    """Whether a member of a union is a settings class."""
    return isinstance(annotation, type) and issubclass(annotation, Settings)


def name_of(cls: type[Settings]) -> str | None:
    """The word that selects this class among alternatives (its `name: Literal[...]`), or None."""
    field = cls.model_fields.get("name")
    if field is None or typing.get_origin(field.annotation) is not Literal:
        return None
    return str(typing.get_args(field.annotation)[0])


def alternatives(field: FieldInfo) -> Alternatives:
    """The named settings classes that a field can hold: {"adam": Adam, "sgd": Sgd}; empty for a plain value."""
    classes = [m for m in members(field.annotation) if is_settings(m)]
    return {name: cls for cls in classes if (name := name_of(cls)) is not None}


def deeper(cls: type[Settings]) -> dict[str, str]:
    """Settings of the alternatives that a class's fields can hold, each with its notation in the file."""
    found: dict[str, str] = {}
    for name, field in cls.model_fields.items():
        default = getattr(field.get_default(), "name", None)
        among = alternatives(field)
        for word in sorted(among, key=lambda word: word != default):
            for key in among[word].model_fields:
                found.setdefault(key, f"{name}: {{name: {word}, {key}: …}}")
    found.pop("name", None)
    for name, kind in cls.skipped.items():
        text = f"it keeps its default, as no file can hold a {kind}"
        found[name] = f"{text}: annotate it as int, float, bool, str or Literal"
    return found


def subsettings(field: FieldInfo) -> type[Settings] | None:
    """The one unnamed settings class that a field can hold (`early_stopping`), or None."""
    return next((m for m in members(field.annotation) if is_settings(m) and name_of(m) is None), None)


def accepts(field: FieldInfo, kind: type) -> bool:
    """Whether a field can hold values of `kind` (int, float, list)."""
    kinds = {typing.get_origin(m) or m for m in members(field.annotation)}
    return kind in kinds or (kind is list and tuple in kinds)


def literals(field: FieldInfo) -> tuple[Any, ...]:
    """The words that a field can hold."""
    return tuple(a for m in members(field.annotation) if typing.get_origin(m) is Literal for a in typing.get_args(m))


@cache
def _adapter(cls: type[Settings], name: str) -> TypeAdapter[Any]:
    field = cls.model_fields[name]
    annotation: Any = field.annotation
    if field.metadata:
        annotation = Annotated[(annotation, *field.metadata)]
    return TypeAdapter(annotation, config=ConfigDict(strict=True))


def complaint(cls: type[Settings], name: str, value: Any) -> str | None:
    """What is wrong with `value` for the setting `name`, in words ("must be …"); None if it is valid."""
    try:
        if isinstance(value, list):
            value = tuple(value)
        _adapter(cls, name).validate_python(value)
    except ValidationError as error:
        words = [repr(word) for word in literals(cls.model_fields[name])]
        problems = [problem for problem in error.errors() if problem["type"] != "literal_error"]
        bounds = [_expectation(problem) for problem in problems if problem["type"] not in _TYPES]
        if bounds and is_number(value):  # a broken bound says more than another type
            words = []
        else:
            bounds = [_expectation(problem) for problem in problems]
        found = list(dict.fromkeys([*words, *bounds]))
        one_of = "one of " if len(words) == len(found) > 1 else ""
        return f"must be {one_of}{either(found)}"
    return None


def hint_for(cls: type[Settings], name: str, value: Any) -> str | None:
    """A hint at what to write instead of an invalid value."""
    field = cls.model_fields[name]
    inner, words = subsettings(field), [str(word) for word in literals(field)]
    if inner is not None and isinstance(value, int | float) and not accepts(field, int):
        key, first = next(iter(inner.model_fields.items()))
        return f"{name}: {{{key}: {first.get_default() if complaint(inner, key, value) else value}}}"
    if not isinstance(value, str):
        return None
    with suppress(ValueError):
        if complaint(cls, name, json.loads(value)) is None:
            return f"write {value} without quotes"
    near = closest(value, words)  # all of them are in the complaint
    return f"did you mean '{near}'?" if near else None


_TYPES = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "finite_number": "finite",
    "none_required": "null",
    "tuple_type": "a list",
    "model_type": "a mapping of settings",
    "dict_type": "a mapping of settings",
    "model_attributes_type": "a mapping of settings",
}
_BOUNDS = {"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt", "less_than_equal": "le"}
_SIGNS = {"gt": "greater than", "ge": "at least", "lt": "less than", "le": "at most"}


def _expectation(problem: Mapping[str, Any]) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind in _TYPES:
        return _TYPES[kind]
    if kind in _BOUNDS:
        key = _BOUNDS[kind]
        bound = context[key]
        return f"{_SIGNS[key]} {bound:g}" if isinstance(bound, float) else f"{_SIGNS[key]} {bound}"
    return str(problem["msg"]).removeprefix("Value error, ")


def describe(field: FieldInfo) -> tuple[str, str]:
    """Type and bounds of a setting in words, for `tuner list`: ("integer", "1 … 4096")."""
    words = {int: "integer", float: "number", str: "text", bool: "true/false", dict: "mapping", type(None): "null"}
    kinds, bounds = [], {}
    metadata = list(field.metadata)
    for raw in _raw_members(field.annotation):
        base = members(raw)[0]
        if typing.get_origin(raw) is Annotated:
            for extra in typing.get_args(raw)[1:]:
                metadata += extra.metadata if isinstance(extra, FieldInfo) else [extra]
        if typing.get_origin(base) is Literal:
            kinds += [a if str(a).isidentifier() else repr(a) for a in typing.get_args(base)]
        elif is_settings(base):
            kinds.append(name_of(base) or "settings")
        else:
            kinds.append(words.get(typing.get_origin(base) or base, "list"))
    for item in metadata:
        for key, sign in (("ge", ""), ("gt", "> "), ("le", ""), ("lt", "< ")):
            if getattr(item, key, None) is not None:
                bounds["low" if key in ("ge", "gt") else "high"] = f"{sign}{getattr(item, key):,}"
    span = f"{bounds.get('low', '')} … {bounds.get('high', '')}".strip() if bounds else ""
    return " | ".join(kinds), span


def _raw_members(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) in (Union, types.UnionType):
        return tuple(m for arg in typing.get_args(annotation) for m in _raw_members(arg))
    return (annotation,)
