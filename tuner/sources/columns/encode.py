"""Columns of any type as what models read: numbers, and categories one-hot or as codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tuner.data.inputs import PADDING, UNKNOWN, Ids, Numbers
from tuner.data.levels import levels_of
from tuner.data.precision import as_numbers, joined, narrow
from tuner.data.settings import NumberSettings
from tuner.errors import DataError, DataErrors, ManyTextsError
from tuner.sources.columns.dates import PARTS, parts, read
from tuner.sources.columns.mixed import check_no_numbers, truths
from tuner.sources.columns.moments import Moments, compact, moments
from tuner.sources.readers.frames import VALUES, check_values

Categories = Literal["one_hot", "embedded"]
MOST = {"one_hot": 200, "embedded": 100_000}  # levels of a category


@dataclass(frozen=True, eq=False)
class Amounts:
    """A column as numbers (N, D), with a name for each; a missing value is NaN."""

    values: NDArray[Any]
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Category:
    """A column as categories: the index of each row's category (N,) among the sorted levels, -1 if it is missing."""

    codes: NDArray[np.int64]
    levels: tuple[str, ...]
    name: str


def inputs(
    frame: pd.DataFrame, columns: Sequence[str], where: str, settings: NumberSettings, how: Categories = "one_hot"
) -> Numbers | Ids:
    """These columns as inputs: categories one-hot, or embedded as ids, with the numbers beside them. Raises
    `DataError`."""
    if not columns:
        raise DataError(f"{where}: no column is left as a feature")
    found, errors = [], DataErrors()
    for column in columns:
        with errors.collect():
            found.append(_read(frame[column], str(column), f"{where}: column '{column}'", MOST[how]))
    errors.raise_all()
    return _one_hot(found, settings) if how == "one_hot" else _embedded(found, where, settings)


def _one_hot(read: Sequence[Amounts | Category], settings: NumberSettings) -> Numbers:
    names: list[str] = []
    blocks, categories = [], []
    for each in read:
        if isinstance(each, Category):
            categories.append(slice(len(names), len(names) + len(each.levels)))
            block = (each.codes[:, None] == np.arange(len(each.levels))).astype(np.float32)
            block[each.codes < 0] = np.nan
            blocks.append(narrow(block))
            names += [f"{each.name}={level}" for level in each.levels]
        else:
            blocks.append(narrow(each.values))
            names += each.names
    return as_numbers(joined(blocks), settings, names, categories=categories)


def _embedded(read: Sequence[Amounts | Category], where: str, settings: NumberSettings) -> Ids:
    categories = [each for each in read if isinstance(each, Category)]
    numbers = [each for each in read if isinstance(each, Amounts)]
    if not categories:
        raise DataError(f"{where} has no column of categories to embed", "categories: one_hot", "categories")
    codes = np.stack([np.where(each.codes < 0, 1, each.codes + 2) for each in categories], axis=1)
    vocabularies = tuple((PADDING, UNKNOWN, *each.levels) for each in categories)
    side = _one_hot(numbers, settings) if numbers else None
    return Ids(codes, vocabularies, tuple(each.name for each in categories), side)


def _read(column: pd.Series, name: str, where: str, most: int) -> Amounts | Category:
    kind: str = "string" if isinstance(column.dtype, pd.CategoricalDtype) else column.dtype.kind
    if kind == "O":
        kind = pd.api.types.infer_dtype(column)
        check_values(column, where)
    if kind == "c":
        raise DataError(f"{where} holds complex numbers", VALUES)
    missing = column.isna().to_numpy()
    if missing.all() and kind not in "iufb":
        raise DataError(f"{where} is empty", "leave it out with drop")
    if column.dtype == np.float32:
        return Amounts(column.to_numpy()[:, None], (name,))
    if isinstance(column.dtype, np.dtype) and (dates := compact(column.to_numpy())) is not None:
        return _of_dates(dates, name)
    if isinstance(column.dtype, np.dtype) and kind in ("i", "u"):
        return Amounts(column.to_numpy()[:, None], (name,))
    if kind in ("i", "u", "f", "b"):
        return Amounts(column.to_numpy(dtype=np.float64, na_value=np.nan)[:, None], (name,))
    if kind in ("decimal", "integer", "floating", "mixed-integer-float"):
        numbers = [np.nan if absent else float(value) for value, absent in zip(column, missing, strict=True)]
        return Amounts(np.array(numbers)[:, None], (name,))
    if kind in ("m", "timedelta", "timedelta64"):
        days = pd.TimedeltaIndex(column) / pd.Timedelta(days=1)
        return Amounts(np.asarray(days)[:, None], (name,))
    if kind == "M" and (dates := read(column, where)) is not None:
        return _of_dates(dates, name)
    return _of_texts(column, name, where, most)


def _of_dates(dates: Moments, name: str) -> Amounts:
    return Amounts(parts(dates), tuple(f"{name}: {part}" for part in PARTS))


def _of_texts(column: pd.Series, name: str, where: str, most: int) -> Amounts | Category:
    """A column of texts: true/false and dates become numbers, as they are in a Parquet file; other texts are
    categories. Raises `DataError` for numbers with a few texts among them."""
    found, codes = levels_of(column)
    truth = truths(found)
    if truth is not None:
        return Amounts(np.append(truth, np.nan)[codes].astype(np.float32)[:, None], (name,))
    dates = moments(found, codes, where)
    if dates is not None:
        return _of_dates(dates, name)
    if not isinstance(column.dtype, pd.CategoricalDtype):  # which says that it is meant so
        check_no_numbers(found, codes, where)
    if len(found) > most:
        other = "; or categories: embedded" if most == MOST["one_hot"] else ""
        repeated = len(found) < int((codes >= 0).sum())
        hint = (
            f"groups: {name}, if the rows of each belong together; else drop: {name}" if repeated else f"drop: {name}"
        )
        raise ManyTextsError(f"{where} has {len(found):,} different texts", hint + other, name)
    return Category(codes, tuple(found), name)
