"""The sections of an experiment without a search: resampling, search and limits, each a settings class."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from tuner.experiment.selection import Rule
from tuner.experiment.settings import Settings, used_when

FoldCount = Annotated[int, Field(ge=2, le=1000)]


class OuterFolds(Settings):
    """Outer folds, split anew for every repeat: no two repeats are the same partition."""

    folds: FoldCount = Field(5, description="outer folds per repeat")
    repeats: Annotated[int, Field(ge=1, le=100)] = Field(1, description="repeats, each with a new split of the rows")


class InnerFolds(Settings):
    """Inner folds of every chain, or one hold-out split."""

    folds: FoldCount | None = Field(None, description="inner folds per repeat")
    repeats: Annotated[int, Field(ge=1, le=100)] = Field(
        1, description="repeats, each with a new split of a chain's rows"
    )
    holdout: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="one split instead of folds: this share of a chain's rows validates"
    )

    @model_validator(mode="after")
    def _either(self) -> InnerFolds:
        if self.folds is not None and self.holdout is not None:
            raise ValueError("folds and holdout exclude each other: leave one out")
        return self


class Resampling(Settings):
    """How the rows are split."""

    outer: FoldCount | Literal["none"] | OuterFolds | None = Field(
        None,
        description="outer folds, {folds, repeats}, or none for a flat search (its score is optimistic); "
        "null: 5, or those that a split column names",
    )
    inner: FoldCount | Literal["shared"] | InnerFolds = Field(
        "shared",
        description="shared (the other outer parts; 5 at random where a split column leaves none), a number of "
        "folds, {folds, repeats} or {holdout}",
    )
    kind: Literal["auto", "random", "groups", "time", "split"] = Field(
        "auto",
        description="random; groups: each whole in one fold; time: trained on what came before; split: outer folds as "
        "the dataset's column names them. auto: what the dataset names",
    )
    gap: Annotated[int, Field(ge=0, le=10**9)] = Field(
        0, description="rows left out just before a test", json_schema_extra=used_when(kind=("time",))
    )
    stratify: bool | Literal["auto"] = Field("auto", description="keep class shares in every fold; auto: by task")
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = Field(0, description="seed of the cuts")


SAMPLERS = {
    "grid": "every cell of the grid, in order; ranges need points or step",
    "random": "independent draws; the n-th is the same in every chain (Bergstra & Bengio 2012)",
    "tpe": "tree-structured Parzen estimator: learns from the chain's finished trials (Bergstra et al. 2011)",
    "gp": "Gaussian process: learns as well; for few, costly trials and few parameters",
}


class NoPruner(Settings):
    """Every trial trains to its end."""

    name: Literal["none"] = "none"


Warmup = Annotated[int, Field(ge=0, le=1_000_000)]


class Median(Settings):
    """Stop a trial whose best score so far is worse than the median of the chain's complete trials at that epoch."""

    name: Literal["median"] = "median"
    warmup_epochs: Warmup = Field(0, description="epochs of each trial before it can be stopped")
    warmup_trials: Warmup = Field(5, description="complete trials before any can be stopped")


class Percentile(Settings):
    """Stop a trial whose best score is not in the best `percentile` per cent of the complete trials at that epoch."""

    name: Literal["percentile"] = "percentile"
    percentile: float = Field(
        25.0, gt=0, lt=100, description="share of the complete trials that a trial must be among, in per cent"
    )
    warmup_epochs: Warmup = Field(0, description="epochs of each trial before it can be stopped")
    warmup_trials: Warmup = Field(5, description="complete trials before any can be stopped")


class Halving(Settings):
    """Asynchronous successive halving (Li et al. 2020): at epochs first · factorⁿ only the best 1/factor go on."""

    name: Literal["halving"] = "halving"
    first: Annotated[int, Field(ge=1)] = Field(1, description="epoch of the first comparison")
    factor: Annotated[int, Field(ge=2, le=100)] = Field(
        3, description="reduction factor: the best 1/factor of the trials continue"
    )


Pruner = NoPruner | Median | Percentile | Halving


