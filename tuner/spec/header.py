"""What a study remembers of its experiment: the header, and how its runs went, with the type of every entry."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from tuner.spec.selection import Rule

Count = Annotated[int, Field(ge=0, le=2**53)]
CLOSED = ConfigDict(extra="forbid", strict=True)


class DummyHeader(TypedDict):
    """The best answer that ignores the features, and its score on a chain's outer-test rows."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]
    what: str
    score: float | None
    ignores_features: bool


class ChainHeader(TypedDict):
    """How many rows a chain has, and what its outer-test rows are; packed arrays as text."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]
    name: str
    rows: Count
    test: Count
    folds: Count
    trained: float
    digest: str
    share: float
    dummy: DummyHeader | None
    unseen: dict[str, Any]
    tested: str | None
    weights: str | None
    truth: str | None
    validated: str | None


class DatasetHeader(TypedDict):
    """The data, and a fingerprint of it."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]
    name: str
    rows: Count
    shape: list[Count]
    classes: list[str]
    targets: list[str]
    fingerprint: str
    truth: str


class StudyHeader(TypedDict):
    """Enough to go on with a study, to refuse another experiment, and to report without torch."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]
    schema: int
    name: str
    text: str
    sha256: str
    file: str
    reads: list[str]
    identity: dict[str, Any]
    trials: Annotated[int, Field(ge=1, le=2**53)]
    sampler: str
    default: bool
    select: Rule
    cut: str
    hints: list[str]
    repeats: Annotated[int, Field(ge=1, le=2**53)]
    repeatable: bool
    units: Count
    notes: list[str]
    task: str
    metric: str
    maximize: bool
    bounds: Annotated[list[float | None], Field(min_length=2, max_length=2)]
    by_row: bool
    weighted: bool
    dataset: DatasetHeader
    splits: str
    parameters: list[str]
    ranges: dict[str, Annotated[list[float | bool], Field(min_length=3, max_length=3)]]
    chains: Annotated[list[ChainHeader], Field(min_length=1)]
    raised: NotRequired[list[Count]]
    signature: NotRequired[str | None]


class Run(TypedDict):
    """Under which conditions a run went, and how it ended, if it has."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]
    versions: dict[str, str]
    cpu: str
    threads: Count
    devices: list[str]
    workers: int | None
    finished: Count
    seconds: float | None
    start: str
    pid: int
    host: str
    commit: str | None
    end: str | None
    ended_by: str | None


class Runs(TypedDict):
    """Every run of a study, the first one first."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]
    runs: list[Run]


class Point(TypedDict):
    """As `SizePoint`."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]
    rows: Count
    validation: list[float | None]
    training: list[float | None]


class SizeCurve(TypedDict):
    """The learning curve over training size, of a trial of the final chain."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]
    trial: Count
    points: list[Point]
