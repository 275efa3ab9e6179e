"""Random search spaces for properties: nested branches, `or`, `when`; and brute force over them."""

import ast
import itertools
import operator

from hypothesis import strategies as st

from tuner.experiment.expressions import parse
from tuner.experiment.space import RANGE_OPTION, Choice, Condition, Fixed, Parameter, Range, Space

WORDS = ("relu", "tanh", "range", True, False, None, 0, 1, 2.5, -3)
COMPARE = {"==": operator.eq, "!=": operator.ne, ">=": operator.ge}


def typed(value):
    """A value that differs from what merely equals it: 1, 1.0 and True are three choices."""
    return type(value).__name__, value


def choices():
    options = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3, unique_by=typed)
    return options.map(lambda words: Choice(tuple(words)))


@st.composite
def ranges(draw, countable=False):
    """An integer or number range: plain (unless `countable`), log, on a step, or in points."""
    integer = draw(st.booleans())
    kind = draw(st.sampled_from(["step", "points", "log points"] + ([] if countable else ["plain", "log"])))
    unit = 1 if integer else draw(st.sampled_from([1e-3, 0.1, 0.25, 1.0]))
    first = draw(st.integers(1 if "log" in kind else -20, 20))
    low, high = (round(n * unit, 9) for n in (first, first + draw(st.integers(0, 12))))  # as a user writes them
    step = round(unit * draw(st.integers(1, 4)), 9) if kind == "step" else None
    points = draw(st.integers(1, 4)) if "points" in kind else None
    return Range(low, high, integer, "log" in kind, step, points)


class Sketch:
    """A space under construction; each part stands after what its condition reads."""

    def __init__(self, draw, countable):
        self.draw, self.countable = draw, countable
        self.parameters, self.fixed = [], []

    def domain(self):
        return self.draw(st.one_of(choices(), ranges(self.countable)))

    def leaf(self, path, target, condition):
        kind = self.draw(st.sampled_from(["free", "free", "fixed", "or", "when"]))
        if kind == "fixed":
            self.fixed.append(Fixed(path, target, self.draw(st.sampled_from(WORDS)), condition))
            return
        domain = self.draw(ranges(self.countable)) if kind == "or" else self.domain()
        default = domain.low if isinstance(domain, Range) else domain.options[-1]
        if kind == "when" and self.parameters:
            self.fixed.append(Fixed(path, target, default, condition))
            condition = Condition(condition.selected, self.when())
        if kind == "or":
            other = Choice((-99, RANGE_OPTION))
            self.parameters.append(Parameter(f"{path}.or", target, other, condition, -99, selector=True))
            condition = condition.under(f"{path}.or", RANGE_OPTION)
        self.parameters.append(Parameter(path, target, domain, condition, default))

    def when(self):
        """Reads an earlier parameter, by path or by target."""
        read = self.draw(st.sampled_from(self.parameters))
        numeric = isinstance(read.domain, Range) and not any(p.path == f"{read.path}.or" for p in self.parameters)
        name = self.draw(st.sampled_from([n for n in (read.path, read.target) if not n.endswith(".or")]))
        if name == read.path and numeric:
            return parse(f"{name} >= {read.domain.nearest(0)!r}")
        value = read.domain.options[0] if isinstance(read.domain, Choice) else read.domain.nearest(0)
        return parse(f"{name} {self.draw(st.sampled_from(['==', '!=']))} {value!r}")

    def branch(self, path, target, condition, depth):
        """A selector, and inside each option settings that share their targets with the other options."""
        names = ("a", "b")[: self.draw(st.integers(1, 2))]
        self.parameters.append(Parameter(path, f"{target}.name", Choice(names), condition, names[0], selector=True))
        for name in names:
            inside = condition.under(path, name)
            for leaf in ("x", "y")[: self.draw(st.integers(0, 2))]:
                self.leaf(f"{path}.{name}.{leaf}", f"{target}.{leaf}", inside)
            if depth and self.draw(st.booleans()):
                self.branch(f"{path}.{name}.inner", f"{target}.inner", inside, depth - 1)


@st.composite
def spaces(draw, countable=False):
    """A space of two to five parts; with `countable` every range has cells."""
    sketch = Sketch(draw, countable)
    for number in range(draw(st.integers(1, 3))):
        sketch.leaf(f"s.p{number}", f"s.p{number}", Condition())
    for number in range(draw(st.integers(0, 2))):
        sketch.branch(f"m{number}", f"m{number}", Condition(), depth=1)
    return Space(tuple(sketch.parameters), tuple(sketch.fixed))


def visible(space, values):
    """What a `when` can read, worked out plainly: settled settings first, decided ones over them."""
    seen = {}
    for fixed in space.fixed:
        if all(values.get(path) == option for path, option in fixed.condition.selected):
            seen[fixed.path] = seen[fixed.target] = fixed.value
    for parameter in space.parameters:
        if parameter.path in values:
            seen[parameter.path] = values[parameter.path]
            if not (parameter.selector and values[parameter.path] == RANGE_OPTION):
                seen[parameter.target] = values[parameter.path]
    return seen


def exists(space, parameter, values):
    """Whether a parameter exists: brute force, reading the text of `when` by itself."""
    if any(values.get(path) != option for path, option in parameter.condition.selected):
        return False
    if parameter.condition.when is None:
        return True
    name, sign, literal = parameter.condition.when.text.split(" ", 2)
    seen = visible(space, values)
    return name in seen and COMPARE[sign](seen[name], ast.literal_eval(literal))


def all_cells(space):
    """Every way to decide the space, each once, as (path, type, value) triples."""
    lists = [[p.domain.cell(i) for i in range(p.domain.size())] for p in space.parameters]
    found = set()
    for combination in itertools.product(*lists):
        values: dict[str, object] = {}
        for parameter, value in zip(space.parameters, combination, strict=True):
            if exists(space, parameter, values):
                values[parameter.path] = value
        found.add(frozen(values))
    return found


def frozen(values):
    """A configuration as a value that can be put into a set."""
    return tuple((path, *typed(value)) for path, value in values.items())


def combinations(space):
    """How many combinations `all_cells` has to try."""
    total = 1
    for parameter in space.parameters:
        total *= parameter.domain.size()
    return total