class Search(Settings):
    """How configurations are proposed."""

    sampler: Literal["grid", "random", "tpe", "gp"] = Field("tpe", description="method that proposes configurations")
    trials: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="total per chain; default 30, for grid all cells"
    )
    seed: Annotated[int, Field(ge=0, le=2**53)] = Field(0, description="seed of proposals and trainings")
    select: Rule = Field(
        "best",
        description="which trial a chain chooses: the best score; one_se, the smallest model within one standard error "
        "of it; lower_bound, the best score less its standard error",
    )
    threshold: Literal["default", "tuned"] = Field(
        "default",
        description="of two classes; default: the one of higher probability is predicted. tuned: the second one is "
        "predicted from a probability that each trial chooses on its inner folds; curves then show each fold at its "
        "own best threshold",
    )
    default: dict[str, Any] = Field(
        {},
        description="trial 0, which the report compares with, as {model.hidden_size: 32, …}; what is left out is as "
        "near to the setting's own default as the space allows",
    )
    pruner: Pruner = Field(NoPruner(), discriminator="name", description="rule that stops unpromising trials early")
    batch: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="trials in a round; each learns from the rounds before. Default 1, with grid and random 8"
    )


_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")


def seconds(text: str) -> float:
    """A duration such as 7h, 90m, 1h30m or 45s, in seconds."""
    match = _DURATION.fullmatch(text.replace(" ", ""))
    if not match or not any(match.groups()):
        raise ValueError("a duration such as 7h, 90m, 1h30m or 45s")
    days, hours, minutes, rest = (float(part or 0) for part in match.groups())
    return days * 86400 + hours * 3600 + minutes * 60 + rest


def _text_of(what: str) -> Callable[[object], object]:
    """A validator that says what a text stands for where the value is not a text, such as `what` = "a duration"."""

    def checked(value: object) -> object:
        if not isinstance(value, str):
            raise ValueError(what)
        return value

    return checked


def duration(text: str) -> str:
    """The text, if it is a duration above 0."""
    if seconds(text) <= 0:
        raise ValueError("a duration above 0")
    return text


def study_name(text: str) -> str:
    """The text, if it is a valid name of a study: it is printed, and is part of Optuna's names and of file names."""
    plain = text.isprintable() and text == text.strip() and text != "." and "/" not in text and ".." not in text
    if not 1 <= len(text) <= 100 or not plain:
        raise ValueError("text of 1 … 100 printable characters without '/' or '..', and no space at its ends")
    return text


_UNITS = {"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}


def size(text: str) -> float:
    """An amount of memory such as 6GB, 512MB or 1.5GiB, in bytes."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kmgt]i?b)", text.replace(" ", "").lower())
    if not match or not float(match[1]):
        raise ValueError("an amount such as 6GB, 512MB or 1.5GiB")
    return float(match[1]) * _UNITS[match[2]]


def _size(text: str) -> str:
    size(text)
    return text


def trial_time(limits: Limits) -> float | None:
    """Seconds that a trial may take."""
    return seconds(limits.trial_time) if limits.trial_time else None


def time_of_day(text: str) -> str:
    """The text, if it is a time of day."""
    if not re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", text):
        raise ValueError('a time of day such as "07:00"')
    return text


Duration = Annotated[str, BeforeValidator(_text_of("a duration such as 7h or 90m")), AfterValidator(duration)]


class Failures(Settings):
    """How many trials may fail before the search gives up."""

    in_a_row: Annotated[int, Field(ge=1)] | None = Field(None, description="of one chain, one after another")
    total: Annotated[int, Field(ge=1)] | None = Field(None, description="of all chains together")


class Limits(Settings):
    """When to stop with work left; the same command then continues."""

    time: Duration | None = Field(None, description="longest run, such as 7h or 90m")
    until: Annotated[str, AfterValidator(time_of_day)] | None = Field(None, description="stop at this local time")
    trial_time: Duration | None = Field(None, description="longest trial; a longer one fails")
    memory: Annotated[str, BeforeValidator(_text_of("an amount such as 6GB")), AfterValidator(_size)] | None = Field(
        None,
        description="what all stacks on a device may take, such as 6GB; default half of what is free. What takes "
        "more is cut, or waits until fewer workers are at work",
    )
    failures: Annotated[int, Field(ge=1)] | Failures | None = Field(
        None, description="give up after this many failed trials of a chain in a row, or {in_a_row, total}"
    )
