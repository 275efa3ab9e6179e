"""The kinds of code that a user can bring, by the place in the experiment file that names them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

from tuner.experiment.own_code import Kind, UserCodeInfo
from tuner.experiment.settings import Settings
from tuner.models import _own as models
from tuner.search.own_metric import METRIC, MetricSettings
from tuner.sources.custom import loader as loaders
from tuner.training import own

PARTS = (own.LOSS, own.OPTIMIZER, own.SCHEDULE)  # of a training


class OwnKind(NamedTuple):
    """A kind of code, the settings that each has besides its arguments, and a function that loads it, which runs it."""

    kind: Kind
    base: type[Settings]
    load: Callable[[str, Path], UserCodeInfo]


def _of_function(kind: Kind, base: type[Settings]) -> OwnKind:
    return OwnKind(kind, base, partial(own.load, kind, base))


KINDS: Mapping[str, OwnKind] = {
    "model": OwnKind(models.MODEL, models.ModelSettings, models.load),
    "dataset": OwnKind(loaders.LOADER, loaders.LoaderSettings, loaders.load),
    "metric": _of_function(METRIC, MetricSettings),
    **{kind.section: _of_function(kind, Settings) for kind in PARTS},
}


class Code(Protocol):
    """Describes the user's own code."""

    def info(self, section: str, name: str) -> UserCodeInfo:
        """The code `name` of a kind of `KINDS`. Raises `UsageError`."""


class CodeHere:
    """The user's own code run in this process, which therefore must not be the driver."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def info(self, section: str, name: str) -> UserCodeInfo:
        """Load it. Raises `UsageError`."""
        return KINDS[section].load(name, self._folder)
