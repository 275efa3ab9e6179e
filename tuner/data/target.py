"""What a model answers for each row; each kind of answer is a type, and says which task it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

Task = Literal["classification", "multilabel", "regression", "tagging", "language", "segmentation", "translation"]
LARGEST_TARGET = 1e150  # its square is still a float64
Codes = NDArray[np.int64]
Amount = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Classes:
    """One class for each row: codes (N,), the name of each class, and the name of the target."""

    task: ClassVar[Task] = "classification"
    values: Codes
    classes: tuple[str, ...]
    names: tuple[str, ...] = ("target",)


@dataclass(frozen=True, eq=False)
class Labels:
    """Any number of L labels for each row: 0 or 1 (N, L), and the name of each label."""

    task: ClassVar[Task] = "multilabel"
    classes: ClassVar[tuple[str, ...]] = ()
    values: Amount
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class NaiveForecast:
    """Forecasts without a model.

    Attributes:
        values: (N, M), the values `season` steps before.
        last: (N, M), the last known values, where that is another forecast.
        season: steps.
        horizon: the steps that the M outputs are of, step after step.
    """

    values: Amount
    last: Amount | None = None
    season: int = 1
    horizon: int = 1


@dataclass(frozen=True, eq=False)
class Amounts:
    """M numbers for each row (N, M), the name of each, and for a forecast what it is compared with."""

    task: ClassVar[Task] = "regression"
    classes: ClassVar[tuple[str, ...]] = ()
    values: Amount
    names: tuple[str, ...]
    naive: NaiveForecast | None = None


@dataclass(frozen=True, eq=False)
class PerPosition:
    """A class at every step (N, T) or pixel (N, H, W), `IGNORED` where there is no label; the name of each class, and
    the name of the target. Of a language, the class is the next token."""

    values: Codes
    classes: tuple[str, ...]
    names: tuple[str, ...]
    task: Literal["tagging", "language", "segmentation"]


@dataclass(frozen=True, eq=False)
class Text:
    """A text for each row: tokens (N, T) with `END` after the last, `IGNORED` after that; the word of each code, and
    the name of the target."""

    task: ClassVar[Task] = "translation"
    values: Codes
    classes: tuple[str, ...]
    names: tuple[str, ...] = ("translation",)


Target = Classes | Labels | Amounts | PerPosition | Text
