"""Decides the task from a target column, and turns labels into class codes."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tuner.data.dataset import IGNORED, Task
from tuner.errors import DataError

TaskChoice = Literal["auto", "classification", "regression"]
MOST_NUMERIC_CLASSES = 20  # whole numbers with more distinct values than this are amounts, not labels


def targets(
    values: NDArray[Any], wish: TaskChoice, where: str
) -> tuple[Task, NDArray[np.int64] | NDArray[np.float64], tuple[str, ...]]:
    """(task, codes (N,) or numbers (N, M), class names) of a target (N,) or (N, M).

    Text, true/false and at most 20 different whole numbers are classes; other numbers are amounts.
    """
    if values.ndim == 0 or values.size == 0:
        raise DataError(f"{where}: the target is empty")
    if values.dtype.kind not in "biufUSO":
        raise DataError(f"{where}: the target is {values.dtype}", "numbers, text or true/false")
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    task = infer(values) if wish == "auto" else wish
    if task == "regression":
        try:
            numbers = np.array(values, dtype=np.float64)
        except (ValueError, TypeError) as error:
            bad = next((v for v in values.ravel() if not _is_number(v)), values.ravel()[0])
            raise DataError(f"{where}: the target '{bad}' is not a number", "task: classification") from error
        return task, numbers.reshape(len(numbers), -1), ()
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise DataError(f"{where}: classes need one target, not shape {values.shape}", "task: regression")
    if values.dtype.kind == "f" and np.isnan(values).any():
        row = int(np.flatnonzero(np.isnan(values))[0])
        raise DataError(f"{where}: the label of row {row + 1} is missing", "drop that row")
    labels, codes = np.unique(values, return_inverse=True)
    return task, codes.astype(np.int64), tuple(_label(v) for v in labels)


def tags(
    values: NDArray[Any], lengths: NDArray[np.int64] | None, where: str
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Codes (N, …) of the classes that occur at steps or pixels, `IGNORED` where nothing is asked (-1) or the
    sequence has ended; and their names."""
    numeric = values.dtype.kind in "biuf"
    wrong = values[~np.isfinite(values) | (values != np.round(values)) | (values < IGNORED)] if numeric else values
    if wrong.size:
        text = f"{where} holds {wrong[0] if numeric else values.dtype}, which is no class"
        raise DataError(text, "whole numbers from 0 up, or -1 where nothing is asked", "target")
    asked = values >= 0
    if lengths is not None:
        asked &= np.arange(values.shape[1]) < lengths[:, None]
    shown = np.unique(values[asked])
    codes = np.where(asked, np.searchsorted(shown, values), IGNORED)
    return codes.astype(np.int64), tuple(str(int(code)) for code in shown)


def infer(values: NDArray[Any]) -> Task:
    """The task that a target most plainly means."""
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
