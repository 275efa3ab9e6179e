"""The dataset type: model inputs, target, and the roles of rows in resampling and weighting."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tuner.data.inputs import Ids, Inputs, Layout, Numbers, Rows, Tokens
from tuner.data.roles import Roles
from tuner.data.target import Amounts, NaiveForecast, Target, Task

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Part = TypeVar("Part", bound=DataclassInstance)

Pair = tuple[Rows, Rows]  # training rows, and those that score them


@dataclass(frozen=True, eq=False)
class Dataset:
    """N rows to learn from.

    Attributes:
        name: what errors and reports call it.
        inputs: what a model reads.
        target: what it answers.
        roles: how rows may be cut, and how much each counts.
        hints: columns that suggest groups or time, which the experiment does not use for splitting.
        notes: what was left out, or looks odd.
    """

    name: str
    inputs: Inputs
    target: Target
    roles: Roles = field(default_factory=Roles)
    hints: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.features)

    @property
    def task(self) -> Task:
        """What is learned."""
        return self.target.task

    @property
    def layout(self) -> Layout:
        """The kind of a row."""
        return self.inputs.layout

    @property
    def features(self) -> NDArray[np.float32] | Rows:
        """The array that a model reads first: numbers, or codes."""
        return self.inputs.array

    @property
    def lengths(self) -> Rows | None:
        """How many steps or tokens of each row (N,) count, if not all."""
        return None if isinstance(self.inputs, Ids) else self.inputs.lengths

    @property
    def numbers(self) -> Numbers:
        """The numbers, imputed and scaled by each lane: the inputs themselves, those besides ids, or none (N, 0)."""
        if isinstance(self.inputs, Numbers):
            return self.inputs
        return self.side or Numbers(np.empty((len(self), 0), dtype=np.float32))

    @property
    def side(self) -> Numbers | None:
        """The numbers that rows have besides their ids; None if there are none."""
        return self.inputs.side if isinstance(self.inputs, Ids) else None

    @property
    def vocabularies(self) -> tuple[tuple[str, ...], ...]:
        """The words of each vocabulary; none of numbers."""
        if isinstance(self.inputs, Tokens):
            return (self.inputs.words,)
        return self.inputs.vocabularies if isinstance(self.inputs, Ids) else ()

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of codes of each vocabulary that a lane can know."""
        return () if isinstance(self.inputs, Numbers) else self.inputs.sizes

    @property
    def of_users(self) -> bool:
        """Whether the first column of ids holds users, so that items can be ranked for each of them."""
        return isinstance(self.inputs, Ids) and self.inputs.of_users

    @property
    def targets(self) -> NDArray[np.int64] | NDArray[np.float64]:
        """Class codes (N,), or of every step or pixel (N, …); numbers or labels (N, M)."""
        return self.target.values

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, if a class is answered."""
        return self.target.classes

    @property
    def outputs(self) -> int:
        """How many numbers a model predicts: C classes or M outputs."""
        return len(self.classes) or self.targets.shape[1]

    @property
    def positions(self) -> tuple[int, ...]:
        """The shape of a row's target if it has a class at every step (T,) or pixel (H, W), else ()."""
        return self.targets.shape[1:] if self.classes else ()

    @property
    def naive(self) -> NaiveForecast | None:
        """The forecasts without a model, of a forecast."""
        return self.target.naive if isinstance(self.target, Amounts) else None

    @property
    def training_weights(self) -> NDArray[np.float64] | None:
        """The weight of each row (N,) in training; None if all count alike."""
        return None if self.roles.weights_for == "scores" else self.roles.weights

    @property
    def score_weights(self) -> NDArray[np.float64] | None:
        """The weight of each row (N,) in scores; None if all count alike."""
        return None if self.roles.weights_for == "training" else self.roles.weights

    def counts(self, rows: Rows) -> NDArray[np.float64]:
        """The weights of these rows (V,) in a score."""
        return np.ones(len(rows)) if self.score_weights is None else self.score_weights[rows]

    def targets_digest(self) -> str:
        """A hash of the targets and their weights in scores: equal if two data sets have the same targets in the same
        rows, whatever their features."""
        return _digest(self.targets, *(() if self.score_weights is None else (self.score_weights,))).hexdigest()

    def fingerprint(self) -> str:
        """A hash of everything that training can see."""
        numbers, side, weights = self.numbers, self.side, self.roles.weights
        others = (None if side is None else side.values, self.lengths, weights, numbers.offsets)
        digest = _digest(self.features, self.targets, *(array for array in others if array is not None))
        about = (self.task, tuple(map(str, self.classes)), numbers.categories, numbers.scale, numbers.impute)
        digest.update(repr(about + tuple(tuple(map(str, words)) for words in self.vocabularies)).encode())
        digest.update(b"" if weights is None else self.roles.weights_for.encode())
        return digest.hexdigest()


def _digest(*arrays: NDArray[Any]) -> hashlib.blake2b:
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest


def parts_of(part: DataclassInstance, path: str = "") -> Iterator[tuple[DataclassInstance, str]]:
    """A data set and its parts, each with the path of its fields, such as `inputs.`."""
    yield part, path
    for each in fields(part):
        value = getattr(part, each.name)
        if is_dataclass(value) and not isinstance(value, type):
            yield from parts_of(value, f"{path}{each.name}.")


def arrays_of(dataset: Dataset) -> Iterator[tuple[str, NDArray[Any]]]:
    """Every array of a data set by its path, such as `inputs.values`."""
    for part, path in parts_of(dataset):
        for each in fields(part):
            if isinstance(array := getattr(part, each.name), np.ndarray):
                yield f"{path}{each.name}", array


def with_arrays(part: Part, arrays: Mapping[str, NDArray[Any]], path: str = "") -> Part:
    """The same with other arrays at these paths."""
    changed: dict[str, Any] = {}
    for each in fields(part):
        value, key = getattr(part, each.name), f"{path}{each.name}"
        if key in arrays:
            changed[each.name] = arrays[key]
        elif is_dataclass(value) and not isinstance(value, type):
            changed[each.name] = with_arrays(value, arrays, f"{key}.")
    return replace(part, **changed)


def disjoint(*groups: Rows) -> None:
    """Raise if any row is in two of the groups."""
    together = np.concatenate(groups)
    if len(np.unique(together)) < len(together):  # no assertion: those can be switched off
        raise RuntimeError("rows of training, validation and test overlap")


def as_float32(values: NDArray[Any]) -> NDArray[np.float32]:
    """The values as float32; those that are too large become infinite, which `check` refuses."""
    with np.errstate(over="ignore"):
        return np.asarray(values, dtype=np.float32)
