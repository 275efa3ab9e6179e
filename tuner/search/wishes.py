"""What the command line asks of a search, beyond its file."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Wishes:
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
    begun: float = field(default_factory=time.monotonic)  # a time limit counts start-up too
