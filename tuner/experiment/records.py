"""The results of trials and refits as frozen records, stored as JSON in the study."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import Any, Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from tuner.errors import RESOURCE_MESSAGES
from tuner.experiment.configuration import Configuration
from tuner.experiment.space import Values

T = TypeVar("T")
State = Literal["complete", "pruned", "failed"]
# failures of earlier versions that were caused by the machine, not by the trial: such trials are trained again
OUTSIDE = re.compile(
    r"the worker process died \((SIGKILL|exit code 1)\)|(OSError|BlockingIOError|RuntimeError|ImportError): .*"
    rf"({'|'.join(map(re.escape, RESOURCE_MESSAGES))})"
)
FoldCurve = tuple[float | None, ...]  # per epoch; None after a fold has stopped early


@dataclass(frozen=True)
class FoldCurves:
    """Per fold and epoch: training loss, validation loss, validation score."""

    train_loss: tuple[FoldCurve, ...] = ()
    loss: tuple[FoldCurve, ...] = ()
    score: tuple[FoldCurve, ...] = ()


@dataclass(frozen=True)
class TrialRecord:
    """One configuration scored on all inner folds of its chain, or the reason why it failed.

    Attributes:
        number: trial number, from 0.
        values: the searched parameters.
        seconds: training time.
        score: mean of `fold_scores`.
        fold_scores, best_epochs: per inner fold, the score and its epoch, from 1.
        means: per epoch, the mean over folds of the score if training had ended there.
        parameters: number of weights and biases.
        reason, details: why the trial failed, and the traceback.
        last_epoch: the last epoch of a failed trial.
        diagnosis: words of `diagnosis.FINDINGS`.
        threshold: log-odds above which the second class is predicted, if that was chosen.
        row_scores: of a flat search, packed (V,): the score of every validation row, fold after fold; or (V, S), the
            totals of the rows, if the score is not a mean over rows.
        refit: a refit that was trained along with the trial for another chain; it is stored as a refit.
        curves: losses and scores per fold and epoch.
    """

    number: int
    state: State
    values: Values
    configuration: Configuration
    seconds: float
    score: float | None = None
    fold_scores: tuple[float, ...] = ()
    best_epochs: tuple[int, ...] = ()
    means: tuple[float, ...] = ()
    parameters: int | None = None
    reason: str | None = None
    details: str | None = None
    last_epoch: int = 0
    diagnosis: tuple[str, ...] = ()
    threshold: float | None = None
    row_scores: str | None = None
    refit: RefitRecord | None = None
    curves: FoldCurves = FoldCurves()  # the last field: `CURVES` cuts it off

    @property
    def epochs(self) -> int:
        """Epochs trained; taken from `last_epoch` for trials without means, whose process died."""
        return len(self.means) or self.last_epoch


@dataclass(frozen=True)
class RefitRecord:
    """A configuration trained on all rows of a chain and scored once on its outer-test rows, or the reason why not.

    Attributes:
        train_loss: per epoch.
        after: number of trials that the chain had finished when the refit was written.
        predictions: packed outputs (V, C) or (V, M) of the outer-test rows, in the target's units.
        confusion: for tasks with labelled positions, true by predicted class (C, C).
        examples: of translations: source, target and prediction.
        threshold: decision threshold of the trial, at which the refit is scored.
        row_scores: packed (V,), if the metric is a mean over rows.
        gradients: per layer and epoch, the norm of the gradient in the last batch.
        dead: per ReLU, the share of units that are 0 for every outer-test row.
    """

    number: int
    epochs: int
    seconds: float
    score: float | None = None
    train_loss: tuple[float, ...] = ()
    reason: str | None = None
    details: str | None = None
    after: int = 0
    predictions: str | None = None
    confusion: tuple[tuple[float, ...], ...] | None = None
    examples: tuple[tuple[str, str, str], ...] = ()
    threshold: float | None = None
    row_scores: str | None = None
    gradients: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    dead: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class SizePoint:
    """A point of a learning curve over training size: number of training rows, and per fold the scores on validation
    and on training rows; None if a training failed."""

    rows: int
    validation: tuple[float | None, ...]
    training: tuple[float | None, ...]


# unique places to split a record: compact JSON has no blank there, and inside a text quotes are escaped
CURVES, CHECKSUM, END = ', "curves":', ', "checksum":"', '"}'

DAMAGED = "a record is damaged"


def failed_externally(record: TrialRecord | RefitRecord) -> bool:
    """Whether it failed because of the machine, not because of its configuration."""
    return record.reason is not None and OUTSIDE.match(record.reason) is not None


def to_json(record: TrialRecord | RefitRecord, chain: str) -> str:
    """Compact JSON; floats keep every digit. A trial's curves have a separate checksum: they are not always read."""
    raw, place = asdict(record), place_of(chain, record.number)
    if isinstance(record, RefitRecord):
        return to_checked_json(raw, place)
    raw.pop("refit")
    curves = to_checked_json(raw.pop("curves"), place)
    return f"{to_checked_json(raw, place)[:-1]}{CURVES}{curves}}}"


def trial_from_json(text: str, chain: str, number: int) -> TrialRecord:
    """The inverse of `to_json` for a trial; one that was cut before its curves has none."""
    place, (head, _, tail) = place_of(chain, number), text.partition(CURVES)
    if tail and not tail.endswith("}}"):
        raise ValueError(DAMAGED)
    curves = from_checked_json(tail[:-1], FoldCurves, place) if tail else FoldCurves()
    return replace(from_checked_json(head if head.endswith("}") else head + "}", TrialRecord, place), curves=curves)


def place_of(chain: str, number: int) -> str:
    """The place of a record in the study, which is part of its checksum."""
    return f"{chain}/{number}"


def to_checked_json(raw: Mapping[str, Any], place: str) -> str:
    """Compact JSON of an object; its last entry is a checksum of the object and of its `place` in the study."""
    text = json.dumps(raw, separators=(",", ":"), allow_nan=False)
    return f"{text[:-1]}{CHECKSUM}{_hash(text, place)}{END}"


def from_checked_json(text: str, kind: type[T], place: str) -> T:
    """The inverse of `to_checked_json`, as a value of the type `kind`. Raises `ValueError` if the checksum is wrong, or
    with the first entry of a wrong type."""
    body, _, checksum = text.rpartition(CHECKSUM)
    if checksum != _hash(body + "}", place) + END:
        raise ValueError(DAMAGED)
    try:
        raw = json.loads(body + "}")  # pydantic's own reader refuses half a surrogate pair, as names of files have
        found: T = _adapter(kind).validate_python(raw)  # type: ignore[arg-type]  # a type has a hash
        return found
    except ValidationError as error:
        first = error.errors()[0]
        entry = ".".join(map(str, first["loc"]))
        raise ValueError(f"{entry or 'a record'}: {first['msg']}") from None


def _hash(text: str, place: str) -> str:
    return hashlib.blake2b(f"{place}\0{text}".encode(), digest_size=8).hexdigest()


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def failures_in_a_row(trials: Iterable[TrialRecord]) -> int:
    """The longest run of failed trials."""
    longest = run = 0
    for trial in trials:
        run = run + 1 if trial.state == "failed" else 0
        longest = max(longest, run)
    return longest
