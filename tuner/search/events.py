"""Events that the driver sends to a listener."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tuner.search.chain import Chain
from tuner.search.executors import Running
from tuner.search.jobs import Record


@dataclass(frozen=True)
class Finished:
    """A trial or refit is finished and stored."""

    chain: Chain
    record: Record


@dataclass(frozen=True)
class ChainDone:
    """A chain has finished all its trials and refits."""

    chain: Chain


@dataclass(frozen=True)
class Note:
    """A message to the user that does not interrupt the search."""

    text: str


@dataclass(frozen=True)
class Tick:
    """Sent regularly: the running jobs, and the seconds left until the time limit (None without one)."""

    chains: tuple[Chain, ...]
    running: tuple[Running, ...]
    left: float | None


Event = Finished | ChainDone | Note | Tick
Listener = Callable[[Event], None]
