"""The columns of a data set as they were read: a category is one column again, and not one per level."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.data.dataset import Dataset
from tuner.data.inputs import SPECIAL, Ids, Numbers


@dataclass(frozen=True, eq=False)
class DataColumn:
    """A feature or channel.

    Attributes:
        name: of the column.
        values: (N,), or (N, …) of a channel: numbers, NaN if missing; or indexes of levels, negative if missing.
        levels: the categories, if it is one.
        used: which values count, if not all: the steps before the ends of sequences.
    """

    name: str
    values: NDArray[Any]
    levels: Sequence[str]
    used: NDArray[np.bool_] | None = None

    @property
    def counted(self) -> NDArray[Any]:
        """The values that count, (M,)."""
        return (self.values if self.used is None else self.values[self.used]).ravel()

    @property
    def per_row(self) -> bool:
        """Whether each row has one value."""
        return self.values.ndim == 1


def columns(dataset: Dataset) -> Iterator[DataColumn]:
    """Every column of a data set of numbers or ids; of texts none."""
    inputs = dataset.inputs
    if isinstance(inputs, Ids):
        for index, words in enumerate(inputs.vocabularies):
            codes = inputs.codes[:, index] - SPECIAL
            yield DataColumn(inputs.name(index), codes, words[SPECIAL:])
    yield from _numbers(dataset.numbers)


def _numbers(numbers: Numbers) -> Iterator[DataColumn]:
    array, runs, index = numbers.values, {run.start: run for run in numbers.categories}, 0
    used = None if numbers.lengths is None else np.arange(array.shape[1]) < numbers.lengths[:, None]
    while index < array.shape[numbers.axis]:
        run = runs.get(index)
        if run is not None:
            one_hot, names = array[:, run], [numbers.name(i).rpartition("=") for i in range(run.start, run.stop)]
            codes = np.where(np.isnan(one_hot[:, 0]), -1, np.nan_to_num(one_hot).argmax(axis=1))
            yield DataColumn(names[0][0], codes, [level for _, _, level in names])
            index = run.stop
            continue
        values = np.moveaxis(array, numbers.axis, 0)[index]  # no copy: of wide data all columns are held at once
        if numbers.offsets is not None and numbers.offsets[index]:
            values = values + numbers.offsets[index]
        yield DataColumn(numbers.name(index), values, (), used)
        index += 1
