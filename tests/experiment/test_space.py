"""The search space: domains, existence, defaults and configurations, against plain brute force."""

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_spaces import WORDS, choices, exists, ranges, spaces, typed, visible

from tuner.experiment.expressions import ExpressionError, parse
from tuner.experiment.space import RANGE_OPTION, Choice, Condition, Fixed, Parameter, Range, Space

MANY = settings(deadline=None, max_examples=70)


def inside(domain, value):
    """Whether a value belongs to a domain, from the words of the manual."""
    if isinstance(domain, Choice):
        return typed(value) in [typed(option) for option in domain.options]
    if not (domain.low <= value <= domain.high and isinstance(value, int if domain.integer else float)):
        return False
    if domain.step is None:
        return True
    position = (value - domain.low) / domain.step
    return math.isclose(position, round(position), abs_tol=1e-6)


def walk(space, data):
    """Decide a space by any values of its domains, not only by its cells."""

    def choose(parameter):
        domain = parameter.domain
        if isinstance(domain, Choice):
            return data.draw(st.sampled_from(domain.options))
        return domain.nearest(data.draw(st.floats(-30, 60)))

    return space.walk(choose)


@MANY
@given(spaces(), st.data())
def test_a_walk_decides_exactly_what_exists_in_order(space, data):
    values = walk(space, data)
    assert all(inside(p.domain, values[p.path]) for p in space.parameters if p.path in values)
    decided = {}
    for parameter in space.parameters:
        if exists(space, parameter, decided):
            decided[parameter.path] = values[parameter.path]
    assert list(decided.items()) == list(values.items())


@MANY
@given(spaces())
def test_the_default_is_inside(space):
    values = space.default()
    assert {p.path for p in space.parameters if exists(space, p, values)} == set(values)
    assert all(inside(p.domain, values[p.path]) for p in space.parameters if p.path in values)


@MANY
@given(spaces(countable=True))
def test_the_default_on_the_grid_is_a_cell(space):
    values = space.default(on_grid=True)
    for parameter in space.parameters:
        if parameter.path in values:
            domain = parameter.domain
            assert typed(values[parameter.path]) in [typed(domain.cell(i)) for i in range(domain.size())]


@MANY
@given(spaces(), st.data())
def test_what_expressions_read_is_settled_first_and_decided_over_it(space, data):
    values = walk(space, data)
    assert space.scope(values) == visible(space, values)


@MANY
@given(spaces(), st.data())
def test_the_configuration_holds_every_target_once(space, data):
    values = walk(space, data)
    wanted = {f.target: f.value for f in space.fixed if all(values.get(p) == o for p, o in f.condition.selected)}
    for parameter in space.parameters:
        if parameter.path in values and not (parameter.selector and values[parameter.path] == RANGE_OPTION):
            wanted[parameter.target] = values[parameter.path]
    assert leaves(space.tree(values)) == wanted


def leaves(tree, path=()):
    """The leaves of a tree of dicts, by dotted path."""
    found = {}
    for key, value in tree.items():
        found |= leaves(value, (*path, key)) if isinstance(value, dict) else {".".join((*path, key)): value}
    return found


@MANY
@given(spaces(), st.data(), st.sampled_from(["+", "*", "<", "==", "in", "and", "/", "%"]))
def test_constraints_raise_nothing_but_expression_errors(space, data, sign):
    names = [n for p in space.parameters for n in (p.path, p.target) if not n.endswith(".or")]  # `or` is a word
    left, right = (data.draw(st.sampled_from([*names, "0", "'a'", "[1, 2]", "null"])) for _ in range(2))
    full = Space(space.parameters, space.fixed, (parse(f"({left}) {sign} ({right}) != 3"),))
    values = walk(full, data)
    try:
        assert full.admits(values) in (True, False)
    except ExpressionError as error:
        assert "cannot be evaluated" in str(error)


@MANY
@given(ranges(), st.floats(-1e6, 1e6), st.booleans())
def test_nearest_is_inside_and_idempotent(domain, value, on_grid):
    once = domain.nearest(value, on_grid=on_grid)
    assert inside(domain, once)
    assert typed(domain.nearest(once, on_grid=on_grid)) == typed(once)


@MANY
@given(ranges(countable=True), st.floats(-30, 60))
def test_nearest_on_the_grid_is_the_nearest_cell(domain, value):
    value = min(max(value, domain.low), domain.high)
    scale = math.log if domain.log else float
    cells = [domain.cell(i) for i in range(domain.size())]
    gap = min(abs(scale(cell) - scale(value)) for cell in cells)
    assert abs(scale(domain.nearest(value, on_grid=True)) - scale(value)) == pytest.approx(gap, abs=1e-9)


