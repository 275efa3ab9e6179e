"""Values that occur in test rows only: users, items, classes and categories that a model cannot know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.data.dataset import Dataset
from tuner.data.inputs import Ids, Rows
from tuner.metrics.parts.sums import IGNORED

MOST = 3  # outer folds that a sentence tells of
Counts = Mapping[str, tuple[int, int]]


def unseen(dataset: Dataset, rows: Rows, test: Rows) -> dict[str, tuple[int, int]]:
    """By kind: how many values occur in the test rows only, and in the test rows at all; without kinds that have none.

    Id columns are counted separately, one-hot columns together. Tokens are not counted: every text has rare ones."""
    shown = {}
    inputs = dataset.inputs
    if isinstance(inputs, Ids):
        for column in range(len(inputs.vocabularies)):
            name = inputs.name(column)
            kind = f"{name}s" if inputs.of_users else f"values of {name}"
            shown[kind] = _beyond(inputs.codes[rows, column], inputs.codes[test, column])
    if dataset.task in ("classification", "tagging", "segmentation"):
        asked = dataset.targets[test]
        shown["classes"] = _beyond(dataset.targets[rows], asked[asked != IGNORED])
    numbers = dataset.numbers
    if numbers.categories:
        columns = np.r_[numbers.categories]
        known, met = (np.flatnonzero(np.nansum(numbers.values[each][..., columns], axis=0)) for each in (rows, test))
        shown["categories"] = _beyond(known, met)
    return {kind: counts for kind, counts in shown.items() if counts[0]}


def _beyond(known: NDArray[Any], met: NDArray[Any]) -> tuple[int, int]:
    return len(np.setdiff1d(met, known)), len(np.unique(met))


def in_words(found: Mapping[str, Counts]) -> str | None:
    """ "outer-1 12 of 943 users and 150 of 1,682 items; outer-2 …", or None where nothing is unseen."""
    sentences = [
        f"{chain} {' and '.join(f'{new:,} of {all_:,} {kind}' for kind, (new, all_) in counts.items())}"
        for chain, counts in found.items()
        if counts
    ]
    more = [f"and {len(sentences) - MOST} more outer folds"] if len(sentences) > MOST else []
    return "; ".join([*sentences[:MOST], *more]) or None
