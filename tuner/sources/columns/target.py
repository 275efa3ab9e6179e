"""Decides which task a target column means, and turns labels into class codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tuner.data.levels import levels, texts
from tuner.data.target import Amounts, Classes, Labels, PerPosition, Task
from tuner.errors import DataError
from tuner.metrics.parts.sums import IGNORED

TaskChoice = Literal["auto", "classification", "multilabel", "regression"]
MOST_NUMERIC_CLASSES = 20  # whole numbers with more distinct values than this are amounts, not labels


def as_target(
    values: NDArray[Any], requested: TaskChoice, where: str, name: str | Sequence[str] = "target"
) -> Classes | Labels | Amounts:
    """The target of a column (N,) or of several (N, M).

    Text, true/false and at most 20 different whole numbers are classes. Several columns of 0 and 1, or true and false,
    are labels of a multilabel task; where each row has exactly one 1, `requested` must say whether they are its class.
    Other numbers are amounts. `name` is that of the target, or of each of its columns. Raises `DataError`.
    """
    if values.ndim == 0 or values.size == 0:
        raise DataError(f"{where}: the target is empty")
    if values.dtype.kind not in "biufUSO":
        raise DataError(f"{where}: the target is {values.dtype}", "numbers, text or true/false")
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    labels = _labels(values) if values.ndim == 2 and values.shape[1] > 1 else None
    if labels is not None and requested in ("auto", "multilabel", "classification"):
        return _of_labels(labels, requested, where, name)
    if requested == "multilabel":
        text = f"{where}: task: multilabel needs several columns of 0 and 1, or true and false"
        raise DataError(f"{text}; the target is {values.dtype} of shape {values.shape}", "another task", "task")
    task = infer(values) if requested == "auto" else requested
    if task == "regression":
        try:
            numbers = np.array(values, dtype=np.float64)
        except (ValueError, TypeError) as error:
            cells = np.ndenumerate(values.reshape(len(values), -1))
            (_, column), bad = next((place, value) for place, value in cells if not _is_number(value))
            several = values.ndim > 1 and values.shape[1] > 1
            of = f" '{_names(name, values.shape[1])[column]}' has '{bad}', which" if several else f" '{bad}'"
            hint = "one target, or columns of numbers only" if several else "task: classification"
            raise DataError(f"{where}: the target{of} is not a number", hint, "target") from error
        numbers = numbers.reshape(len(numbers), -1)
        return Amounts(numbers, _names(name, numbers.shape[1]))
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        text = f"{where}: classes need one target, and there are {values[0].size}"
        raise DataError(text, "one column; or columns of numbers, or of 0 and 1", "target")
    if values.dtype.kind == "f" and np.isnan(values).any():
        row = int(np.flatnonzero(np.isnan(values))[0])
        raise DataError(f"{where}: the label of data row {row + 1} is missing", "drop that row")
    found, codes = levels(values) if values.dtype == object else np.unique(values, return_inverse=True)
    return Classes(codes.astype(np.int64), tuple(_label(value) for value in found), _names(name, 1))


def _names(name: str | Sequence[str], columns: int) -> tuple[str, ...]:
    """The names of so many columns."""
    if not isinstance(name, str):
        return tuple(name)
    return (name,) if columns == 1 else tuple(f"{name}[{column}]" for column in range(columns))


def _labels(values: NDArray[Any]) -> NDArray[np.float64] | None:
    """The values (N, L) as 0 and 1, or None where some are neither these nor true and false."""
    if values.dtype.kind in "OU":
        words = texts(str(value).lower() for value in values.flat).reshape(values.shape)
        known = np.isin(words, ("true", "false", "0", "1", "0.0", "1.0"))
        return np.isin(words, ("true", "1", "1.0")).astype(np.float64) if known.all() else None
    return values.astype(np.float64) if np.isin(values, (0, 1)).all() else None


def _of_labels(
    labels: NDArray[np.float64], requested: TaskChoice, where: str, name: str | Sequence[str]
) -> Classes | Labels:
    """Decide whether columns (N, L) of 0 and 1 are one class per row, or labels."""
    one_hot, count = (labels.sum(axis=1) == 1).all(), labels.shape[1]
    if requested == "classification" and one_hot:
        classes = tuple(map(str, range(count))) if isinstance(name, str) else tuple(name)
        return Classes(labels.argmax(axis=1), classes, _names(name, 1))
    if requested == "classification":
        row = int(np.flatnonzero(labels.sum(axis=1) != 1)[0])
        text = f"{where}: row {row + 1} of the target has {labels[row].sum():.0f} of {labels.shape[1]} classes"
        raise DataError(text, "task: multilabel, where a row may have any number of labels", "task")
    if requested == "auto" and one_hot:
        text = f"{where}: each row of the target of shape {labels.shape} has exactly one 1"
        raise DataError(text, "task: classification if it is the row's class, task: multilabel if not", "task")
    return Labels(labels, _names(name, count))


def as_positions(
    values: NDArray[Any], lengths: NDArray[np.int64] | None, where: str, name: str,
    task: Literal["tagging", "segmentation"],
) -> PerPosition:  # fmt: skip
    """A class at every step or pixel (N, …), `IGNORED` where the value is -1 or the sequence has ended. Raises
    `DataError`."""
    numeric = values.dtype.kind in "biuf"
    wrong = values[~np.isfinite(values) | (values != np.round(values)) | (values < IGNORED)] if numeric else values
    if wrong.size:
        text = f"{where} holds {wrong[0] if numeric else values.dtype}, which is not a class"
        raise DataError(text, "whole numbers from 0 up, or -1 where nothing is asked", "target")
    label_mask = values >= 0
    if lengths is not None:
        label_mask &= np.arange(values.shape[1]) < lengths[:, None]
    shown = np.unique(values[label_mask])
    codes = np.where(label_mask, np.searchsorted(shown, values), IGNORED)
    return PerPosition(codes.astype(np.int64), tuple(str(int(code)) for code in shown), (name,), task)


def infer(values: NDArray[Any]) -> Task:
    """The task that a target most likely means."""
    if values.dtype.kind in "UOSb":
        return "classification"
    whole = values.dtype.kind in "iu" or (np.isfinite(values).all() and (values == np.round(values)).all())
    one = values.ndim == 1 or values.shape[1] == 1
    return "classification" if one and whole and len(np.unique(values)) <= MOST_NUMERIC_CLASSES else "regression"


def _label(value: Any) -> str:
    is_whole = isinstance(value, float | np.floating) and float(value).is_integer()
    return str(int(value)) if is_whole else str(value)


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True
