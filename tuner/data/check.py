"""Refuses data that cannot be trained on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tuner.data.arrays import check_arrays
from tuner.data.dataset import Dataset
from tuner.data.inputs import Numbers
from tuner.data.target import LARGEST_TARGET, Amounts, Labels
from tuner.errors import DataError, DataErrors


def check(dataset: Dataset) -> Dataset:
    """Refuse data that cannot be trained on; the messages name the first offending places. Raises `DataError`."""
    check_task(dataset)
    errors = DataErrors()
    for each in (check_known, check_finite):
        with errors.collect():
            each(dataset)
    errors.raise_all()
    return dataset


def check_task(dataset: Dataset) -> None:
    """Refuse data of which nothing can be learned: without rows or features, or with targets that are no task. Raises
    `DataError`."""
    check_arrays(dataset, dataset.name)
    if len(dataset) == 0:
        raise DataError(f"{dataset.name}: no rows")
    if dataset.features[0].size == 0:
        raise DataError(f"{dataset.name}: no features")
    if dataset.classes and len(dataset.classes) < 2:
        raise DataError(f"{dataset.name}: all rows have the same class, {dataset.classes[0]!r}", "another target")
    if isinstance(dataset.target, Amounts):
        _check_amounts(dataset.target, dataset.name)
    if isinstance(dataset.target, Labels):
        _check_labels(dataset.target, dataset.name)


def check_finite(dataset: Dataset) -> None:
    """Refuse features that are infinite. Raises `DataError`."""
    numbers = dataset.numbers
    if np.isinf(numbers.values).any():
        text = f"{dataset.name}: {_first(numbers, np.isinf(numbers.values))} is infinite, or beyond 3.4e38 (float32)"
        raise DataError(text, "correct or drop it, or use another unit")


def check_known(dataset: Dataset) -> None:
    """Refuse features that are missing and that nothing fills in. Raises `DataError`."""
    numbers = dataset.numbers
    absent = np.isnan(numbers.values)
    for columns in numbers.categories:
        absent[:, columns.start + 1 : columns.stop] = False  # a missing category is one missing value
    if numbers.impute == "none" and absent.any():
        count = "1 value is" if absent.sum() == 1 else f"{absent.sum():,} values are"
        text = f"{dataset.name}: {count} missing, the first at {_first(numbers, absent)}"
        raise DataError(text, "fill them per fold with impute: mean or impute: median")


def _check_amounts(target: Amounts, name: str) -> None:
    """Refuse targets that are missing, infinite, or whose squares float64 cannot hold."""
    with np.errstate(invalid="ignore"):
        wrong = np.argwhere(~(np.abs(target.values) <= LARGEST_TARGET))
    if len(wrong):
        row, output = wrong[0].tolist()
        value = float(target.values[row, output])
        if not np.isfinite(value):
            raise DataError(f"{name}: the target of data row {row + 1} is missing or infinite", "drop that row")
        text = f"{name}: the target of data row {row + 1} is {value:.4g}; squared errors of such numbers overflow"
        raise DataError(text, "divide the targets by a constant, or take their logarithm")


def _check_labels(target: Labels, name: str) -> None:
    """Refuse a label that every row has, or no row."""
    for label, values in zip(target.names, target.values.T, strict=True):
        if (values == values[0]).all():
            text = f"{name}: label '{label}' is {values[0]:g} in every row"
            raise DataError(text, "leave it out of the targets")


def _first(numbers: Numbers, found: NDArray[np.bool_]) -> str:
    index = np.unravel_index(int(found.argmax()), found.shape)
    return f"data row {int(index[0]) + 1}, column '{numbers.name(int(index[numbers.axis]))}'"
