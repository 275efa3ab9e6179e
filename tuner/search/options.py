"""What the command line asks of a search, beyond its file."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from tuner.experiment.sections import Limits


@dataclass(frozen=True)
class SearchOptions:
    """What the command line adds to an experiment."""

    study: Path
    name: str | None = None
    trials: int | None = None
    workers: int | None = None  # by default the cores, on accelerators one for each; 0: in this process
    device: str = "auto"
    fresh: bool = False
    timeout: str | None = None  # a duration, and a time of day: in the places of the file's limits
    until: str | None = None
    wait: str | None = None  # a duration: how long for another run that holds the study
    agreed: int | None = None  # how many trials `fresh` may delete; None: all that there are
    quiet: bool = False  # what the user's own code prints is not passed on
    begun: float = field(default_factory=time.monotonic)  # a time limit counts start-up too

    def limits(self, limits: Limits) -> Limits:
        """The limits of a file, with these in their places."""
        wished = {"time": self.timeout, "until": self.until}
        return limits.model_copy(update={key: value for key, value in wished.items() if value is not None})
