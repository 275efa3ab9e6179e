"""The search space as a frozen value: parameters with domains and conditions, in an order that can be walked.

A *parameter* is an open leaf of the settings tree, named by its path. Its *target* is the path of its value in the
configuration: `training.optimizer.adam.learning_rate` sets `training.optimizer.learning_rate`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, TypeGuard

from tuner.experiment.configuration import Configuration
from tuner.experiment.expressions import Expression, parse

Value = str | int | float | bool | None
Values = dict[str, Value]  # parameter path → value, active parameters only


def equal(one: object, other: object) -> bool:
    """Whether two values are the same setting: 1 and 1.0 are, 1 and true are not."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a number, which true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _by_value(option: Value) -> tuple[int, float, str]:
    """Sorts null first, then false and true, numbers, words."""
    if option is None or isinstance(option, str):
        return (0 if option is None else 3), 0.0, option or ""
    return (1 if isinstance(option, bool) else 2), float(option), ""


@dataclass(frozen=True)
class Choice:
    """One of several values. `options` are in the file's order, on which only the draws of samplers depend."""

    options: tuple[Value, ...]

    @cached_property
    def ordered(self) -> tuple[Value, ...]:
        """The options in order of value: the same however the file lists them."""
        return tuple(sorted(self.options, key=_by_value))

    def size(self) -> int:
        """The number of options."""
        return len(self.options)

    def cell(self, index: int) -> Value:
        """The `index`-th option, in order of value."""
        return self.ordered[index]

    def words(self) -> str:
        """The domain as text, for messages and `tuner check`."""
        return " | ".join(json.dumps(option, ensure_ascii=False).strip('"') for option in self.options)

    def nearest(self, value: Value, *, on_grid: bool = False) -> Value:
        """The value itself if it is an option; else the number nearest to it, in ratio if all are above 0 (of two
        equally near, the smaller one); else the first option in order of value."""
        numbers = [option for option in self.ordered if is_number(option)]
        if not is_number(value) or not numbers or any(equal(option, value) for option in self.options):
            return self.first(value)
        scale: Callable[[float], float] = math.log if min(value, *numbers) > 0 else float
        return min(numbers, key=lambda option: round(abs(scale(option) - scale(value)), 12))

    def first(self, *preferred: Value) -> Value:
        """The first of the preferred values that is an option; else the first option in order of value."""
        offered = (option for value in preferred for option in self.options if equal(option, value))
        return next(offered, self.ordered[0])


@dataclass(frozen=True)
class Range:
    """A range of numbers, both bounds included; on a step, or on a logarithmic scale."""

    low: float
    high: float
    integer: bool
    log: bool = False
    step: float | None = None
    points: int | None = None

    def size(self) -> int:
        """The number of cells of the range in a grid: one per `step`, or `points`; 0 with neither."""
        if self.step is not None:
            return math.floor((self.high - self.low) / self.step + 1e-9) + 1
        return len(self._points)

    def cell(self, index: int) -> Value:
        """The `index`-th cell, in order of value."""
        return self._points[index] if self.step is None else self._stepped(index)

    @property
    def last(self) -> float:
        """The largest value: `high`, or the last step below it."""
        return self.high if self.step is None else self._stepped(self.size() - 1)

    def _stepped(self, index: int) -> float:
        exact = Decimal(repr(self.low)) + index * Decimal(repr(self.step))  # 0.1 + 0.2 is 0.3 for the user
        return int(exact) if self.integer else float(exact)

    @cached_property
    def _points(self) -> tuple[Value, ...]:
        """`points` values evenly over the range, or evenly in ratio over a log range; both bounds included."""
        if self.points is None:
            return ()
        if self.points == 1 or self.low == self.high:
            return (self._round(self.low),)
        shares = [i / (self.points - 1) for i in range(1, self.points - 1)]
        if self.log:
            inner = [self.low * (self.high / self.low) ** share for share in shares]
        else:
            inner = [self.low + (self.high - self.low) * share for share in shares]
        return tuple(dict.fromkeys(self._round(v) for v in (self.low, *inner, self.high)))

    def words(self) -> str:
        """The domain as text, for messages and `tuner check`."""
        words = [f"{self.low:g} … {self.high:g}"]
        words += ["log"] if self.log else []
        words += [f"step {self.step:g}"] if self.step is not None else []
        words += [f"{self.points} points"] if self.points is not None else []
        return ", ".join(words)

    def nearest(self, value: Value, *, on_grid: bool = False) -> Value:
        """The number of this range that is nearest to `value` (nearest in ratio on a log range)."""
        number = float(value) if isinstance(value, int | float) else self.low
        number = min(max(number, self.low), self.high)
        if on_grid and self.points is not None and self.step is None:
            scale: Callable[[Any], float] = math.log if self.log else float
            return min(self._points, key=lambda cell: abs(scale(cell) - scale(number)))
        if self.step is not None:
            return self.cell(min(round((number - self.low) / self.step), self.size() - 1))
        return self._round(number)

    def _round(self, number: float) -> int | float:
        # 12 digits: short to read, and the same number in every process
        if self.integer:
            return round(number)
        return min(max(float(f"{number:.12g}"), self.low), self.high)


