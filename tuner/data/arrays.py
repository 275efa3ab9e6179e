"""Refuses a data set whose parts are not as their docstrings say: types, shapes, rows, names and codes."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError

from tuner.data.dataset import Dataset, parts_of
from tuner.data.inputs import Ids, Numbers, Tokens
from tuner.data.roles import Roles
from tuner.data.target import Amounts, Classes, Labels, NaiveForecast, PerPosition, Text
from tuner.errors import DataError, either
from tuner.metrics.parts.sums import IGNORED

ARRAYS: dict[tuple[type, str], tuple[str, tuple[int, ...]]] = {  # by field: the type, and the numbers of dimensions
    (Numbers, "values"): ("float32", (2, 3, 4)),
    (Numbers, "lengths"): ("int64", (1,)),
    (Numbers, "offsets"): ("float64", (1,)),
    (Numbers, "coarse"): ("bool", (1,)),
    (Tokens, "codes"): ("int64", (2,)),
    (Tokens, "lengths"): ("int64", (1,)),
    (Ids, "codes"): ("int64", (2,)),
    (Classes, "values"): ("int64", (1,)),
    (Labels, "values"): ("float64", (2,)),
    (Amounts, "values"): ("float64", (2,)),
    (NaiveForecast, "values"): ("float64", (2,)),
    (NaiveForecast, "last"): ("float64", (2,)),
    (PerPosition, "values"): ("int64", (2, 3)),
    (Text, "values"): ("int64", (2,)),
    (Roles, "groups"): ("int64", (1,)),
    (Roles, "order"): ("float64", (1,)),
    (Roles, "until"): ("float64", (1,)),
    (Roles, "split"): ("int64", (1,)),
    (Roles, "weights"): ("float64", (1,)),
}
DECLARED = ConfigDict(arbitrary_types_allowed=True, strict=True)
OF_COLUMNS = ("offsets", "coarse")  # which have a value for each column, not for each row


class Array(NamedTuple):
    """An array of a data set: its path, such as "inputs.values", its field, and what it must be; None: it is absent."""

    path: str
    field: str
    value: NDArray[Any] | None
    kind: str
    dimensions: tuple[int, ...]
    optional: bool


def declared_arrays(dataset: Dataset) -> Iterator[Array]:
    """Every field of a data set that holds an array."""
    for part, path in parts_of(dataset):
        for field in fields(part):
            if (key := (type(part), field.name)) in ARRAYS:
                value = getattr(part, field.name)
                yield Array(f"{path}{field.name}", field.name, value, *ARRAYS[key], optional=field.default is None)


def check_arrays(dataset: Dataset, name: str) -> None:
    """Raise `DataError` unless every part is as its docstring says; the message calls the data set `name`."""
    for part, path in parts_of(dataset):
        _check_declared(part, path, name)
    present = [array for array in declared_arrays(dataset) if array.value is not None or not array.optional]
    for array in present:
        _check_type(array, name)
    rows = len(dataset)
    for path, field, value, *_ in present:
        if field not in OF_COLUMNS and value is not None and len(value) != rows:
            raise DataError(f"{name}: {rows:,} rows of features but {len(value):,} of {path}")
    _check_columns(dataset, name)
    _check_codes(dataset, name)
    _check_positions(dataset, name)
    _check_roles(dataset.roles, name)


def _check_declared(part: Any, path: str, name: str) -> None:
    hints = get_type_hints(type(part))
    for field in (field.name for field in fields(part) if (type(part), field.name) not in ARRAYS):
        value, declared = getattr(part, field), hints[field]
        if (wanted := _not_declared(value, declared)) is not None:
            hint = str(declared) if get_origin(declared) is tuple else None
            raise DataError(f"{name}: {path}{field} must be {wanted}; it is {reprlib.repr(value)}", hint)


def _not_declared(value: Any, declared: Any) -> str | None:
    """What the value should be; None if it is that."""
    kinds = get_args(declared) or (declared,)
    if any(is_dataclass(kind) for kind in kinds):
        return None if isinstance(value, declared) else either(kind.__name__ for kind in kinds)
    try:
        TypeAdapter(declared, config=DECLARED).validate_python(value)
    except ValidationError as error:
        return (
            error.errors()[0]["msg"]
            .removeprefix("Input should be ")
            .replace("a valid integer", "a whole number")
            .replace("a valid ", "a ")
        )
    return None


def _check_type(array: Array, name: str) -> None:
    plain = isinstance(array.value, np.ndarray) and not isinstance(array.value, np.ma.MaskedArray)
    found = str(array.value.dtype) if plain and array.value is not None else type(array.value).__name__
    if found != array.kind or array.value is None:
        raise DataError(f"{name}: {array.path} must be {array.kind}; it is {found}", f"an array of {array.kind}")
    if array.value.ndim not in array.dimensions:
        wanted = either(array.dimensions)
        raise DataError(f"{name}: {array.path} must have {wanted} dimensions; its shape is {array.value.shape}")


def _check_columns(dataset: Dataset, name: str) -> None:
    """Refuse names, offsets and categories that do not fit the columns, and names that do not fit the outputs."""
    numbers, target = dataset.numbers, dataset.target
    columns = numbers.values.shape[numbers.axis]
    for what, found in (("names", numbers.names or None), ("offsets", numbers.offsets), ("coarse", numbers.coarse)):
        if found is not None and len(found) != columns:
            raise DataError(
                f"{name}: inputs.{what} has length {len(found)}; there are {columns} columns", "one for each"
            )
    for run in numbers.categories:
        ends = (run.start, run.stop)
        if not all(isinstance(end, int) for end in ends) or not 0 <= run.start < run.stop <= columns or run.step:
            raise DataError(f"{name}: the category {run} is not a run of the {columns} columns", "slice(first, end)")
    if isinstance(target, Labels | Amounts) and len(target.names) != target.values.shape[1]:
        text = f"{name}: target.names has length {len(target.names)}; target.values has the shape {target.values.shape}"
        raise DataError(text, "a name for each column")
    if isinstance(target, Amounts) and target.naive is not None:
        outputs, horizon = target.values.shape, target.naive.horizon
        if horizon < 1 or outputs[1] % horizon:
            raise DataError(f"{name}: {outputs[1]} outputs cannot be divided into horizons of {horizon} steps")
        for forecast in (target.naive.values, target.naive.last):
            if forecast is not None and forecast.shape != outputs:
                raise DataError(f"{name}: naive forecasts of shape {forecast.shape} for targets of {outputs}")


def _check_codes(dataset: Dataset, name: str) -> None:
    """Refuse class codes without a class, input codes without a word, and labels other than 0 and 1."""
    target, inputs = dataset.target, dataset.inputs
    if isinstance(target, Classes | PerPosition | Text):
        first = 0 if isinstance(target, Classes) else IGNORED
        _check_range(name, "class codes", target.values, first, len(target.classes))
    if isinstance(target, Labels) and (wrong := np.argwhere(~np.isin(target.values, (0, 1)))).size:
        row, label = wrong[0].tolist()
        value = target.values[row, label]
        raise DataError(f"{name}: label '{target.names[label]}' of data row {row + 1} is {value:g}", "0 or 1")
    if isinstance(inputs, Tokens):
        _check_range(name, "tokens", inputs.codes, 0, len(inputs.words))
    if isinstance(inputs, Ids):
        if inputs.codes.shape[1] != len(inputs.vocabularies):
            text = f"{name}: inputs.vocabularies has length {len(inputs.vocabularies)}; inputs.codes has the shape"
            raise DataError(f"{text} {inputs.codes.shape}", "a vocabulary for each column")
        for column, words in zip(inputs.codes.T, inputs.vocabularies, strict=True):
            _check_range(name, "ids", column, 0, len(words))


def _check_range(name: str, what: str, codes: NDArray[np.int64], first: int, end: int) -> None:
    if codes.size and not first <= codes.min() <= codes.max() < end:
        row = int(np.argwhere((codes < first) | (codes >= end))[0][0])
        text = f"{name}: {what} must be from {first} to {end - 1}; they are {codes.min()} … {codes.max()}"
        raise DataError(text, f"a name for each code; the first one without is in data row {row + 1}")


def _check_positions(dataset: Dataset, name: str) -> None:
    """Refuse lengths that do not fit the steps, and targets that do not fit the steps or pixels."""
    lengths, shape = dataset.lengths, dataset.features.shape
    if lengths is not None:
        if dataset.layout not in ("sequence", "tokens"):
            raise DataError(f"{name}: inputs.lengths is for sequences, and these are {dataset.layout} rows", "None")
        if (empty := np.flatnonzero(lengths < 1)).size:
            raise DataError(f"{name}: the sequence of data row {empty[0] + 1} has no steps", "drop that row")
        if (long := np.flatnonzero(lengths > shape[1])).size:
            text = f"{name}: the length of data row {long[0] + 1} is {lengths[long[0]]}"
            raise DataError(f"{text}, but a sequence has {shape[1]} steps")
    if isinstance(dataset.target, PerPosition):
        positions = shape[2:] if dataset.layout == "image" else shape[1:2]
        if dataset.target.values.shape[1:] != positions:
            text = f"{name}: targets of shape {dataset.target.values.shape} for features of shape {shape}"
            raise DataError(text, "a class at every step or pixel")


def _check_roles(roles: Roles, name: str) -> None:
    if (weights := roles.weights) is not None and len(weights):
        if (wrong := np.flatnonzero(~((weights >= 0) & np.isfinite(weights)))).size:
            text = f"{name}: the weight of data row {wrong[0] + 1} is {weights[wrong[0]]:g}"
            raise DataError(text, "a weight is a number from 0 up")
        if not weights.any():
            raise DataError(f"{name}: every weight is 0", "some row must count")
    for what, times in (("order", roles.order), ("until", roles.until)):
        if times is not None and (wrong := np.flatnonzero(~np.isfinite(times))).size:
            raise DataError(f"{name}: roles.{what} of data row {wrong[0] + 1} is {times[wrong[0]]:g}", "a finite time")
    if roles.split is not None and (wrong := np.flatnonzero(roles.split < -1)).size:
        text = f"{name}: roles.split of data row {wrong[0] + 1} is {roles.split[wrong[0]]}"
        raise DataError(text, "-1 (never tested), 0, 1, …")
