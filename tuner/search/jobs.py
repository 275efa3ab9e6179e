"""Jobs as values: what a decider hands to a runner, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tuner.data.dataset import Dataset, Rows
from tuner.experiment.configuration import Configuration
from tuner.experiment.records import RefitRecord, TrialRecord
from tuner.experiment.space import Values
from tuner.search.stopping import Thresholds
from tuner.training.lanes import Lane


@dataclass(frozen=True, eq=False)
class Work:
    """What all jobs of a search have in common: the data, the metric, and the user's own models: the folder where they
    start, and the hash of the file of each, by name; whether each trial chooses its decision threshold."""

    dataset: Dataset
    metric: str
    folder: Path = Path()
    own: Mapping[str, str] = field(default_factory=dict)
    tune_threshold: bool = False


@dataclass(frozen=True, eq=False)
class ChainView:
    """What one chain takes from a trial: the view of each of its folds; `held_out` rows must be in none of them.

    `refit` is the view of another chain that is this chain's refit: trained on all its rows, scored on its test rows.
    `by_row`: the scores of all validation rows are wanted, as no outer fold will tell more.
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
        """The chains that wait for it."""
        return tuple(view.chain for view in self.chains)

    def __str__(self) -> str:
        return f"{', '.join(self.serves)}: trial {self.number}"

    @property
    def epochs(self) -> int:
        """Epochs to train at most."""
        return self.configuration.epochs

    @property
    def patience(self) -> int | None:
        """Of early stopping; None without."""
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
        """The chain that waits for it."""
        return (self.chain,)

    def __str__(self) -> str:
        return f"{self.chain}: the refit of trial {self.number}"


Job = TrialJob | RefitJob
Record = TrialRecord | RefitRecord
Outcome = dict[str, Record]  # by chain
