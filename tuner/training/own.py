"""The user's own losses, optimizers and schedules: `my_parts.py:NAME` beside the experiment file.

Their annotated arguments are settings, as those of the user's own models. They are given what torch's would be: a loss
a batch of one lane, an optimizer the parameters of one lane. So they run lane by lane.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuner.errors import UsageError
from tuner.experiment.own_arguments import code_of, described
from tuner.experiment.own_code import Kind, UserCodeInfo, find_object, reaching, root_of
from tuner.experiment.settings import Settings
from tuner.metrics.parts.sums import IGNORED
from tuner.models.layers.copies import RandomState
from tuner.models.layers.groups import ParameterGroup
from tuner.models.layers.lanes import Lanes
from tuner.training.flat import FlatWeights
from tuner.training.schedules import ScheduleStep

T = TypeVar("T")
TORCH_IGNORED = -100  # `ignore_index` of torch's losses
ABOUT_STEP = ("epoch", "epochs", "step", "steps")


def _is_module(meant: Any) -> bool:
    return isinstance(meant, type) and issubclass(meant, nn.Module)


def _is_optimizer(meant: Any) -> bool:
    return isinstance(meant, type) and issubclass(meant, torch.optim.Optimizer)


REQUIRED = "it is an argument without a default: give it in the file"
UNCLEAR = "has neither an annotation nor a default"
LOSS = Kind(
    section="training.loss",
    word="NAME",
    what="function or torch.nn.Module",
    fits=lambda meant: inspect.isfunction(meant) or _is_module(meant),
    handed_in=(),
    required=REQUIRED,
    unclear=UNCLEAR,
    declared=True,
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


@dataclass(frozen=True)
class OwnLoss:
    """The user's loss; `build` makes one for each lane. If rows are `weighted`, it must return a loss for each row."""

    part: OwnPart
    values: Mapping[str, Any]
    weighted: bool

    def build(self, lanes: Lanes) -> LaneLosses:
        """One for each lane. Raises `UsageError`."""
        name = self.part.code.name
        random = [RandomState(generator) for generator in lanes.generators("loss")]
        if not _is_module(self.part.target):
            settings = self.part.checked(self.values)
            return LaneLosses(name, [partial(self.part.target, **settings)] * len(lanes), random, self.weighted)
        modules: list[nn.Module] = []
        for state in random:
            with state.active(advance=False):
                modules.append(self.part.made(self.values).to(lanes.device))
        if any(True for _ in modules[0].parameters()):
            raise UsageError(f"{name} has weights, which would not be trained", "make them buffers, or settings")
        return LaneLosses(name, modules, random, self.weighted)


