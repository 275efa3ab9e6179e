"""The options of the command line for a search, in addition to its experiment file."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from tuner.experiment.sections import Limits


@dataclass(frozen=True)
class SearchOptions:
    """Options that the command line adds to an experiment."""

    study: Path
    name: str | None = None
    trials: int | None = None
    workers: int | None = None  # default: one per core, or one per accelerator; 0: in this process
    device: str = "auto"
    fresh: bool = False
    timeout: str | None = None  # a duration and a time of day, instead of the file's limits
    until: str | None = None
    wait: str | None = None  # a duration: how long to wait for another run of the study
    agreed: int | None = None  # how many trials `fresh` may delete; None: any number
    quiet: bool = False  # discard the output of user code
    begun: float = field(default_factory=time.monotonic)  # a time limit includes start-up

    def limits(self, limits: Limits) -> Limits:
        """The limits of a file, replaced by those of the command line."""
        requested = {"time": self.timeout, "until": self.until}
        return limits.model_copy(update={key: value for key, value in requested.items() if value is not None})
