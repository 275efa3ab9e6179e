"""Checks a `Dataset` that the user's own loader returned: its types, the shapes of its arrays, and its codes."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError

from tuner.data.dataset import Dataset, with_arrays
from tuner.data.inputs import Ids, Tokens
from tuner.data.target import Amounts
from tuner.errors import DataError
from tuner.metrics.parts.sums import IGNORED
from tuner.sources.columns.roles import row_weights, step_counts

DECLARED = ConfigDict(arbitrary_types_allowed=True, strict=True)
SHAPES: dict[tuple[str, str], tuple[str, tuple[int, ...]]] = {  # of a field: its type, and how many dimensions
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
OF_COLUMNS = ("offsets", "coarse")  # which have a value for each column, not for each row


def checked_dataset(dataset: Dataset, name: str) -> Dataset:
    """The data set with arrays that torch can use. Raises `DataError` if something is not as the docstrings of its
    parts say; `name` is that of the loader."""
    found: dict[str, NDArray[Any]] = {}
    for part, path in _parts(dataset):
        _check_declared(part, path, name)
        for field in fields(part):
            key, where, array = (type(part).__name__, field.name), f"{path}{field.name}", getattr(part, field.name)
            if key in SHAPES and array is not None:
                found[where] = _array(array, *SHAPES[key], f"{name} returns a Dataset with {where}")
    rows = len(found.get("inputs.values", found.get("inputs.codes", ())))
    for path, array in found.items():
        if path.rpartition(".")[2] not in OF_COLUMNS:
            check_rows(rows, len(array), path, name)
    whole = with_arrays(dataset, found)
    _check_codes(whole, name)
    _check_horizon(whole, name)
    told = pd.DataFrame({path: found[path] for path in ("inputs.lengths", "roles.weights") if path in found})
    step_counts(told, "inputs.lengths" if "inputs.lengths" in told else None, whole.features.shape[1], name)
    row_weights(told, "roles.weights" if "roles.weights" in told else None, name)
    return whole


def check_rows(rows: int, others: int, of: str, name: str) -> None:
    """Raise `DataError` unless both are the same number of rows."""
    if rows != others:
        raise DataError(f"{name}: {rows} rows of features but {others} of {of}")


def _parts(part: Any, path: str = "") -> Iterator[tuple[Any, str]]:
    """A data set and its parts, each with the path of its fields."""
    yield part, path
    for field in fields(part):
        if is_dataclass(value := getattr(part, field.name)):
            yield from _parts(value, f"{path}{field.name}.")


def _check_declared(part: Any, path: str, name: str) -> None:
    """Raise `DataError` unless everything but the arrays has its declared type."""
    hints = get_type_hints(type(part))
    for field in (field.name for field in fields(part) if (type(part).__name__, field.name) not in SHAPES):
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


def _array(array: Any, kind: str, dimensions: tuple[int, ...], what: str) -> NDArray[Any]:
    if kind == "float64" and getattr(array, "dtype", None) == np.float32:
        array = array.astype(np.float64)  # exact
    found = str(getattr(array, "dtype", type(array).__name__))
    if found != kind:
        raise DataError(f"{what} of {found}", kind)
    if array.ndim not in dimensions:
        raise DataError(f"{what} of shape {array.shape}")
    return np.require(array, requirements=["C", "W"])


def _check_codes(dataset: Dataset, name: str) -> None:
    """Raise `DataError` unless every class has a name, and every code a word."""
    target, inputs = dataset.target, dataset.inputs
    codes = target.values
    if target.classes and codes.size and not IGNORED <= codes.min() <= codes.max() < len(target.classes):
        text = f"{name} returns a Dataset with class codes {codes.min()} … {codes.max()}"
        raise DataError(text, f"it has {len(target.classes)} classes, so 0 … {len(target.classes) - 1}")
    if isinstance(inputs, Ids) and inputs.codes.shape[1] != len(inputs.vocabularies):
        text = f"{name} returns a Dataset with {inputs.codes.shape[1]} columns of codes and {len(inputs.vocabularies)}"
        raise DataError(f"{text} vocabularies", "one for each")
    columns = [inputs.codes] if isinstance(inputs, Tokens) else list(inputs.codes.T) if isinstance(inputs, Ids) else []
    for words, column in zip(dataset.vocabularies, columns, strict=False):
        if column.size and not 0 <= column.min() <= column.max() < len(words):
            text = f"{name} returns a Dataset with codes {column.min()} … {column.max()}"
            raise DataError(text, f"the vocabulary has {len(words)} words, so 0 … {len(words) - 1}")


def _check_horizon(dataset: Dataset, name: str) -> None:
    """Raise `DataError` unless the outputs are `horizon` steps of some columns."""
    target = dataset.target
    if not isinstance(target, Amounts) or target.naive is None:
        return
    outputs, horizon = target.values.shape[1], target.naive.horizon
    if horizon < 1 or outputs % horizon:
        text = f"{name} returns a Dataset with {outputs} outputs of horizon {horizon}"
        raise DataError(text, "steps times columns make the outputs")
