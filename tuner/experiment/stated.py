"""Reads `search.default`, the default configuration as the file states it: {path: value, …}."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from tuner.errors import Problem, did_you_mean
from tuner.experiment.space import OR, RANGE_OPTION, Choice, Domain, Parameter, Space, Values, equal, is_number
from tuner.experiment.yaml_file import Node, at

KEY = "search.default"


def with_stated(
    space: Space, entries: Mapping[str, Node], names: Collection[str], *, on_grid: bool
) -> tuple[Space, list[Problem]]:
    """The space with the stated values as its parameters' defaults, and the problems in them.

    `names` are the settings that the file could give; `on_grid`: the values must be cells of the grid.
    """
    parameters = {parameter.path: parameter for parameter in space.parameters}
    stated: Values = {}
    problems: list[Problem] = []
    for path, node in entries.items():
        if path in parameters and not path.endswith(OR):
            found, wrong = _values(parameters, path, node, on_grid)
            stated |= found
            problems += wrong
        elif problem := _not_searched(space, parameters, path, node, names):
            problems.append(problem)
    told = tuple(replace(p, default=stated.get(p.path, p.default)) for p in space.parameters)
    space = replace(space, parameters=told)
    return space, problems or list(_absent(space, entries, stated, on_grid))


def _values(
    parameters: Mapping[str, Parameter], path: str, node: Node, on_grid: bool
) -> tuple[Values, tuple[Problem, ...]]:
    """The stated value of one setting; for a range with `or:`, also whether it is in the range."""
    value, domain, selector = node.plain(), parameters[path].domain, parameters.get(path + OR)
    either = selector.domain if selector else None
    others = [o for o in either.options if o != RANGE_OPTION] if isinstance(either, Choice) else []
    if selector and any(equal(value, other) for other in others):
        return {selector.path: value}, ()
    if _holds(domain, value, on_grid):
        return {path: value} | ({selector.path: RANGE_OPTION} if selector else {}), ()
    words = " or ".join([domain.words(), *map(str, others)])
    text = f"{KEY}: {path} is searched in {words}, where {node.text()} is not"
    return {}, (at(node, text, _hint(domain, value, on_grid)),)


def _holds(domain: Domain, value: object, on_grid: bool) -> bool:
    if isinstance(domain, Choice):
        return any(equal(option, value) for option in domain.options)
    if not is_number(value):
        return False
    nearest = domain.nearest(value, on_grid=on_grid)
    return is_number(nearest) and math.isclose(nearest, value, rel_tol=1e-6)  # cells of `points` have many digits


def _hint(domain: Domain, value: object, on_grid: bool) -> str | None:
    if is_number(value):
        nearest = domain.nearest(value, on_grid=on_grid)
        return f"the nearest is {nearest:.7g}" if isinstance(nearest, float) else f"the nearest is {nearest}"
    if isinstance(domain, Choice) and isinstance(value, str):
        return did_you_mean(value, [str(option) for option in domain.options])
    return None


def _not_searched(
    space: Space, parameters: Collection[str], path: str, node: Node, names: Collection[str]
) -> Problem | None:
    """A problem: the path is not a searched setting; None if it is one whose own entry has a mistake."""
    fixed = {each for setting in space.fixed for each in (setting.path, setting.target)}
    paths = [name for name in parameters if not name.endswith(OR)]
    in_branches = [each.path for each in space.parameters if each.target == path and each.path in paths]
    if path in names and path not in fixed and not in_branches:
        return None
    hint = "it has one value; a list or a range is searched" if path in names else did_you_mean(path, paths)
    hint = f"write {' or '.join(in_branches)}" if in_branches else hint
    return at(node.key or node, f"{KEY}: '{path}' is not a searched setting", hint)


def _absent(space: Space, entries: Mapping[str, Node], stated: Values, on_grid: bool) -> Iterator[Problem]:
    """A problem for each stated setting that the default configuration does not have."""
    default = space.default(on_grid=on_grid)
    for parameter in space.parameters:
        path, condition = parameter.path, parameter.condition
        if path in stated and path not in default and path in entries:
            other = [f"{name} is {default.get(name)}, not {option}" for name, option in condition.selected
                     if default.get(name) != option]  # fmt: skip
            why = other[0] if other or condition.when is None else f"it needs {condition.when.text}"
            text = f"{KEY}: the default configuration has no {path}, as {why}"
            yield at(entries[path].key or entries[path], text, "state that too, or leave it out")
