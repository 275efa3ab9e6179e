"""Parameter groups: weights with a learning rate of their own, or that are frozen for the first epochs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from tuner.errors import UsageError

KEYS = ("params", "learning_rate", "frozen_epochs")
EXAMPLE = "{'params': self.backbone.parameters(), 'learning_rate': 1e-5, 'frozen_epochs': 2}"


@dataclass(frozen=True, eq=False)
class ParameterGroup:
    """Some parameters of a stack, their learning rate (None: that of the optimizer), and the number of epochs for which
    they are not changed at first."""

    parameters: tuple[nn.Parameter, ...]
    learning_rate: float | None = None
    frozen_epochs: int = 0


@runtime_checkable
class HasParameterGroups(Protocol):
    """A model whose parameters are not all trained alike; those of no group are trained as usual."""

    lane_groups: Sequence[ParameterGroup]


def groups_of(model: nn.Module) -> tuple[ParameterGroup, ...]:
    """The parameter groups of a model of all lanes that are not empty."""
    found = model.lane_groups if isinstance(model, HasParameterGroups) else ()
    return tuple(group for group in found if group.parameters)


def read_groups(name: str, returned: Any, own: Collection[nn.Parameter]) -> tuple[ParameterGroup, ...]:
    """What the method `parameter_groups` of the user's model `name` returned.

    Args:
        name: of the model, for errors.
        returned: mappings with the keys `KEYS`.
        own: the parameters of the model that are trained.

    Raises:
        UsageError: it is something else.
    """
    wrong = f"parameter_groups of {name} must return a list of dicts such as {EXAMPLE}"
    if not isinstance(returned, list | tuple) or not all(isinstance(each, Mapping) for each in returned):
        raise UsageError(f"{wrong}; it returned {type(returned).__name__}", "return a list of dicts")
    known, found, seen = {id(each): each for each in own}, [], set[int]()
    for group in returned:
        if unknown := [str(key) for key in group if key not in KEYS]:
            hint = "write learning_rate" if unknown == ["lr"] else f"the keys are {', '.join(KEYS)}"
            raise UsageError(f"parameter_groups of {name}: unknown key '{unknown[0]}' in a group", hint)
        if "params" not in group:
            raise UsageError(f"parameter_groups of {name}: a group has no params", f"for example {EXAMPLE}")
        parameters = dict.fromkeys(map(id, _trained(group["params"])))  # one that is tied stands in it once
        if not parameters.keys() <= known.keys():
            text = f"parameter_groups of {name}: params holds something that is not a parameter of {name}"
            raise UsageError(text, f"for example {EXAMPLE}")
        if seen & parameters.keys():
            raise UsageError(f"parameter_groups of {name}: a parameter is in two groups", "name it once")
        seen |= parameters.keys()
        found.append(ParameterGroup(tuple(known[each] for each in parameters), *_numbers(name, group)))
    return tuple(found)


def _trained(given: Any) -> list[Any]:
    """The parameters of a group that are not frozen for good, and whatever else stands there."""
    given = given.parameters() if isinstance(given, nn.Module) else given
    listed = [given] if isinstance(given, Tensor) or not isinstance(given, Iterable) else list(given)
    return [each for each in listed if not isinstance(each, nn.Parameter) or each.requires_grad]


def _numbers(name: str, group: Mapping[str, Any]) -> tuple[float | None, int]:
    """The learning rate and the frozen epochs of a group. Raises `UsageError`."""
    rate, frozen = group.get("learning_rate"), group.get("frozen_epochs", 0)
    if rate is not None and (isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 100):
        text = f"parameter_groups of {name}: learning_rate must be a number from 0 to 100, not {rate!r}"
        raise UsageError(text, "give a number, or leave it out for that of the optimizer")
    if isinstance(frozen, bool) or not isinstance(frozen, int) or frozen < 0:
        text = f"parameter_groups of {name}: frozen_epochs must be a whole number from 0, not {frozen!r}"
        raise UsageError(text, "give the number of epochs, or leave it out")
    return rate, frozen
