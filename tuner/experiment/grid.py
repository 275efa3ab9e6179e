"""The grid of a search space: its size as a product, its n-th cell by counting; never a list of all cells."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tuner.errors import NoResultError
from tuner.experiment.expressions import Expression
from tuner.experiment.space import Parameter, Space, Values

MOST, EACH = 200_000, 20  # partial cells that may be visited: in all (up to 4 s), and in addition for each cell found


def controlling(space: Space) -> frozenset[str]:
    """The parameters on which the existence of others depends: selectors, and parameters that a `when` reads."""
    read = {name for p in space.parameters if p.condition.when for name in p.condition.when.names}
    return frozenset(p.path for p in space.parameters if p.selector or p.path in read or p.target in read)


def size(space: Space) -> int:
    """The number of active combinations, before constraints."""
    return sum(math.prod(_sizes(rest)) for _, rest in _branches(space))


def cells(space: Space) -> Iterator[Values]:
    """The cells that the constraints admit, in order, the last parameter fastest. Lazy: a large grid costs nothing.

    A constraint is checked as soon as all parameters that it reads are decided, so that whole parts of a grid are left
    out at once. Raises `NoResultError` if too many cells have to be visited for each one that is found."""
    looked = found = 0

    def decide(values: Values, rest: list[Parameter]) -> Iterator[Values]:
        nonlocal looked, found
        if looked > MOST + EACH * found:
            text = f"of {size(space):,} cells of the grid, the constraints leave out more than can be tried one by one"
            raise NoResultError(text, "fewer values, or sampler: random")
        if not rest:
            found += 1
            yield {p.path: values[p.path] for p in space.parameters if p.path in values}
            return
        parameter, *others = rest
        checkable = [c for c in space.constraints if _reads(c, parameter) and not any(_reads(c, p) for p in others)]
        for index in range(parameter.domain.size()):
            looked += 1
            here = {**values, parameter.path: parameter.domain.cell(index)}
            if not checkable or space.admits(here, checkable):
                yield from decide(here, others)

    for assigned, rest in _branches(space):
        if space.admits(assigned, [c for c in space.constraints if not any(_reads(c, p) for p in rest)]):
            yield from decide(assigned, rest)


def _reads(constraint: Expression, parameter: Parameter) -> bool:
    return parameter.path in constraint.names or parameter.target in constraint.names


def _branches(space: Space) -> Iterator[tuple[Values, list[Parameter]]]:
    """Each combination of the controlling parameters, with the other parameters that then exist. Raises `NoResultError`
    if there are more than `MOST`."""
    control, decided = controlling(space), 0

    def decide(position: int, values: Values, rest: list[Parameter]) -> Iterator[tuple[Values, list[Parameter]]]:
        nonlocal decided
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
                decided += 1
                if decided > MOST:
                    text = f"`when` depends on more than {MOST:,} combinations of values, too many to count a grid"
                    raise NoResultError(text, f"fewer values for {' or '.join(sorted(control))}, or sampler: random")
                option = parameter.domain.cell(index)
                yield from decide(position + 1, {**values, parameter.path: option}, rest)

    yield from decide(0, {}, [])


def _sizes(parameters: list[Parameter]) -> list[int]:
    return [p.domain.size() for p in parameters]
