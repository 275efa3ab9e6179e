"""What in a data set is probably a mistake: leaks of the target, row numbers, repeated rows, classes written twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tuner.data.columns import DataColumn, columns
from tuner.data.dataset import Dataset
from tuner.data.inputs import SPECIAL, Ids, Tokens

SHOWN = 5  # names in a message
FIRST = 1000  # rows that are enough to clear most columns
FEW = 10  # so few rows or values may look like a mistake by chance
CHANCE = 10  # equal rows are reported if there are this many times more than by chance …
LEAST = 0.01  # … and they are at least this share of all rows: fewer hardly change a score
MOST = 200  # categories of a column in which the same word may be written twice
YEARS = (1800, 2100)
CASES, ROWS_OF_CASE = 20, 5  # so many different texts, of so few rows each on average, may name cases
ALONE = 0.5  # share of texts without a word that any other text has
DROP = "it cannot help to predict new rows; drop it"


def suspicions(dataset: Dataset) -> tuple[str, ...]:
    """Warnings to look at before a search."""
    read = list(columns(dataset))
    found = (*_similar_classes(dataset, read), *_lone_texts(dataset))
    if dataset.roles.until is None:  # windows of a series overlap, and count on
        found += (*_target_leaks(dataset, read), *_row_numbers(read), *_repeated_rows(dataset, read))
        found += tuple(_names_of_cases(dataset, read))
    return found


def constant_columns(dataset: Dataset) -> tuple[str, ...]:
    """A warning about columns that are the same in every row."""
    found = [each.name for each in columns(dataset) if each.per_row and _is_constant(each)]
    if not found:
        return ()
    several = len(found) > 1
    told = f"{_named(found)} {'are' if several else 'is'} the same in every row"
    return (f"{told}: {'they carry' if several else 'it carries'} no information",)


def _named(names: Sequence[str]) -> str:
    """Columns in words, the first of many."""
    shown = ", ".join(f"'{name}'" for name in names[:SHOWN])
    return f"column{'s' if len(names) > 1 else ''} {shown}" + (
        f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    )


def _is_constant(column: DataColumn) -> bool:
    values = column.values
    return bool(values[0] == values[-1]) and not _missing(column).any() and bool((values == values[0]).all())


def _missing(column: DataColumn) -> NDArray[np.bool_]:
    return column.values < 0 if column.levels else np.isnan(column.values)


def _target_leaks(dataset: Dataset, read: Sequence[DataColumn]) -> Iterator[str]:
    """Warnings about features that determine the target."""
    if dataset.positions or (not dataset.classes and dataset.targets.shape[1] > 1):
        return
    target = dataset.targets.reshape(len(dataset)).astype(np.float64)
    if len(target) == 0 or (target == target[0]).all():
        return
    some = np.random.default_rng(0).permutation(len(target))[:FIRST]  # files are often sorted, or alternate
    leaks, possible = (_gives_class, _may_give_class) if dataset.classes else (_gives_amount, _gives_amount)
    for column in read:
        if column.per_row and possible(column.values[some], target[some]) and leaks(column.values, target):
            text = f"column '{column.name}' determines the target in every row (a leak?)"
            yield f"{text}; drop it if it is not known beforehand"


def _gives_class(values: NDArray[Any], classes: NDArray[np.float64]) -> bool:
    """Whether each value occurs with one class only, and most values occur in several rows."""
    distinct, contradicted = _values_of(values, classes)
    return 1 < distinct <= len(values) / 2 and not contradicted


def _may_give_class(values: NDArray[Any], classes: NDArray[np.float64]) -> bool:
    """Whether some of the rows do not show that the others cannot."""
    distinct, contradicted = _values_of(values, classes)
    return distinct < len(values) and not contradicted


def _values_of(values: NDArray[Any], classes: NDArray[np.float64]) -> tuple[int, bool]:
    """The number of different values, and whether one of them occurs with different classes."""
    order = np.argsort(values)
    ordered, of = values[order], classes[order]
    same = ordered[1:] == ordered[:-1]
    distinct = len(values) - int(same.sum()) - int(np.isnan(values).sum())
    return distinct, bool((same & (of[1:] != of[:-1])).any())


def _gives_amount(values: NDArray[Any], amounts: NDArray[np.float64]) -> bool:
    """Whether the values are the amounts on another scale."""
    known = np.isfinite(values) & np.isfinite(amounts)
    first, second = values[known].astype(np.float64), amounts[known]
    if len(first) < 3 or not first.std() > 0 or not second.std() > 0:
        return False
    return bool(abs(np.corrcoef(first, second)[0, 1]) > 1 - 1e-9)


def _similar_classes(dataset: Dataset, read: Sequence[DataColumn]) -> Iterator[str]:
    """Warnings about classes, or categories of a column, that may be the same, written differently."""
    if dataset.task == "classification":
        yield from (f"classes {each}" for each in _similar(dataset.classes))
    for column in read:
        if len(column.levels) <= MOST:  # more are ids
            yield from (f"column '{column.name}': {each}" for each in _similar(column.levels))


def _similar(words: Sequence[str]) -> Iterator[str]:
    """A sentence about words that may be the same."""
    first: dict[str, str] = {}
    found = [f"'{other}' and '{word}'" for word in words
             if (other := first.setdefault(word.casefold().strip(), word)) != word]  # fmt: skip
    if found:
        more = f", and {len(found) - SHOWN} more pairs" if len(found) > SHOWN else ""
        yield f"{', '.join(found[:SHOWN])} differ only in capitals or spaces{more}"


def _row_numbers(read: Sequence[DataColumn]) -> Iterator[str]:
    """Warnings about columns that number or name the rows."""
    for column in read:
        values = column.values
        if not column.per_row or len(values) <= FEW or len(np.unique(values[:FIRST])) < min(len(values), FIRST):
            continue
        if _missing(column).any() or len(np.unique(values)) < len(values):
            continue
        if column.levels:
            yield f"column '{column.name}' has another value in every row: {DROP}"
        elif _counts(values):
            yield f"column '{column.name}' numbers the rows: {DROP}"


def _counts(values: NDArray[Any]) -> bool:
    """Whether different values are consecutive whole numbers, other than years."""
    low, high = float(values.min()), float(values.max())
    whole = high - low == len(values) - 1 and bool((values == np.round(values)).all())
    return whole and not (low >= YEARS[0] and high <= YEARS[1])


def _repeated_rows(dataset: Dataset, read: Sequence[DataColumn]) -> Iterator[str]:
    """A warning about rows that are equal in all features, if there are many, and more than chance would give."""
    whole = np.ascontiguousarray(dataset.features).reshape(len(dataset), -1).view(np.uint8)
    side = np.empty((len(dataset), 0)) if dataset.side is None else np.ascontiguousarray(dataset.side.values)
    keys = pd.Series(map(hash, zip(map(bytes, whole), map(bytes, side), strict=True)))
    count = int(keys.duplicated().sum())
    if count < LEAST * len(dataset) or _only_few_values(read) or count <= CHANCE * _equal_by_chance(dataset, read):
        return
    targets = pd.DataFrame(dataset.targets.reshape(len(dataset), -1))
    other = count - int(targets.assign(features=keys.to_numpy()).duplicated().sum())
    text = f"{count:,} of {len(dataset):,} rows equal an earlier one in all features"
    text += f", {other:,} of them with another target" if other else ""
    apart = dataset.roles.groups is None or pd.Series(dataset.roles.groups).groupby(keys).nunique().max() > 1
    same = "if they are the same case, they leak from fold to fold: drop them, or give them a group"
    yield f"{text}; {same if apart else 'each stays in its group'}"


def _only_few_values(read: Sequence[DataColumn]) -> bool:
    """Whether every column has so few different values that different cases are often equal."""
    found = [each for each in read if each.per_row]
    return bool(found) and all(len(np.unique(each.values[:FIRST])) <= FEW for each in found)


def _equal_by_chance(dataset: Dataset, read: Sequence[DataColumn]) -> float:
    """How many rows would equal an earlier one if the columns were independent of each other; 0 if it is not known."""
    rows, share = len(dataset), 1.0
    cells = dataset.inputs.codes.T if isinstance(dataset.inputs, Tokens) else (
        each.values for each in read if each.per_row
    )  # fmt: skip
    if rows < 2 or dataset.layout in ("sequence", "image"):
        return 0.0
    for column in cells:
        counts = np.unique(column, return_counts=True)[1].astype(float)
        share *= float((counts * (counts - 1)).sum()) / (rows * (rows - 1))
        if share * rows**2 < 1 / CHANCE:
            return 0.0
    return rows * (1 - float(np.exp(-share * (rows - 1) / 2)))


def _names_of_cases(dataset: Dataset, read: Sequence[DataColumn]) -> Iterator[str]:
    """Warnings about categories that may name cases, such as patients, each of a few rows."""
    if dataset.roles.groups is not None or isinstance(dataset.inputs, Ids):
        return
    for column in (each for each in read if len(each.levels) >= CASES):
        known = int((column.values >= 0).sum())
        if len(column.levels) < known <= ROWS_OF_CASE * len(column.levels):
            text = f"column '{column.name}' has {len(column.levels)} different texts in {known:,} rows"
            yield f"{text}: if they name cases, such as patients, set groups: {column.name}"


def _lone_texts(dataset: Dataset) -> Iterator[str]:
    """A warning about texts that share no word with any other."""
    if not isinstance(dataset.inputs, Tokens) or len(dataset) <= FEW or dataset.positions:
        return
    codes = dataset.inputs.codes
    texts = np.bincount(
        np.concatenate([np.unique(row) for row in codes]), minlength=len(dataset.inputs.words)
    )  # how many have each word
    shared = np.flatnonzero(texts > 1)
    alone = ~np.isin(codes, shared[shared >= SPECIAL]).any(axis=1)
    if alone.mean() > ALONE:
        example = " ".join(dataset.inputs.words[code] for code in islice(codes[alone.argmax()], 4) if code >= SPECIAL)
        text = (
            f"{int(alone.sum()):,} of {len(codes):,} texts have no token that any other text has, such as '{example}'"
        )
        yield f"{text}: nothing can be learned from them; tokens: character"
