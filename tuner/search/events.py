"""What the driver tells of while it searches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tuner.search.chain import Chain
from tuner.search.executors import Running
from tuner.search.jobs import Record


@dataclass(frozen=True)
class Finished:
    """A trial or refit is done and written."""

    chain: Chain
    record: Record


@dataclass(frozen=True)
class ChainDone:
    """A chain has all its trials, and its refits."""

    chain: Chain


@dataclass(frozen=True)
class Note:
    """Something that the user should know, and that stops nothing."""

    text: str


@dataclass(frozen=True)
class Tick:
    """A moment has passed; what runs now, and how many seconds the run may still take, if there is a limit."""

    chains: tuple[Chain, ...]
    running: tuple[Running, ...]
    left: float | None


Event = Finished | ChainDone | Note | Tick
Listener = Callable[[Event], None]
