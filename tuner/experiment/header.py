"""What a study stores about its experiment and its runs, as frozen values with their JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, NamedTuple

from pydantic import ConfigDict, Field

from tuner.experiment.records import SizePoint
from tuner.experiment.selection import Rule

Count = Annotated[int, Field(ge=0, le=2**53, strict=True)]
Total = Annotated[int, Field(ge=1, le=2**53, strict=True)]
Whole = Annotated[int, Field(strict=True)]
Real = Annotated[float, Field(strict=True)]
Number = Whole | Real  # as in the experiment file: 1 is not 1.0
Flag = Annotated[bool, Field(strict=True)]
CLOSED = ConfigDict(extra="forbid")


class SearchedRange(NamedTuple):
    """The bounds of a range, and whether it is logarithmic."""

    low: Number
    high: Number
    log: Flag


@dataclass(frozen=True)
class Dummy:
    """The best prediction without features, in words, and its score on the test rows (None if it has none). A forecast
    from past values does not ignore the features."""

    __pydantic_config__ = CLOSED
    what: str
    score: Real | None
    ignores_features: Flag


@dataclass(frozen=True)
class ChainHeader:
    """The rows of a chain, in numbers and as packed arrays.

    Attributes:
        name: outer-1 … or final.
        rows, test: number of training and outer-test rows.
        folds: number of inner folds.
        trained: mean number of training rows of the inner folds.
        digest: hash of rows and test rows.
        share: validation rows per training row.
        dummy: the dummy baseline.
        unseen: kind → (values only in test rows, values in test rows).
        tested, weights, truth: packed row numbers, weights and targets of the test rows.
        validated: packed bootstrap unit of every validation row (flat search).
    """

    __pydantic_config__ = CLOSED
    name: str
    rows: Count
    test: Count
    folds: Count
    trained: Real
    digest: str
    share: Real
    dummy: Dummy | None
    unseen: Mapping[str, tuple[Whole, Whole]]
    tested: str | None
    weights: str | None
    truth: str | None
    validated: str | None


@dataclass(frozen=True)
class DatasetHeader:
    """The data, with a hash of all of it (`fingerprint`), and a hash of its targets (`truth`)."""

    __pydantic_config__ = CLOSED
    name: str
    rows: Count
    shape: tuple[Count, ...]
    classes: tuple[str, ...]
    targets: tuple[str, ...]
    fingerprint: str
    truth: str


@dataclass(frozen=True)
class StudyHeader:
    """The data to continue a study, to refuse another experiment, and to report without torch.

    `raised`: totals of trials that had been reached when a later run increased them."""

    __pydantic_config__ = CLOSED
    schema: Whole
    name: str
    text: str
    sha256: str
    file: str
    reads: tuple[str, ...]
    identity: Mapping[str, Any]
    trials: Total
    sampler: str
    default: Flag
    select: Rule
    cut: str
    hints: tuple[str, ...]
    repeats: Total
    repeatable: Flag
    units: Count
    notes: tuple[str, ...]
    task: str
    metric: str
    maximize: Flag
    bounds: tuple[Number | None, Number | None]
    by_row: Flag
    weighted: Flag
    dataset: DatasetHeader
    splits: str
    parameters: tuple[str, ...]
    ranges: Mapping[str, SearchedRange]
    chains: Annotated[tuple[ChainHeader, ...], Field(min_length=1)]
    raised: tuple[Count, ...] = ()
    signature: str | None = None

    def unsigned(self) -> dict[str, Any]:
        """Its JSON without the signature; with `raised` only if it is not empty."""
        raw = asdict(self)
        del raw["signature"]
        return raw if self.raised else {key: value for key, value in raw.items() if key != "raised"}

    @property
    def outer(self) -> tuple[ChainHeader, ...]:
        """The chains that have outer-test rows."""
        return tuple(chain for chain in self.chains if chain.test)


@dataclass(frozen=True)
class Conditions:
    """The versions and the hardware, on which results may depend."""

    __pydantic_config__ = CLOSED
    versions: Mapping[str, str]
    cpu: str
    threads: Count
    devices: tuple[str, ...]


@dataclass(frozen=True)
class Run(Conditions):
    """The conditions of a run, and how it ended, if it did.

    `finished`: number of trials before the run; `seconds`: its time limit."""

    workers: Whole | None
    finished: Count
    seconds: Real | None
    start: str
    pid: Whole
    host: str
    commit: str | None
    end: str | None = None
    ended_by: str | None = None


@dataclass(frozen=True)
class Runs:
    """Every run of a study, the first one first."""

    __pydantic_config__ = CLOSED
    runs: tuple[Run, ...] = ()


@dataclass(frozen=True)
class SizeCurve:
    """The learning curve over training size, of a trial of the final chain."""

    __pydantic_config__ = CLOSED
    trial: Count
    points: tuple[SizePoint, ...]
