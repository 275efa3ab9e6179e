"""The grid of a search space: its size as a product, its n-th cell by counting; never a list of all cells."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tuner.spec.space import Parameter, Space, Value, Values


def controlling(space: Space) -> frozenset[str]:
    """The parameters on which the existence of others depends: selectors, and whatever a `when` reads."""
    read = {name for p in space.parameters if p.condition.when for name in p.condition.when.names}
    return frozenset(p.path for p in space.parameters if p.selector or p.path in read or p.target in read)


def size(space: Space) -> int:
    """The number of active combinations, constraints aside."""
    return sum(math.prod(_sizes(rest)) for _, rest in _branches(space))


def cells(space: Space) -> Iterator[Values]:
    """The cells in order, the last parameter fastest; constraints aside. Lazy: a large grid costs nothing."""
    for decided, rest in _branches(space):
        sizes = _sizes(rest)
        for index in range(math.prod(sizes)):
            yield _cell(space, decided, rest, sizes, index)


def _branches(space: Space) -> Iterator[tuple[Values, list[Parameter]]]:
    """Each way to decide the controlling parameters, with the other parameters that then exist."""
    control = controlling(space)

    def decide(position: int, values: Values, rest: list[Parameter]) -> Iterator[tuple[Values, list[Parameter]]]:
        if position == len(space.parameters):
            yield values, rest
            return
        parameter = space.parameters[position]
        if not space.active(parameter.condition, values):
            yield from decide(position + 1, values, rest)
        elif parameter.path not in control:
            yield from decide(position + 1, values, [*rest, parameter])
        else:
            for index in range(parameter.domain.size()):
                option = parameter.domain.cell(index)
                yield from decide(position + 1, {**values, parameter.path: option}, rest)

    yield from decide(0, {}, [])


def _sizes(parameters: list[Parameter]) -> list[int]:
    return [p.domain.size() for p in parameters]


def _cell(space: Space, decided: Values, rest: list[Parameter], sizes: list[int], index: int) -> Values:
    chosen: dict[str, Value] = dict(decided)
    for parameter, count in zip(reversed(rest), reversed(sizes), strict=True):
        index, position = divmod(index, count)
        chosen[parameter.path] = parameter.domain.cell(position)
    return {p.path: chosen[p.path] for p in space.parameters if p.path in chosen}
