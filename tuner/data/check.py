"""Refuses data that cannot be trained on."""

from __future__ import annotations

import reprlib
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError

from tuner.data.dataset import Dataset, parts_of
from tuner.data.inputs import Ids, Numbers, Tokens
from tuner.data.target import LARGEST_TARGET, Amounts, Classes, Labels, PerPosition, Text
from tuner.errors import DataError
from tuner.metrics.parts.sums import IGNORED

ARRAYS: dict[tuple[str, str], tuple[str, tuple[int, ...]]] = {  # by field: the type, and the numbers of dimensions
    ("Numbers", "values"): ("float32", (2, 3, 4)),
    ("Numbers", "lengths"): ("int64", (1,)),
    ("Numbers", "offsets"): ("float64", (1,)),
    ("Numbers", "coarse"): ("bool", (1,)),
    ("Tokens", "codes"): ("int64", (2,)),
    ("Tokens", "lengths"): ("int64", (1,)),
    ("Ids", "codes"): ("int64", (2,)),
    ("Classes", "values"): ("int64", (1,)),
    ("Labels", "values"): ("float64", (2,)),
    ("Amounts", "values"): ("float64", (2,)),
    ("NaiveForecast", "values"): ("float64", (2,)),
    ("NaiveForecast", "last"): ("float64", (2,)),
    ("PerPosition", "values"): ("int64", (2, 3)),
    ("Text", "values"): ("int64", (2,)),
    ("Roles", "groups"): ("int64", (1,)),
    ("Roles", "order"): ("float64", (1,)),
    ("Roles", "until"): ("float64", (1,)),
    ("Roles", "split"): ("int64", (1,)),
    ("Roles", "weights"): ("float64", (1,)),
}
DECLARED = ConfigDict(arbitrary_types_allowed=True, strict=True)
OF_COLUMNS = ("offsets", "coarse")  # which have a value for each column, not for each row


def check(dataset: Dataset) -> Dataset:
    """Refuse data that cannot be trained on; the message names the first offending place."""
    check_arrays(dataset)
    numbers = dataset.numbers
    if len(dataset) == 0:
        raise DataError(f"{dataset.name}: no rows")
    if dataset.features[0].size == 0:
        raise DataError(f"{dataset.name}: no features")
    if np.isinf(numbers.values).any():
        text = f"{dataset.name}: {_first(numbers, np.isinf(numbers.values))} is infinite, or beyond 3.4e38 (float32)"
        raise DataError(text, "correct or drop it, or use another unit")
    absent = np.isnan(numbers.values)
    for columns in numbers.categories:
        absent[:, columns.start + 1 : columns.stop] = False  # a missing category is one missing value
    if numbers.impute == "none" and absent.any():
        text = f"{dataset.name}: {absent.sum():,} values are missing, the first at {_first(numbers, absent)}"
        raise DataError(text, "fill them per fold with impute: mean or impute: median")
    if dataset.classes and len(dataset.classes) < 2:
        raise DataError(f"{dataset.name}: all rows have the same class, {dataset.classes[0]!r}", "another target")
    if isinstance(dataset.target, Amounts):
        _check_amounts(dataset.target, dataset.name)
    if isinstance(dataset.target, Labels):
        _check_labels(dataset.target, dataset.name)
    return dataset


def check_arrays(dataset: Dataset) -> None:
    """Refuse arrays that are not as the docstrings of the data set's parts say: their types, shapes, rows and codes."""
    name, parts = dataset.name, list(parts_of(dataset))
    for part, path in parts:
        _check_declared(part, path, name)
    rows = len(dataset)
    for part, path in parts:
        for field in (field.name for field in fields(part)):
            array, key = getattr(part, field), (type(part).__name__, field)
            if key not in ARRAYS or array is None:
                continue
            (kind, dimensions), found = ARRAYS[key], str(getattr(array, "dtype", type(array).__name__))
            if found != kind:
                raise DataError(f"{name}: {path}{field} must be {kind}; it is {found}", f"return {kind}")
            if array.ndim not in dimensions:
                wanted = " or ".join(map(str, dimensions))
                raise DataError(f"{name}: {path}{field} must have {wanted} dimensions; its shape is {array.shape}")
            if field not in OF_COLUMNS and len(array) != rows:
                raise DataError(f"{name}: {rows:,} rows of features but {len(array):,} of {path}{field}")
    _check_names(dataset)
    _check_codes(dataset)
    _check_steps(dataset)
    if (weights := dataset.roles.weights) is not None and not ((weights >= 0) & np.isfinite(weights)).all():
        raise DataError(f"{name}: a weight is negative, missing or infinite", "return numbers from 0 up")
    if weights is not None and not weights.any():
        raise DataError(f"{name}: every weight is 0", "some row must count")


def _check_declared(part: Any, path: str, name: str) -> None:
    """Raise `DataError` unless everything but the arrays has its declared type."""
    hints = get_type_hints(type(part))
    for field in (field.name for field in fields(part) if (type(part).__name__, field.name) not in ARRAYS):
        value, declared = getattr(part, field), hints[field]
        if (wanted := _not_declared(value, declared)) is not None:
            text = f"{name} returns a Dataset whose {path}{field} is {reprlib.repr(value)}"
            raise DataError(text, f"{wanted}, as the annotation {declared} says")


