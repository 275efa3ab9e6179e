"""Jobs and their outcomes, as values that can be sent to another process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuner.data.dataset import Dataset
from tuner.data.inputs import Rows
from tuner.experiment.configuration import Configuration
from tuner.experiment.records import RefitRecord, TrialRecord
from tuner.experiment.space import Values
from tuner.search.stopping import Thresholds
from tuner.training.lanes import Lane


@dataclass(frozen=True, eq=False)
class Work:
    """The values that all jobs of a search share.

    Attributes:
        dataset: the data.
        metric: name of the metric.
        folder: the folder of the user's own code.
        own: section and name of each of the user's own models, parts and metrics → hash of its files.
        weights: path of each file of initial weights → its hash.
        metric_settings: the settings of the metric, if it is the user's own.
        tune_threshold: whether each trial chooses its decision threshold.
    """

    dataset: Dataset
    metric: str
    folder: Path = Path()
    own: Mapping[tuple[str, str], str] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)
    metric_settings: Mapping[str, Any] = field(default_factory=dict)
    tune_threshold: bool = False


@dataclass(frozen=True, eq=False)
class ChainView:
    """The part of a trial that one chain uses.

    Attributes:
        chain: name of the chain.
        views: the trial's views that are the chain's inner folds.
        held_out: outer-test rows; no view may contain one.
        thresholds: scores below which the trial is pruned; None: no pruning.
        refit: the view of another chain that equals this chain's refit, if any: trained on all rows of this chain, and
            scored on its test rows.
        by_row: keep the score of every validation row (flat search).
    """

    chain: str
    views: tuple[int, ...]
    held_out: Rows
    thresholds: Thresholds | None = None
    refit: int | None = None
    by_row: bool = False


@dataclass(frozen=True, eq=False)
class TrialJob:
    """Score one configuration on the inner folds of one chain, or of several that share its trainings."""

    number: int
    values: Values
    configuration: Configuration
    lanes: tuple[Lane, ...]
    chains: tuple[ChainView, ...]
    time_limit: float | None = None

    @property
    def views(self) -> list[tuple[Rows, Rows]]:
        """Training rows and evaluated rows of every view."""
        return [(lane.train, rows) for lane in self.lanes for rows in lane.evaluations]

    @property
    def serves(self) -> tuple[str, ...]:
        """The names of the chains that use the trial."""
        return tuple(view.chain for view in self.chains)

    def __str__(self) -> str:
        return f"{', '.join(self.serves)}: trial {self.number}"

    @property
    def epochs(self) -> int:
        """The largest number of epochs to train."""
        return self.configuration.epochs

    @property
    def patience(self) -> int | None:
        """The patience of early stopping; None without early stopping."""
        return self.configuration.patience


@dataclass(frozen=True, eq=False)
class RefitJob:
    """Train one configuration on all rows of a chain for `epochs` epochs, then score its outer-test rows once, at the
    decision threshold of the trial."""

    chain: str
    number: int
    configuration: Configuration
    lane: Lane
    epochs: int
    time_limit: float | None = None
    threshold: float | None = None

    @property
    def serves(self) -> tuple[str, ...]:
        """The name of the chain that needs the refit."""
        return (self.chain,)

    def __str__(self) -> str:
        return f"{self.chain}: the refit of trial {self.number}"


Job = TrialJob | RefitJob
Record = TrialRecord | RefitRecord
Outcome = dict[str, Record]  # by chain
