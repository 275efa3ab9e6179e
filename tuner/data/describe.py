"""Describes a data set: its columns, classes, lengths and groups, and possible leaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tuner.data.dataset import Dataset
from tuner.data.inputs import SPECIAL, Ids, Numbers, Rows, Tokens
from tuner.data.precision import warnings as precision_warnings
from tuner.data.roles import NEVER_TESTED, Roles
from tuner.data.target import PerPosition, Text
from tuner.metrics.parts.sums import IGNORED

LETTERS = 60  # of a text that is shown
BINS = 10
Histogram = tuple[int, ...]


@dataclass(frozen=True)
class Column:
    """A feature, channel or target: its type, how many values are missing, which values there are, and a histogram over
    ten equal parts of their range or over the categories."""

    name: str
    kind: str
    missing: int
    values: str
    histogram: Histogram


@dataclass(frozen=True)
class Description:
    """Facts as (name, value), the columns of features and targets, and warnings to look at before a search."""

    facts: tuple[tuple[str, str], ...]
    features: tuple[Column, ...]
    targets: tuple[Column, ...]
    warnings: tuple[str, ...]


def describe(dataset: Dataset) -> Description:
    """Describe a data set, before it is split."""
    read = list(_features(dataset))
    warnings = (*_target_leaks(dataset, read), *_similar_classes(dataset), *_constant_columns(read))
    if dataset.roles.until is None:  # windows of a series count on, and overlap
        warnings += (*_row_numbers(dataset, read), *_repeated_rows(dataset))
    warnings += (*dataset.notes, *precision_warnings(dataset.numbers), *dataset.hints)
    columns = tuple(column for column, _ in read)
    return Description(tuple(_facts(dataset)), columns, tuple(_targets(dataset)), warnings)


def _facts(dataset: Dataset) -> Iterator[tuple[str, str]]:
    shape = "×".join(str(size) for size in dataset.features.shape[1:])
    yield "rows", f"{len(dataset):,} of {shape} ({dataset.layout})"
    yield "task", dataset.task
    for index, words in enumerate(dataset.vocabularies):
        inputs = dataset.inputs
        what = f"different values of {inputs.name(index)}" if isinstance(inputs, Ids) else "different tokens"
        yield "vocabulary", f"{len(words) - SPECIAL:,} {what}"
    if dataset.lengths is not None:
        low, middle, high = (int(np.quantile(dataset.lengths, share)) for share in (0, 0.5, 1))
        yield "lengths", f"{low} … {high}, median {middle}"
    yield from _roles(dataset.roles)


def _roles(roles: Roles) -> Iterator[tuple[str, str]]:
    if roles.groups is not None:
        sizes = np.unique(roles.groups, return_counts=True)[1]
        yield "groups", f"{len(sizes):,} of {sizes.min():,} … {sizes.max():,} rows; each stays in one fold"
    if roles.split is not None:
        yield "split", _split(roles.split)
    if roles.order is not None:
        yield "time", f"{len(np.unique(roles.order)):,} different times; folds go forward"
    if roles.weights is not None:
        where = "training and scores" if roles.weights_for == "both" else roles.weights_for
        yield "weights", f"{roles.weights.min():g} … {roles.weights.max():g}, in {where}"


def _split(split: Rows) -> str:
    """A split column in words: how many outer folds it names, and how many rows are never tested."""
    folds, never = len(np.unique(split[split != NEVER_TESTED])), int((split == NEVER_TESTED).sum())
    if folds == 1:
        return f"cut once: {len(split) - never:,} rows test, {never:,} train"
    return f"{folds} outer folds" + (f"; {never:,} rows are never tested" if never else "")


def _features(dataset: Dataset) -> Iterator[tuple[Column, NDArray[np.floating] | None]]:
    """Every column with its value in each row, if it has one."""
    inputs = dataset.inputs
    if isinstance(inputs, Tokens):
        lengths = (inputs.codes > 0).sum(axis=1) if inputs.lengths is None else inputs.lengths
        codes, counts = np.unique(inputs.codes[inputs.codes >= SPECIAL], return_counts=True)
        common = [inputs.words[code] for code in codes[np.argsort(-counts, kind="stable")][:BINS]]
        yield Column("tokens of a row", "text", 0, " ".join(common), _bins(lengths)), None
    elif isinstance(inputs, Ids):
        for index, words in enumerate(inputs.vocabularies):
            own = inputs.codes[:, index]
            yield _category(inputs.name(index), words, own, int((own < SPECIAL).sum())), own.astype(np.float64)
    yield from _numbers(dataset.numbers)


def _numbers(numbers: Numbers) -> Iterator[tuple[Column, NDArray[np.floating] | None]]:
    array, runs, index = numbers.values, {run.start: run for run in numbers.categories}, 0
    used = None if numbers.lengths is None else np.arange(array.shape[1]) < numbers.lengths[:, None]
    while index < array.shape[numbers.axis]:
        run = runs.get(index)
        if run is not None:
            one_hot, names = array[:, run], [numbers.name(i).rpartition("=") for i in range(run.start, run.stop)]
            codes = np.where(np.isnan(one_hot[:, 0]), -1, np.nan_to_num(one_hot).argmax(axis=1))
            levels = [level for _, _, level in names]
            yield _category(names[0][0], levels, codes, int((codes < 0).sum())), codes.astype(np.float64)
            index = run.stop
            continue
        values = np.moveaxis(array, numbers.axis, 0)[index]  # no copy: of wide data all columns are held at once
        if numbers.offsets is not None and numbers.offsets[index]:
            values = values + numbers.offsets[index]
        shown = values if used is None else values[used]
        yield _number(numbers.name(index), shown.ravel().astype(np.float64)), values if values.ndim == 1 else None
        index += 1


def _targets(dataset: Dataset) -> Iterator[Column]:
    target = dataset.target
    if isinstance(target, PerPosition | Text) and target.task in ("language", "translation"):
        labelled = target.values[target.values != IGNORED]
        yield Column(target.names[0], "text", 0, f"{len(target.classes):,} tokens, {labelled.size:,} labelled", ())
    elif target.classes:
        codes = target.values[target.values != IGNORED].astype(np.int64)
        yield _category(target.names[0], target.classes, codes, 0)
    else:
        for name, values in zip(target.names, target.values.T, strict=False):
            yield _number(name, values.astype(np.float64))


def _number(name: str, values: NDArray[np.float64]) -> Column:
    known = values[np.isfinite(values)]
    missing = int(np.isnan(values).sum())
    if not known.size:
        return Column(name, "empty", missing, "", ())
    low, middle, high = np.quantile(known, (0, 0.5, 1))
    whole = bool((known == np.round(known)).all())
    kind = "yes/no" if whole and set(np.unique(known)) <= {0, 1} else "whole" if whole else "number"
    words = f"{low:.4g} … {high:.4g}, median {middle:.4g}" if low < high else f"always {low:.4g}"
    return Column(name, kind, missing, words, _bins(known))


def _category(name: str, words: tuple[str, ...] | list[str], codes: NDArray[np.int64], missing: int) -> Column:
    """Categories, the most frequent first; the histogram has that order."""
    found, counts = np.unique(codes[codes >= 0], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    text = ", ".join(f"{_start(words[found[i]])} {counts[i]:,}" for i in order[:BINS])
    return Column(name, "category", missing, text + (", …" if len(found) > BINS else ""), tuple(counts[order][:BINS]))


def _start(word: str) -> str:
    return word if len(word) <= LETTERS else f"{word[:LETTERS]}…"


def _bins(values: NDArray[Any]) -> Histogram:
    """Counts in ten equal parts of the range; one part if the range is too narrow to be divided."""
    try:
        return tuple(int(count) for count in np.histogram(values, bins=BINS)[0])
    except ValueError:
        return (len(values),)


Read = list[tuple[Column, NDArray[np.floating] | None]]


def _target_leaks(dataset: Dataset, read: Read) -> Iterator[str]:
    """Warnings about features that determine the target."""
    if dataset.positions or (not dataset.classes and dataset.targets.shape[1] > 1):
        return
    target = dataset.targets.reshape(len(dataset)).astype(np.float64)
    if len(np.unique(target)) < 2:
        return
    for column, values in read:
        if values is None or len(np.unique(values)) < 2:
            continue
        values = values.astype(np.float64)
        if dataset.classes:
            pairs = pd.DataFrame({"value": values, "class": target}).dropna().drop_duplicates()
            leaks = not pairs["value"].duplicated().any() and 1 < len(pairs) <= len(dataset) / 2
        else:
            known = np.isfinite(values) & np.isfinite(target)
            varied = known.sum() > 2 and values[known].std() > 0 and target[known].std() > 0
            leaks = varied and abs(np.corrcoef(values[known], target[known])[0, 1]) > 1 - 1e-9
        if leaks:
            text = f"column '{column.name}' determines the target in every row (a leak?)"
            yield f"{text}; drop it if it is not known beforehand"


def _similar_classes(dataset: Dataset) -> Iterator[str]:
    """Warnings about classes that may be the same, written differently."""
    first: dict[str, str] = {}
    for label in dataset.classes if dataset.task == "classification" else ():
        other = first.setdefault(label.casefold().strip(), label)
        if other != label:
            yield f"classes '{other}' and '{label}' differ only in capitals or spaces"


def _constant_columns(read: Read) -> Iterator[str]:
    """Warnings about columns that are the same in every row."""
    for column, values in read:
        if values is not None and not column.missing and len(np.unique(values)) == 1:
            yield f"column '{column.name}' is the same in every row: it carries no information"


def _row_numbers(dataset: Dataset, read: Read) -> Iterator[str]:
    """Warnings about columns that number or name the rows."""
    for column, values in read:
        if values is None or column.missing or len(values) <= BINS or len(distinct := np.unique(values)) < len(values):
            continue
        if column.kind == "category":
            yield f"column '{column.name}' has another value in every row: it cannot help to predict new rows; drop it"
        elif column.kind == "whole" and float(distinct[-1]) - float(distinct[0]) == len(values) - 1:
            yield f"column '{column.name}' numbers the rows: it cannot help to predict new rows; drop it"


def _repeated_rows(dataset: Dataset) -> Iterator[str]:
    """Warnings about rows that are equal in all features."""
    whole = np.ascontiguousarray(dataset.features).reshape(len(dataset), -1).view(np.uint8)
    side = np.empty((len(dataset), 0)) if dataset.side is None else np.ascontiguousarray(dataset.side.values)
    keys = pd.Series(map(hash, zip(map(bytes, whole), map(bytes, side), strict=True)))
    repeated = keys.duplicated()
    if not repeated.any():
        return
    count, targets = int(repeated.sum()), pd.DataFrame(dataset.targets.reshape(len(dataset), -1))
    other = count - int(targets.assign(features=keys.to_numpy()).duplicated().sum())
    text = f"{count:,} of {len(dataset):,} rows equal an earlier one in all features"
    text += f", {other:,} of them with another target" if other else ""
    apart = dataset.roles.groups is None or pd.Series(dataset.roles.groups).groupby(keys).nunique().max() > 1
    yield text + ("; in two folds they leak: drop them, or give them a group" if apart else "; each stays in its group")