@MANY
@given(ranges(countable=True))
def test_cells_rise_are_distinct_and_start_at_low(domain):
    cells = [domain.cell(i) for i in range(domain.size())]
    assert all(inside(domain, cell) for cell in cells)
    assert cells == sorted(set(cells))
    assert cells[0] == domain.low
    if domain.points is not None and domain.points > 1:
        assert cells[-1] == domain.high


@MANY
@given(st.integers(-50, 50), st.integers(0, 40), st.integers(1, 9), st.sampled_from([1, 10, 100, 1000]))
def test_steps_count_like_exact_fractions(first, span, step, scale):
    domain = Range(first / scale, (first + span) / scale, False, step=step / scale)
    exact = [Fraction(first + k * step, scale) for k in range(span // step + 1)]
    assert [domain.cell(i) for i in range(domain.size())] == [float(f) for f in exact]


@pytest.mark.parametrize(
    ("domain", "cells"),
    [
        (Range(1, 7, True, step=3), [1, 4, 7]),
        (Range(0.0, 0.5, False, step=0.1), [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]),
        (Range(1e-4, 1e-1, False, log=True, points=4), [1e-4, 1e-3, 1e-2, 1e-1]),
        (Range(1, 4, True, log=True, points=10), [1, 2, 3, 4]),
        (Range(0.0, 1.0, False, points=3), [0.0, 0.5, 1.0]),
        (Range(2, 2, True, points=5), [2]),
        (Range(3, 9, True, points=1), [3]),
        (Range(0, 9, True), []),
        (Choice(("b", "a")), ["a", "b"]),
        (Choice(("b", 2.5, True, None, 1, "a", False)), [None, False, True, 1, 2.5, "a", "b"]),
    ],
)
def test_cells_of_a_domain(domain, cells):
    assert [domain.cell(i) for i in range(domain.size())] == cells


def test_a_choice_knows_true_from_one():
    assert Choice((1, True, "1")).nearest(True) is True
    assert Choice(("a", "b")).nearest("c") == Choice(("b", "a")).nearest("c") == "a"


def test_a_choice_knows_that_a_whole_number_is_a_number():
    assert Choice((0.5, 0)).nearest(0.0) == 0, "a default of 0.0 is the option 0"


@pytest.mark.parametrize(
    ("options", "value", "nearest"),
    [
        ((4, 8, 256), 64, 256),  # in ratio: 64 is 8 times 8 and a quarter of 256
        ((0.1, 1e-5), 1e-3, 1e-5),  # of two as near in ratio, the smaller
        ((-10, 8, 70), 40, 70),  # not in ratio below 0
        ((0, 8, 60), 34, 8),  # nor at 0
        (("full", 16, 128), 32, 16),
        (("full",), 32, "full"),
        ((True, 3), 1, 3),
        ((None, 5.0, 1.0), 2.0, 1.0),
        ((5.0, 1.0), None, 1.0),
    ],
)
def test_the_number_of_a_list_that_is_nearest_to_a_default(options, value, nearest):
    for order in (options, options[::-1]):
        assert typed(Choice(order).nearest(value)) == typed(nearest)


@MANY
@given(choices(), st.sampled_from(WORDS), st.randoms())
def test_neither_the_nearest_option_nor_the_cells_depend_on_the_order_of_a_list(domain, value, draw):
    mixed = Choice(tuple(draw.sample(domain.options, len(domain.options))))
    assert typed(mixed.nearest(value)) == typed(domain.nearest(value))
    assert [typed(mixed.cell(i)) for i in range(mixed.size())] == [typed(domain.cell(i)) for i in range(domain.size())]


def test_words_of_a_domain():
    assert Range(1e-4, 0.1, False, log=True, points=3).words() == "0.0001 … 0.1, log, 3 points"
    assert Range(0, 8, True, step=2).words() == "0 … 8, step 2"
    assert Choice(("a", None, 1)).words() == "a | null | 1"


def test_a_constraint_on_another_branch_does_not_apply():
    everywhere = Condition()
    parameters = (
        Parameter("o", "o.name", Choice(("adam", "sgd")), everywhere, "adam", selector=True),
        Parameter("o.sgd.m", "o.m", Range(0.0, 1.0, False), everywhere.under("o", "sgd"), 0.0),
    )
    space = Space(parameters, (Fixed("e", "e", 3, everywhere),), (parse("o.m < 0.5"), parse("e == 3")))
    assert space.admits({"o": "adam"})
    assert space.admits({"o": "sgd", "o.sgd.m": 0.4})
    assert not space.admits({"o": "sgd", "o.sgd.m": 0.6})
    assert space.tree({"o": "sgd", "o.sgd.m": 0.6}) == {"e": 3, "o": {"name": "sgd", "m": 0.6}}
