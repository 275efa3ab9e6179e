"""The user's own losses, optimizers and schedules: `my_parts.py:NAME` beside the experiment file.

Their annotated arguments are settings, as those of the user's own models. They are given what torch's would be: a loss
a batch of one lane, an optimizer the parameters of one lane. So they run lane by lane.
"""

from __future__ import annotations

import copy
import inspect
import math
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from tuner.errors import UsageError
from tuner.experiment.own_arguments import code_of, described
from tuner.experiment.own_code import Kind, UserCodeInfo, find_object, reaching, root_of
from tuner.experiment.settings import Settings
from tuner.training.schedules import ScheduleStep

T = TypeVar("T")
ABOUT_STEP = ("epoch", "epochs", "step", "steps")


def is_module(meant: Any) -> bool:
    """Whether what the user named is a class of modules."""
    return isinstance(meant, type) and issubclass(meant, nn.Module)


def _is_optimizer(meant: Any) -> bool:
    return isinstance(meant, type) and issubclass(meant, torch.optim.Optimizer)


REQUIRED = "it is an argument without a default: give it in the file"
UNCLEAR = "has neither an annotation nor a default"
LOSS = Kind(
    section="training.loss",
    word="NAME",
    what="function or torch.nn.Module",
    fits=lambda meant: inspect.isfunction(meant) or is_module(meant),
    handed_in=(),
    required=REQUIRED,
    unclear=UNCLEAR,
    functions_declared=True,
    leading=lambda meant: 2 if inspect.isfunction(meant) else 0,
)
OPTIMIZER = Kind(
    section="training.optimizer",
    word="CLASS",
    what="torch.optim.Optimizer",
    fits=_is_optimizer,
    handed_in=("weight_decay",),
    despite_default=("weight_decay",),
    required=REQUIRED,
    unclear=UNCLEAR,
    leading=lambda meant: 1,
)
SCHEDULE = Kind(
    section="training.schedule",
    word="FUNCTION",
    what="function",
    fits=inspect.isfunction,
    handed_in=ABOUT_STEP,
    despite_default=ABOUT_STEP,
    required=REQUIRED,
    unclear=UNCLEAR,
    declared=True,
)


@dataclass(frozen=True)
class OwnPart(UserCodeInfo):
    """A function or class of the user; it exists only in a process that may run the user's code."""

    target: Callable[..., Any]
    root: Path

    def checked(self, values: Mapping[str, Any], without: Iterable[str] = ()) -> dict[str, Any]:
        """The values of its settings, validated; its name and those of `without` are left out."""
        return self.Settings.model_validate(values).model_dump(exclude={"name", *without})

    def made(self, values: Mapping[str, Any], *leading: Any, **handed_in: Any) -> Any:
        """Call it with the values of its settings."""
        with reaching(self.root):
            return self.target(*leading, **self.checked(values), **handed_in)


def load(kind: Kind, base: type[Settings], name: str, folder: Path) -> OwnPart:
    """The object of this kind that `name` means, from `folder` or the installed packages: runs the user's code. Its
    settings are in addition to those of `base`. Raises `UsageError`."""
    return _load(kind, base, name, folder.resolve())


@cache
def _load(kind: Kind, base: type[Settings], name: str, folder: Path) -> OwnPart:
    found = find_object(name, folder, kind)
    own = described(code_of(name, found, kind, base), base)
    return OwnPart(own.code, own.Settings, found.target, root_of(name, folder))


def with_twins(each: Sequence[T], lanes: Sequence[int]) -> list[T]:
    """What belongs to these lanes; a lane that occurs twice gets a copy."""
    taken, found = set[int](), []
    for lane in lanes:
        found.append(copy.deepcopy(each[lane]) if lane in taken else each[lane])
        taken.add(lane)
    return found


class OwnSchedule:
    """The user's schedule: a function of some of `epoch`, `epochs`, `step` and `steps` (`ScheduleStep`)."""

    def __init__(self, part: OwnPart, values: Mapping[str, Any]) -> None:
        self._part, self._values = part, part.checked(values)

    def at(self, now: ScheduleStep) -> float:
        """The factor of the learning rate at a step. Raises `UsageError`."""
        about = {key: value for key, value in asdict(now).items() if key in self._part.code.handed_in}
        returned = self._part.target(**self._values, **about)
        found = plain_number(returned)
        if found is None or not (math.isfinite(found) and found >= 0):
            told = f"must return a number of at least 0; it returned {returned!r} in epoch {now.epoch + 1}"
            text = f"{self._part.code.name} {told}"
            raise UsageError(text, "return the factor of the learning rate")
        return found


def plain_number(returned: Any) -> float | None:
    """What the user's code returned, as a number; None if it is none."""
    if hasattr(returned, "item") and getattr(returned, "size", 1) == 1:
        returned = returned.item()
    return float(returned) if isinstance(returned, numbers.Real) and not isinstance(returned, bool) else None
