"""Checks a `Dataset` that the user's own loader returned: the types of its fields, and its arrays."""

from __future__ import annotations

import reprlib
from dataclasses import fields, is_dataclass, replace
from typing import Any, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError

from tuner.data.check import ARRAYS, check_arrays
from tuner.data.dataset import Dataset, parts_of, with_arrays
from tuner.errors import DataError

DECLARED = ConfigDict(arbitrary_types_allowed=True, strict=True)


def checked_dataset(dataset: Dataset, name: str) -> Dataset:
    """The data set with arrays that torch can use. Raises `DataError` if something is not as the docstrings of its
    parts say; `name` is that of the loader."""
    exact: dict[str, NDArray[Any]] = {}
    for part, path in parts_of(dataset):
        _check_declared(part, path, name)
        for field in (field.name for field in fields(part) if (type(part).__name__, field.name) in ARRAYS):
            if isinstance(array := getattr(part, field), np.ndarray):
                kind, _ = ARRAYS[type(part).__name__, field]
                wide = array.astype(np.float64) if (kind, array.dtype) == ("float64", np.float32) else array
                exact[f"{path}{field}"] = np.require(wide, requirements=["C", "W"])
    whole = replace(with_arrays(dataset, exact), name=name)
    check_arrays(whole)
    return replace(whole, name=dataset.name)


def check_rows(rows: int, others: int, of: str, name: str) -> None:
    """Raise `DataError` unless both are the same number of rows."""
    if rows != others:
        raise DataError(f"{name}: {rows} rows of features but {others} of {of}")


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
