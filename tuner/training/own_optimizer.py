"""The user's own optimizer: one for each lane, with its weights."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tuner.errors import UsageError
from tuner.models.layers.copies import RandomState
from tuner.models.layers.groups import ParameterGroup
from tuner.models.layers.lanes import Lanes
from tuner.training.flat import FlatWeights
from tuner.training.own import OwnPart, with_twins


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
        closure = inspect.signature(self.part.target.step).parameters.get("closure")  # type: ignore[attr-defined]
        if closure is not None and closure.default is closure.empty:
            text = f"{name} needs a closure, as it computes the loss several times in a step"
            raise UsageError(text, "such an optimizer cannot be used here: choose another")
        more = {"weight_decay": self.weight_decay} if takes else {}
        named = [[flat.index[id(each)] for each in group.parameters] for group in groups]
        rest = sorted(set(range(len(flat.index))) - {index for indices in named for index in indices})
        indices = [each for each in (*named, rest) if each]

        def make(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
            listed = [{"params": [parameters[index] for index in each]} for each in indices]
            made: torch.optim.Optimizer = self.part.made(self.values, listed if groups else parameters, **more)
            return made

        built = LaneByLane(name, make, flat, lanes)
        if built.learning_rate == 0 and any(group.learning_rate is not None for group in groups):
            text = f"the lr of {name} is 0, with which the learning rates of parameter groups cannot be compared"
            raise UsageError(text, "give lr the learning rate of the parameters that stand in no group")
        return built


class LaneByLane:
    """An optimizer of torch for each lane, whose parameters are views of the lane's weights."""

    def __init__(
        self, name: str, make: Callable[[list[nn.Parameter]], torch.optim.Optimizer], flat: FlatWeights, lanes: Lanes
    ) -> None:
        self._name, self._views = name, flat.views
        of_lanes = zip(*(_unbound(view) for view in flat.views(flat.weights)), strict=True)
        self._parameters = [[nn.Parameter(each) for each in views] for views in of_lanes]
        self._optimizers = [make(parameters) for parameters in self._parameters]
        self._random = [RandomState(generator) for generator in lanes.generators("optimizer")]
        of_first, places = self._optimizers[0], {id(each): index for index, each in enumerate(self._parameters[0])}
        self._rates = [group.get("lr") for group in of_first.param_groups]
        self._groups = [[places[id(each)] for each in group["params"]] for group in of_first.param_groups]  # its own

    @property
    def learning_rate(self) -> float | None:
        """The learning rate, which torch's optimizers call `lr`; None if it has none."""
        return None if self._rates[0] is None else float(self._rates[0])

    @torch.no_grad()
    def step(self, weights: Tensor, gradients: Tensor, factor: float | Tensor = 1.0) -> None:
        """Update `weights` (K, P) in place; `factor` as in `Optimizer.step`, the same for all weights of a group.

        Raises `UsageError` if the optimizer has groups of its own that mix them."""
        values, slopes = ([*map(_unbound, self._views(rows))] for rows in (weights, gradients))
        factors = None if isinstance(factor, float) else self._views(factor.expand_as(weights))
        for lane, (optimizer, parameters) in enumerate(zip(self._optimizers, self._parameters, strict=True)):
            for index, parameter in enumerate(parameters):
                parameter.data, parameter.grad = values[index][lane], slopes[index][lane]
            frozen: dict[int, Tensor] = {}
            for group, rate, indices in zip(optimizer.param_groups, self._rates, self._groups, strict=True):
                now = {
                    index: factor if factors is None else float(factors[index][lane].flatten()[0]) for index in indices
                }
                # a frozen parameter stays also where the steps are not multiples of lr
                frozen |= {index: values[index][lane].clone() for index in indices if now[index] == 0}
                moving = {each for each in now.values() if each}
                if len(moving) > 1:
                    text = f"{self._name} puts parameters of different learning rates into one group"
                    raise UsageError(text, "keep the groups that its constructor gets, or leave parameter_groups out")
                if rate is not None:
                    group["lr"] = rate * next(iter(moving), 0.0)
            with self._random[lane].active(advance=True):
                optimizer.step()
            for index, parameter in enumerate(parameters):
                after = frozen.get(index, parameter.data)  # it may have put another tensor into `data`
                if after.data_ptr() != values[index][lane].data_ptr():
                    values[index][lane].copy_(after)

    def select(self, lanes: Tensor) -> None:
        """Go on with these lanes only; a lane that occurs twice gets a second optimizer."""
        pairs = [*zip(self._optimizers, self._parameters, strict=True)]
        chosen = with_twins(pairs, lanes.tolist())
        self._optimizers, self._parameters = ([*each] for each in zip(*chosen, strict=True))
        self._random = [copy.copy(self._random[lane]) for lane in lanes.tolist()]


def _unbound(view: Tensor) -> tuple[Tensor, ...]:
    """A parameter (K, …) lane by lane; a bias (1, H) as a vector, as torch has it."""
    return (view.squeeze(1) if view.ndim == 3 and view.shape[1] == 1 else view).unbind()
