"""Describes a data set: its columns, classes, lengths and groups, and possible leaks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.data.columns import columns
from tuner.data.dataset import Dataset
from tuner.data.inputs import SPECIAL, Ids, Rows, Tokens
from tuner.data.precision import warnings as precision_warnings
from tuner.data.roles import NEVER_TESTED, Roles
from tuner.data.suspicions import constant_columns, suspicions
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
    warnings = (
        *suspicions(dataset), *constant_columns(dataset), *dataset.notes, *precision_warnings(dataset.numbers),
        *dataset.hints,
    )  # fmt: skip
    return Description(tuple(_facts(dataset)), tuple(_features(dataset)), tuple(_targets(dataset)), warnings)


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


def _features(dataset: Dataset) -> Iterator[Column]:
    inputs = dataset.inputs
    if isinstance(inputs, Tokens):
        lengths = (inputs.codes > 0).sum(axis=1) if inputs.lengths is None else inputs.lengths
        codes, counts = np.unique(inputs.codes[inputs.codes >= SPECIAL], return_counts=True)
        common = [inputs.words[code] for code in codes[np.argsort(-counts, kind="stable")][:BINS]]
        yield Column("tokens of a row", "text", 0, " ".join(common), _bins(lengths))
    for each in columns(dataset):
        if each.levels:
            yield _category(each.name, each.levels, each.values, int((each.values < 0).sum()))
        else:
            yield _number(each.name, each.counted.astype(np.float64))


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


def _category(name: str, words: Sequence[str], codes: NDArray[np.int64], missing: int) -> Column:
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