class LaneLosses:
    """The user's loss, called with the rows of one lane at a time: outputs (N, C), or (N, C, *positions) as in torch,
    and targets (N, *positions), -100 where there is no label; or both (N, M).

    It returns a loss for each row (N,), position or output, or their mean. Each lane has a copy of a module, and a
    random state of its own, which starts anew for each evaluation."""

    def __init__(
        self, name: str, losses: Sequence[Callable[..., Any]], random: Sequence[RandomState], weighted: bool
    ) -> None:
        self._name, self._losses, self._random, self._weighted = name, list(losses), list(random), weighted
        self._counts: Tensor | None = None
        self._training = False

    def read(self, counts: Tensor, *, training: bool) -> None:
        """Before a call: which rows are not padding (K, B), and whether the lanes are trained on them."""
        self._counts, self._training = counts, training
        for module in (each for each in self._losses if isinstance(each, nn.Module)):
            module.train(training)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The losses (K, B), or (K, B, *positions), of outputs (K, B, *positions, C); 0 for padding."""
        lanes, rows = outputs.shape[:2]
        counts = [rows] * lanes if self._counts is None else self._counts.sum(dim=1).tolist()
        found = [
            self._of_lane(lane, outputs[lane, :count], targets[lane, :count]) if count else None
            for lane, count in enumerate(counts)
        ]
        some = next((each for each in found if each is not None), outputs.new_zeros(0))
        padded = [some.new_zeros(rows, *some.shape[1:]) if each is None else _padded(each, rows) for each in found]
        return torch.stack(padded)

    def select(self, lanes: Sequence[int]) -> None:
        """Keep only these lanes; a lane that occurs twice gets a second copy."""
        self._losses = with_twins(self._losses, lanes)
        self._random = [copy.copy(self._random[lane]) for lane in lanes]

    def _of_lane(self, lane: int, outputs: Tensor, targets: Tensor) -> Tensor:
        if targets.ndim > 1 and not targets.is_floating_point():
            outputs, targets = outputs.movedim(-1, 1), targets.masked_fill(targets == IGNORED, TORCH_IGNORED)
        with self._random[lane].active(advance=self._training):
            found = self._losses[lane](outputs, targets)
        if not isinstance(found, Tensor) or not found.is_floating_point():
            kind = f"a tensor of {found.dtype}" if isinstance(found, Tensor) else type(found).__name__
            raise UsageError(f"{self._name} must return a tensor of losses; it returned {kind}", "return one per row")
        if outputs.requires_grad and found.grad_fn is None:
            text = f"{self._name} returned a loss that does not depend on the outputs, so nothing would be learned"
            raise UsageError(text, "compute it from the outputs, without item(), detach() or numpy()")
        if found.ndim == 0:
            if self._weighted:
                text = f"{self._name} returns one loss for the whole batch, so rows cannot be weighted"
                raise UsageError(text, "return one loss per row, as with reduction='none'")
            return found.expand(len(targets))
        if targets.is_floating_point() and found.shape == targets.shape:
            return found.flatten(1).mean(dim=1)
        if found.shape != targets.shape[:1] and found.shape != targets.shape:
            text = f"{self._name} returned losses of shape {tuple(found.shape)} for {len(targets)} rows"
            raise UsageError(text, f"return one loss per row, of shape ({len(targets)},), or their mean")
        return found


def _padded(losses: Tensor, rows: int) -> Tensor:
    """Losses (N, …) of a lane with zeros for padding: (B, …)."""
    return F.pad(losses, (0, 0) * (losses.ndim - 1) + (0, rows - len(losses)))


@dataclass(frozen=True)
class OwnOptimizer:
    """The user's optimizer; `build` makes one for each lane."""

    part: OwnPart
    values: Mapping[str, Any]
    weight_decay: float

    def build(self, flat: FlatWeights, groups: Sequence[ParameterGroup], lanes: Lanes) -> LaneByLane:
        """One for each lane, with its parameters in one group, or in the `groups` of the model and one of the others.
        Raises `UsageError`."""
        name, takes = self.part.code.name, "weight_decay" in self.part.code.handed_in
        if self.weight_decay and not takes:
            text = f"{name} does not take weight_decay, and training.weight_decay is {self.weight_decay:g}"
            raise UsageError(text, "add the argument weight_decay to its constructor, or leave the setting out")
        more = {"weight_decay": self.weight_decay} if takes else {}
        named = [[flat.index[id(each)] for each in group.parameters] for group in groups]
        rest = sorted(set(range(len(flat.index))) - {index for indices in named for index in indices})
        indices = [each for each in (*named, rest) if each]

        def make(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
            listed = [{"params": [parameters[index] for index in each]} for each in indices]
            made: torch.optim.Optimizer = self.part.made(self.values, listed if groups else parameters, **more)
            return made

        return LaneByLane(make, flat, indices, lanes)


class LaneByLane:
    """An optimizer of torch for each lane, whose parameters are views of the lane's weights."""

    def __init__(
        self,
        make: Callable[[list[nn.Parameter]], torch.optim.Optimizer],
        flat: FlatWeights,
        groups: Sequence[Sequence[int]],
        lanes: Lanes,
    ) -> None:
        self._views, self._groups = flat.views, groups
        of_lanes = zip(*(view.unbind() for view in flat.views(flat.weights)), strict=True)
        self._parameters = [[nn.Parameter(each) for each in views] for views in of_lanes]
        self._optimizers = [make(parameters) for parameters in self._parameters]
        self._random = [RandomState(generator) for generator in lanes.generators("optimizer")]
        self._rates = [group.get("lr") for group in self._optimizers[0].param_groups]

    @property
    def learning_rate(self) -> float | None:
        """The learning rate, which torch's optimizers call `lr`; None if it has none."""
        return None if self._rates[0] is None else float(self._rates[0])

    def step(self, weights: Tensor, gradients: Tensor, factor: float | Tensor = 1.0) -> None:
        """Update `weights` (K, P) in place; `factor` as in `Optimizer.step`, the same for all weights of a group."""
        values, slopes = self._views(weights), self._views(gradients)
        factors = None if isinstance(factor, float) else self._views(factor.expand_as(weights))
        for lane, (optimizer, parameters) in enumerate(zip(self._optimizers, self._parameters, strict=True)):
            for index, parameter in enumerate(parameters):
                parameter.data, parameter.grad = values[index][lane], slopes[index][lane]
            for group, rate, indices in zip(optimizer.param_groups, self._rates, self._groups, strict=True):
                if rate is not None:
                    now = factor if factors is None else float(factors[indices[0]][lane].flatten()[0])
                    group["lr"] = rate * now
            with self._random[lane].active(advance=True):
                optimizer.step()

    def select(self, lanes: Tensor) -> None:
        """Go on with these lanes only; a lane that occurs twice gets a second optimizer."""
        pairs = [*zip(self._optimizers, self._parameters, strict=True)]
        chosen = with_twins(pairs, lanes.tolist())
        self._optimizers, self._parameters = ([*each] for each in zip(*chosen, strict=True))
        self._random = [copy.copy(self._random[lane]) for lane in lanes.tolist()]


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
        found = self._part.target(**self._values, **about)
        if isinstance(found, bool) or not isinstance(found, int | float) or not (math.isfinite(found) and found >= 0):
            told = f"must return a number of at least 0; it returned {found!r} in epoch {now.epoch + 1}"
            text = f"{self._part.code.name} {told}"
            raise UsageError(text, "return the factor of the learning rate")
        return float(found)


@dataclass(frozen=True)
class OwnParts:
    """The user's own parts of a training; None where tuner's are used."""

    loss: OwnLoss | None = None
    optimizer: OwnOptimizer | None = None
    schedule: OwnSchedule | None = None


NOTHING_OWN = OwnParts()
