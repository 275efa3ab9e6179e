"""The type that all data has after loading: features, targets, and what is known about rows and columns."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tuner.errors import DataError
from tuner.experiment.settings import Settings

Task = Literal["classification", "multilabel", "regression", "tagging", "language", "segmentation", "translation"]
Layout = Literal["flat", "sequence", "image", "tokens", "ids"]
Scale = Literal["standard", "none"]
Impute = Literal["none", "mean", "median"]
WeightsFor = Literal["both", "training", "scores"]
Rows = NDArray[np.int64]
Pair = tuple[Rows, Rows]  # training rows, and those that score them
LAYOUTS: dict[int, Layout] = {2: "flat", 3: "sequence", 4: "image"}  # of numbers, by the number of dimensions
PADDING, UNKNOWN = "<padding>", "<unknown>"  # the first two words of every vocabulary
LARGEST_TARGET = 1e150  # its square is still a float64
NEVER_TESTED = -1  # in a split: the row trains in every outer fold


class DatasetSettings(Settings):
    """The base of the settings of every data source. `reads` names the settings that are files or folders."""

    reads: ClassVar[tuple[str, ...]] = ()


class NumberSettings(DatasetSettings):
    """The settings of all sources of numbers: each lane fits scaling and imputation on its own training rows."""

    scale: Scale = Field("standard", description="standard: zero mean, unit variance")
    impute: Impute = Field(
        "none",
        description="fill missing numbers; categories take the most frequent; none: missing is an error",
    )


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows to learn from. Missing feature values are NaN; a category is a run of one-hot columns.

    features: float32 (N, D) flat, (N, T, D) sequence or (N, C, H, W) image; or int64 codes of one vocabulary (N, T)
    tokens, or of one vocabulary per column (N, F) ids; beside ids `side`, float32 (N, D): a lone column of ids has it
    even where D is 0, which tells it from tokens;
    offsets: float64 (D,), what was subtracted from each column or channel of numbers before it became float32; coarse:
    (D,), whether different values of a column coincide in float32 even so (`tuner.data.precision`);
    feature_names: of every column of numbers or ids, ids before the numbers beside them, or none;
    lengths: int64 (N,), the steps of each sequence that count, if not all; the others are 0;
    targets: int64 (N,) class codes, or of every step or pixel (N, …), `IGNORED` where nothing is asked; or float64
    (N, M) outputs, of a multilabel task 0 or 1 for each of M labels;
    groups: int64 (N,), what stays together in a fold; split: int64 (N,), which outer fold tests a row, from 0 up, or
    `NEVER_TESTED`; order: (N,), its time;
    until: (N,), the time when all of a row's targets are known, where that is later: a forecast's last step;
    weights: float64 (N,), how much a row counts, in training, scores or both as `weights_for` has it;
    naive: float64 (N, M), the values a `season` of steps before, and last: (N, M), the last known ones where that is
    another forecast; horizon: the steps that M outputs are of, step after step;
    known: of a vocabulary, how many words a lane knows at most: the commonest of its training rows.
    """

    name: str
    task: Task
    features: NDArray[np.float32] | NDArray[np.int64]
    targets: NDArray[np.int64] | NDArray[np.float64]
    feature_names: tuple[str, ...]
    target_names: tuple[str, ...]
    classes: tuple[str, ...] = ()
    categories: tuple[slice, ...] = ()
    scale: Scale = "standard"
    impute: Impute = "none"
    groups: NDArray[np.int64] | None = None
    order: NDArray[np.float64] | None = None
    split: NDArray[np.int64] | None = None
    hints: tuple[str, ...] = ()  # columns by which the user may have forgotten to cut
    notes: tuple[str, ...] = ()  # what was left out, or looks odd
    vocabularies: tuple[tuple[str, ...], ...] = ()
    side: NDArray[np.float32] | None = None
    lengths: NDArray[np.int64] | None = None
    until: NDArray[np.float64] | None = None
    weights: NDArray[np.float64] | None = None
    weights_for: WeightsFor = "both"
    naive: NDArray[np.float64] | None = None
    last: NDArray[np.float64] | None = None
    season: int = 1
    horizon: int = 1
    known: int | None = None
    offsets: NDArray[np.float64] | None = None
    coarse: NDArray[np.bool_] | None = None

    @property
    def layout(self) -> Layout:
        """The kind of a row: numbers by the number of their dimensions, or codes by their vocabularies."""
        if self.vocabularies:
            return "tokens" if len(self.vocabularies) == 1 and self.side is None else "ids"
        return LAYOUTS[self.features.ndim]

    @property
    def numbers(self) -> NDArray[np.float32]:
        """The numbers, which are imputed and scaled: the features, or those in addition to codes."""
        if not self.vocabularies:
            return self.features  # type: ignore[return-value]
        return np.empty((len(self), 0), dtype=np.float32) if self.side is None else self.side

    @property
    def positions(self) -> tuple[int, ...]:
        """The shape of a row's target if it has a class at every step (T,) or pixel (H, W), else ()."""
        return self.targets.shape[1:] if self.classes else ()

    def names(self, column: int) -> str:
        """The name of a column of numbers."""
        column += len(self.vocabularies) if self.layout == "ids" else 0
        return self.called(column)

    def called(self, column: int) -> str:
        """The name of a column; columns of ids come first."""
        return self.feature_names[column] if column < len(self.feature_names) else str(column)

    @property
    def training_weights(self) -> NDArray[np.float64] | None:
        """The weight of each row (N,) in training; None if all count alike."""
        return None if self.weights_for == "scores" else self.weights

    @property
    def score_weights(self) -> NDArray[np.float64] | None:
        """The weight of each row (N,) in scores; None if all count alike."""
        return None if self.weights_for == "training" else self.weights

    def counts(self, rows: Rows) -> NDArray[np.float64]:
        """The weights of these rows (V,) in a score."""
        return np.ones(len(rows)) if self.score_weights is None else self.score_weights[rows]

    @property
    def outputs(self) -> int:
        """How many numbers a model predicts: C classes or M outputs."""
        return len(self.classes) or self.targets.shape[1]

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of codes of each vocabulary that a lane can know."""
        sizes = (len(words) for words in self.vocabularies)
        return tuple(size if self.known is None else min(size, self.known) for size in sizes)

    def __len__(self) -> int:
        return len(self.features)

    @property
    def of_users(self) -> bool:
        """Whether the first column of ids is the user, for whom items can be ranked."""
        return self.layout == "ids" and self.feature_names[:1] == ("user",)

    def truth(self) -> str:
        """A hash of the targets and their weights in scores: equal if two data sets have the same targets in the same
        rows, whatever their features."""
        return _digest(self.targets, *(() if self.score_weights is None else (self.score_weights,))).hexdigest()

    def fingerprint(self) -> str:
        """A hash of everything that training can see."""
        others = [array for array in (self.side, self.lengths, self.weights, self.offsets) if array is not None]
        digest = _digest(self.features, self.targets, *others)
        about = (self.task, self.classes, self.categories, self.scale, self.impute)
        digest.update(repr(about + self.vocabularies).encode())
        digest.update(b"" if self.weights is None else self.weights_for.encode())
        return digest.hexdigest()


def _digest(*arrays: NDArray[Any]) -> hashlib.blake2b:
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest


def disjoint(*groups: Rows) -> None:
    """Raise if any row is in two of the groups."""
    together = np.concatenate(groups)
    if len(np.unique(together)) < len(together):  # no assertion: those can be switched off
        raise RuntimeError("rows of training, validation and test overlap")


def as_float32(values: NDArray[Any]) -> NDArray[np.float32]:
    """The values as float32; those that are too large become infinite, which `check` refuses."""
    with np.errstate(over="ignore"):
        return np.asarray(values, dtype=np.float32)


def check(dataset: Dataset) -> Dataset:
    """Refuse data that cannot be trained on; the message names the first offending place."""
    features = dataset.numbers
    if len(dataset) == 0:
        raise DataError(f"{dataset.name}: no rows")
    if dataset.features[0].size == 0:
        raise DataError(f"{dataset.name}: no features")
    if np.isinf(features).any():
        text = f"{dataset.name}: {_first(dataset, np.isinf(features))} is infinite, or beyond 3.4e38 (float32)"
        raise DataError(text, "correct or drop it, or use another unit")
    absent = np.isnan(features)
    for columns in dataset.categories:
        absent[:, columns.start + 1 : columns.stop] = False  # a missing category is one missing value
    if dataset.impute == "none" and absent.any():
        text = f"{dataset.name}: {absent.sum():,} values are missing, the first at {_first(dataset, absent)}"
        raise DataError(text, "fill them per fold with impute: mean or impute: median")
    if dataset.lengths is not None and (empty := np.flatnonzero(dataset.lengths < 1)).size:
        raise DataError(f"{dataset.name}: the sequence of row {empty[0] + 1} has no steps", "drop that row")
    if dataset.classes and len(dataset.classes) < 2:
        raise DataError(f"{dataset.name}: all rows have the same class, {dataset.classes[0]!r}", "another target")
    if dataset.task == "regression":
        _check_amounts(dataset)
    if dataset.task == "multilabel":
        _check_labels(dataset)
    return dataset


def _check_amounts(dataset: Dataset) -> None:
    """Refuse targets that are missing, infinite, or whose squares float64 cannot hold."""
    with np.errstate(invalid="ignore"):
        wrong = np.argwhere(~(np.abs(dataset.targets) <= LARGEST_TARGET))
    if len(wrong):
        row, output = wrong[0].tolist()
        value = float(dataset.targets[row, output])
        if not np.isfinite(value):
            raise DataError(f"{dataset.name}: the target of row {row + 1} is missing or infinite", "drop that row")
        text = f"{dataset.name}: the target of row {row + 1} is {value:.4g}; squared errors of such numbers overflow"
        raise DataError(text, "divide the targets by a constant, or take their logarithm")


def _check_labels(dataset: Dataset) -> None:
    """Refuse a label that every row has, or no row."""
    for name, values in zip(dataset.target_names, dataset.targets.T, strict=True):
        if (values == values[0]).all():
            text = f"{dataset.name}: label '{name}' is {values[0]:g} in every row"
            raise DataError(text, "leave it out of the targets")


def _first(dataset: Dataset, found: NDArray[np.bool_]) -> str:
    index = np.unravel_index(int(found.argmax()), found.shape)
    axis = 1 if dataset.layout == "image" else -1
    return f"row {int(index[0]) + 1}, column '{dataset.names(int(index[axis]))}'"