Domain = Choice | Range


@dataclass(frozen=True)
class Condition:
    """Where a setting exists: the selectors above it took these options, and `when` holds."""

    selected: tuple[tuple[str, str], ...] = ()
    when: Expression | None = None

    def given(self, expression: Expression) -> Condition:
        """The condition together with another one."""
        if self.when is None:
            return Condition(self.selected, expression)
        return Condition(self.selected, parse(f"({self.when.text}) and ({expression.text})"))

    def under(self, path: str, option: str) -> Condition:
        """The condition of settings inside `option` of the selector `path`."""
        return Condition((*self.selected, (path, option)), self.when)


@dataclass(frozen=True)
class Parameter:
    """An open leaf: its domain, the condition under which it exists, and its default: from `search.default`, else that
    of the setting, which need not be in the domain."""

    path: str
    target: str
    domain: Domain
    condition: Condition
    default: Value
    selector: bool = False  # decides which other settings exist


@dataclass(frozen=True)
class Fixed:
    """A fixed leaf: given in the file, or a default."""

    path: str
    target: str
    value: Any
    condition: Condition


OR = ".or"  # ends the path of the selector of a range with `or:`
RANGE_OPTION = "range"  # value of the selector of a range with `or:` when the range is used


@dataclass(frozen=True)
class Space:
    """All parameters, each after those that its condition reads."""

    parameters: tuple[Parameter, ...]
    fixed: tuple[Fixed, ...]
    constraints: tuple[Expression, ...] = ()

    def walk(self, choose: Callable[[Parameter], Value]) -> Values:
        """Choose a value for every parameter that exists, in order; `choose` is called for those only."""
        values: Values = {}
        for parameter in self.parameters:
            if self.active(parameter.condition, values):
                values[parameter.path] = choose(parameter)
        return values

    def active(self, condition: Condition, values: Mapping[str, Value]) -> bool:
        """Whether a setting exists, given the parameters decided so far."""
        if any(values.get(path) != option for path, option in condition.selected):
            return False
        return condition.when is None or condition.when.holds(self.scope(values), absent=False)

    def scope(self, values: Mapping[str, Value]) -> dict[str, Any]:
        """The values that expressions may read.

        Args:
            values: parameter path → value, of the parameters chosen so far.

        Returns:
            The values of chosen and fixed settings, by path and by target; settings that do not exist under `values`
            are absent.
        """
        scope: dict[str, Any] = {}
        for fixed in self.fixed:
            if fixed.condition.when is None and self.active(fixed.condition, values):
                scope[fixed.path] = scope[fixed.target] = fixed.value
        for parameter in self.parameters:
            if parameter.path in values:
                value = values[parameter.path]
                scope[parameter.path] = value
                if not (parameter.selector and value == RANGE_OPTION):
                    scope[parameter.target] = value
        return scope

    def admits(self, values: Mapping[str, Value], constraints: Iterable[Expression] | None = None) -> bool:
        """Whether the constraints hold (by default all); one that names a setting of another branch does not apply."""
        scope = self.scope(values)
        checked = self.constraints if constraints is None else constraints
        return all(constraint.holds(scope, absent=True) for constraint in checked)

    def default(self, *, on_grid: bool = False) -> Values:
        """The default configuration: each parameter at the value of its domain nearest to the setting's default."""
        return self.walk(lambda parameter: parameter.domain.nearest(parameter.default, on_grid=on_grid))

    def configuration(self, values: Mapping[str, Value]) -> Configuration:
        """These values together with the fixed ones."""
        return Configuration(**self.tree(values))

    def tree(self, values: Mapping[str, Value]) -> dict[str, Any]:
        """The settings tree with a value for every leaf: {"model": {"name": "mlp", …}, "training": {…}}."""
        tree: dict[str, Any] = {}
        for fixed in self.fixed:
            if self.active(fixed.condition, values):
                _put(tree, fixed.target, fixed.value)
        for parameter in self.parameters:
            if parameter.path in values and not (parameter.selector and values[parameter.path] == RANGE_OPTION):
                _put(tree, parameter.target, values[parameter.path])
        return tree


def _put(tree: dict[str, Any], target: str, value: Any) -> None:
    *above, leaf = target.split(".")
    for key in above:
        tree = tree.setdefault(key, {})
    tree[leaf] = value