def _not_declared(value: Any, declared: Any) -> str | None:
    """What the value should be; None if it is that."""
    kinds = get_args(declared) or (declared,)
    if any(is_dataclass(kind) for kind in kinds):
        return None if isinstance(value, declared) else " or ".join(kind.__name__ for kind in kinds)
    try:
        TypeAdapter(declared, config=DECLARED).validate_python(value)
    except ValidationError as error:
        return error.errors()[0]["msg"].removeprefix("Input should be ")
    return None


def _check_names(dataset: Dataset) -> None:
    """Refuse names that are not one for each column, channel or output; columns may have none."""
    numbers, target = dataset.numbers, dataset.target
    columns = numbers.values.shape[numbers.axis]
    if numbers.names and len(numbers.names) != columns:
        raise DataError(f"{dataset.name}: {columns} columns have {len(numbers.names)} names", "return one for each")
    if isinstance(target, Labels | Amounts) and len(target.names) != target.values.shape[1]:
        text = f"{dataset.name}: {target.values.shape[1]} outputs have {len(target.names)} names"
        raise DataError(text, "return one for each")


def _check_codes(dataset: Dataset) -> None:
    """Refuse class codes without a class, input codes without a word, and labels other than 0 and 1."""
    target, inputs = dataset.target, dataset.inputs
    first = 0 if isinstance(target, Classes) else IGNORED
    if isinstance(target, Classes | PerPosition | Text):
        _check_range(dataset.name, "class codes", target.values, first, len(target.classes), "classes")
    if isinstance(target, Labels) and not np.isin(target.values, (0, 1)).all():
        raise DataError(f"{dataset.name}: a label is neither 0 nor 1", "return 1 where a label holds")
    if isinstance(inputs, Tokens):
        _check_range(dataset.name, "tokens", inputs.codes, 0, len(inputs.words), "words")
    if isinstance(inputs, Ids):
        if inputs.codes.shape[1] != len(inputs.vocabularies):
            text = f"{dataset.name}: {inputs.codes.shape[1]} columns of ids and {len(inputs.vocabularies)} vocabularies"
            raise DataError(text, "return one vocabulary for each column")
        for column, words in zip(inputs.codes.T, inputs.vocabularies, strict=True):
            _check_range(dataset.name, "ids", column, 0, len(words), "known values")


# parameters: a range with its name, and what it counts
def _check_range(name: str, what: str, codes: NDArray[np.int64], first: int, end: int, of: str) -> None:
    if codes.size and not first <= codes.min() <= codes.max() < end:
        text = f"{name}: with {end} {of}, {what} must be from 0 to {end - 1}; they are {codes.min()} … {codes.max()}"
        raise DataError(text, "return codes from 0, without gaps")


def _check_steps(dataset: Dataset) -> None:
    """Refuse sequences without steps or with more than there are, and outputs that are not whole horizons."""
    lengths, target = dataset.lengths, dataset.target
    if lengths is not None and (empty := np.flatnonzero(lengths < 1)).size:
        raise DataError(f"{dataset.name}: the sequence of row {empty[0] + 1} has no steps", "drop that row")
    if lengths is not None and (long := np.flatnonzero(lengths > (steps := dataset.features.shape[1]))).size:
        text = (
            f"{dataset.name}: the length of row {long[0] + 1} is {lengths[long[0]]}, but a sequence has {steps} steps"
        )
        raise DataError(text, "return lengths of at most that many")
    if isinstance(target, Amounts) and target.naive is not None:
        outputs, horizon = target.values.shape[1], target.naive.horizon
        if horizon < 1 or outputs % horizon:
            raise DataError(f"{dataset.name}: {outputs} outputs cannot be divided into horizons of {horizon} steps")


def _check_amounts(target: Amounts, name: str) -> None:
    """Refuse targets that are missing, infinite, or whose squares float64 cannot hold."""
    with np.errstate(invalid="ignore"):
        wrong = np.argwhere(~(np.abs(target.values) <= LARGEST_TARGET))
    if len(wrong):
        row, output = wrong[0].tolist()
        value = float(target.values[row, output])
        if not np.isfinite(value):
            raise DataError(f"{name}: the target of row {row + 1} is missing or infinite", "drop that row")
        text = f"{name}: the target of row {row + 1} is {value:.4g}; squared errors of such numbers overflow"
        raise DataError(text, "divide the targets by a constant, or take their logarithm")


def _check_labels(target: Labels, name: str) -> None:
    """Refuse a label that every row has, or no row."""
    for label, values in zip(target.names, target.values.T, strict=True):
        if (values == values[0]).all():
            text = f"{name}: label '{label}' is {values[0]:g} in every row"
            raise DataError(text, "leave it out of the targets")


def _first(numbers: Numbers, found: NDArray[np.bool_]) -> str:
    index = np.unravel_index(int(found.argmax()), found.shape)
    return f"row {int(index[0]) + 1}, column '{numbers.name(int(index[numbers.axis]))}'"
