"""The arguments of the user's own code as settings: `code_of` reads them, and `described` makes a settings class of
them without running anything."""

from __future__ import annotations

import inspect
import math
import types
import typing
import warnings
from typing import Any, Literal, Union

import annotated_types
from pydantic import Field, create_model
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo

from tuner.errors import UsageError, did_you_mean
from tuner.experiment.own_code import Code, Kind, UserCodeInfo, UserObject
from tuner.experiment.settings import Settings, members

SHAPE = "shape"  # marks an argument as filled in: Annotated[int, "shape"]
ANNOTATE = "annotate them as int, float, bool, str or Literal"
LARGEST = 2**63 - 1
PLAIN = (int, float, bool, str, type(None))
BOUNDS = (annotated_types.Ge, annotated_types.Gt, annotated_types.Le, annotated_types.Lt, annotated_types.Interval,
          annotated_types.MultipleOf, annotated_types.Len, annotated_types.MinLen, annotated_types.MaxLen)  # fmt: skip


def _plain(annotation: Any) -> bool:
    """Whether an experiment file can hold values of this type: numbers, texts, true, false, words of a choice, null."""
    return all(map(_bound, getattr(annotation, "__metadata__", ()))) and all(
        member in PLAIN
        or (typing.get_origin(member) is Literal and {type(word) for word in typing.get_args(member)} <= {*PLAIN})
        for member in members(annotation)
    )


def _plain_part(annotation: Any) -> Any:
    """The part of a union that an experiment file can hold: `float` of `float | Tensor`."""
    if typing.get_origin(annotation) not in (Union, types.UnionType):
        return annotation
    plain = tuple(member for member in typing.get_args(annotation) if _plain(member))
    return Union[plain] if plain and plain != (type(None),) else annotation  # noqa: UP007 (of a tuple)


def _bound(mark: Any) -> bool:
    """Whether `Annotated` adds only bounds and texts: a predicate would run the user's code in the driver."""
    if isinstance(mark, FieldInfo):
        return mark.default_factory is None and all(map(_bound, mark.metadata))
    return isinstance(mark, (str, *BOUNDS))


def _plain_default(default: Any) -> Any:
    """A number or text of a subclass, such as `IntEnum`, as a plain one."""
    if type(default).__module__ == "numpy" and hasattr(default, "item") and not getattr(default, "shape", ()):
        default = default.item()
    if type(default) in PLAIN:
        return default
    return next((kind(default) for kind in (int, float, str) if isinstance(default, kind)), default)


def _unwritable(default: Any) -> bool:
    """Whether an experiment file cannot hold a default: it is infinite, has too many digits, or is not a plain value.
    Such an argument is not a setting."""
    if isinstance(default, float):
        return not math.isfinite(default)
    return type(default) not in PLAIN or (isinstance(default, int) and abs(default) > LARGEST)


def code_of(name: str, found: UserObject, kind: Kind, base: type[Settings]) -> Code:
    """The arguments of a function or constructor as settings, in addition to those of `base`. Raises `UsageError`."""
    target, files, digest = found
    hints = _annotations(name, target)
    fields: dict[str, tuple[Any, Any]] = {}
    handed_in, skipped = [], {}
    for argument in _parameters(target)[kind.leading(target) :]:
        if argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD):
            continue
        given = argument.default is not argument.empty
        marked = SHAPE in getattr(hints.get(argument.name), "__metadata__", ())
        _check_argument(name, argument.name, kind, base, marked=marked)
        if argument.name in kind.handed_in and (not given or marked or argument.name in kind.despite_default):
            handed_in.append(argument.name)
        elif argument.name in hints or (given and isinstance(argument.default, int | float | str)):
            annotation = _plain_part(hints.get(argument.name, type(_plain_default(argument.default))))
            default = _plain_default(argument.default) if given else Field(description=kind.required)
            if not _plain(annotation) or (given and _unwritable(default)):
                plain_class = isinstance(annotation, type) and not typing.get_args(annotation)
                kind_name = annotation.__name__ if plain_class else str(annotation).replace("typing.", "")
                if not given:
                    raise UsageError(f"{name}: its argument '{argument.name}' is annotated as {kind_name}", ANNOTATE)
                skipped[argument.name] = kind_name
                continue
            fields[argument.name] = (annotation, default)
        elif not given:
            near = did_you_mean(argument.name, kind.handed_in) if kind.handed_in else "give it a default"
            text = f"{name}: its argument '{argument.name}' {kind.unclear}"
            raise UsageError(text, f"annotate it, for example {argument.name}: int; or {near}")
    return Code(name, getattr(target, "__name__", kind.word), fields, tuple(handed_in), skipped, files, digest)


def _annotations(name: str, target: Any) -> dict[str, Any]:
    annotated: Any = target
    try:
        return typing.get_type_hints(annotated.__init__ if isinstance(target, type) else annotated, include_extras=True)
    except NameError as error:
        hint = "write int, float, bool, str or Literal"
        raise UsageError(f"{name}: an annotation cannot be read: {error}", hint) from error


def _parameters(target: Any) -> list[inspect.Parameter]:
    return list(inspect.signature(target).parameters.values())


def _check_argument(name: str, argument: str, kind: Kind, base: type[Settings], *, marked: bool) -> None:
    """Raise `UsageError` if an argument has a reserved name, or is marked as a shape and is none."""
    if argument == "name" or argument in base.model_fields:
        means = f"names the {kind.noun}" if argument == "name" else f"is a setting of every {kind.noun}"
        raise UsageError(f"{name}: argument '{argument}' is reserved: it {means}", "rename it")
    if marked and argument not in kind.handed_in:
        text = f"{name}: its argument '{argument}' is annotated as a shape, and no shape has this name"
        raise UsageError(text, did_you_mean(argument, kind.handed_in))


def described(code: Code, base: type[Settings]) -> UserCodeInfo:
    """The code with its settings and those of `base`. Raises `UsageError`."""
    fields: dict[str, Any] = {"name": (Literal[code.name], code.name), **code.fields}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an argument may have the name of a pydantic method
            cls = create_model(code.called, __base__=base, **fields)
            cls.skipped = code.skipped
            return UserCodeInfo(code, cls)
    except (PydanticUserError, NameError, TypeError, ValueError) as error:
        text = f"{code.name}: its arguments cannot be settings: {str(error).splitlines()[0]}"
        raise UsageError(text, ANNOTATE) from error
