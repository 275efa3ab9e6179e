"""The grid: its size and its cells equal brute force, and a grid of any size costs nothing to look at."""

from itertools import islice

import pytest
from helpers import inside, write_space
from hypothesis import assume, given, settings
from random_spaces import all_cells, combinations, frozen, spaces

from tuner.errors import NoResultError
from tuner.experiment import grid
from tuner.experiment.expressions import parse
from tuner.experiment.space import Choice, Condition, Fixed, Parameter, Range, Space

MANY = settings(deadline=None, max_examples=70)
ALWAYS = Condition()


@MANY
@given(spaces(countable=True))
def test_size_and_cells_equal_brute_force(space):
    assume(combinations(space) <= 3000)
    cells = [frozen(cell) for cell in grid.cells(space)]
    assert len(cells) == len(set(cells)) == grid.size(space)
    assert set(cells) == all_cells(space)


@MANY
@given(spaces(countable=True))
def test_cells_are_the_same_each_time(space):
    assert list(islice(grid.cells(space), 50)) == list(islice(grid.cells(space), 50))


def test_the_last_parameter_is_the_fastest():
    space = Space(
        (
            Parameter("a", "a", Choice(("x", "y")), ALWAYS, "x"),
            Parameter("b", "b", Range(1, 3, True, step=1), ALWAYS, 1),
        ),
        (),
    )
    assert [tuple(c.values()) for c in grid.cells(space)] == [
        ("x", 1),
        ("x", 2),
        ("x", 3),
        ("y", 1),
        ("y", 2),
        ("y", 3),
    ]


def test_a_space_without_parameters_has_one_cell():
    space = Space((), (Fixed("a", "a", 1, ALWAYS),))
    assert grid.size(space) == 1
    assert list(grid.cells(space)) == [{}]


def test_ten_to_the_twelve_cells_are_counted_and_started_at_once():
    parameters = tuple(Parameter(f"p{i}", f"p{i}", Range(0, 999, True, step=1), ALWAYS, 0) for i in range(4))
    space = Space(parameters, ())
    assert grid.size(space) == 10**12
    assert list(islice(grid.cells(space), 1001))[-1] == {"p0": 0, "p1": 0, "p2": 1, "p3": 0}


def test_only_active_combinations_count():
    when = Condition((), parse("n > 1"))
    space = Space(
        (
            Parameter("n", "n", Range(1, 3, True, step=1), ALWAYS, 1),
            Parameter("d", "d", Range(0.0, 1.0, False, points=5), when, 0.0),
        ),
        (Fixed("d", "d", 0.0, ALWAYS),),
    )
    assert grid.controlling(space) == {"n"}
    assert grid.size(space) == 1 + 2 * 5


BIG = tuple(Parameter(f"p{i}", f"p{i}", Range(1, 1000, True, step=1), ALWAYS, 1) for i in range(4))


def test_constraints_leave_out_whole_parts_of_a_grid():
    """Of 10^12 cells, in the order in which brute force finds them."""
    space = Space(BIG, (), (parse("p0 * p1 <= 10"), parse("p2 < 3"), parse("p3 + p1 < 5")))
    found = [tuple(cell.values()) for cell in islice(grid.cells(space), 60)]
    some = [(a, b, c, d) for a in range(1, 11) for b in range(1, 11) for c in (1, 2) for d in range(1, 5)]
    assert found == [each for each in some if each[0] * each[1] <= 10 and each[3] + each[1] < 5][:60]


@pytest.mark.slow
@pytest.mark.parametrize("constraint", ["p3 > 1000", "p0 + p1 + p2 + p3 > 4000"])
def test_a_grid_that_constraints_leave_empty_is_refused_at_last(constraint):
    with pytest.raises(NoResultError, match="of 1,000,000,000,000 cells of the grid, the constraints leave out more"):
        next(grid.cells(Space(BIG, (), (parse(constraint),))))


@pytest.mark.slow
def test_a_grid_whose_conditions_read_too_many_values_is_refused(tmp_path):
    steps = {"low": 1, "high": 60000, "step": 1}
    model = {"hidden_size": steps, "dropout": {"low": 0, "high": 0.5, "step": 0.1, "when": "model.hidden_size > 9"}}
    training = {"epochs": steps, "weight_decay": {"low": 0, "high": 0.5, "step": 0.1, "when": "training.epochs > 9"}}
    training["optimizer"] = {"name": "adam", "learning_rate": 0.1}
    path = write_space(tmp_path, model=model, training=training, search={"sampler": "grid", "trials": None})
    code, _, err = inside("check", path)
    assert code == 2 and "`when` depends on more than 200,000 combinations of values" in err
    assert "= fewer values for model.hidden_size or training.epochs, or sampler: random" in err


@pytest.mark.slow
def test_many_points_and_a_constraint_are_counted_in_time(tmp_path):
    model = {"hidden_size": {"low": 1, "high": 1024, "step": 1}}
    training = {"optimizer": {"name": "adam", "learning_rate": {"low": 0.0001, "high": 1, "points": 10000}}}
    path = write_space(tmp_path, model=model, training=training, search={"sampler": "grid", "trials": 2},
                       constraints=["training.optimizer.learning_rate * model.hidden_size == 123456"])  # fmt: skip
    code, _, err = inside("check", path)
    assert code == 2 and "the constraints leave out more than can be tried one by one" in err
