"""A chain knows what it has finished, who leads, and what it must still refit."""

import pytest
from helpers import record, write_space

from tuner.experiment.records import RefitRecord, failures_in_a_row
from tuner.search.chain import Chain
from tuner.search.prepare import prepare
from tuner.store import StoredChain


@pytest.fixture(scope="module")
def plans(tmp_path_factory):
    return prepare(write_space(tmp_path_factory.mktemp("chain"))).plan.chains


def chain(plan, scores, refits=(), total=3, maximize=True):
    """A chain whose trial n scored scores[n], or failed."""
    trials = tuple(record(number, {}, score) for number, score in enumerate(scores))
    stored = StoredChain(trials, {number: RefitRecord(number, 1, 0.1, 0.5) for number in refits})
    return Chain(plan, total, maximize, stored)


@pytest.mark.parametrize(
    ("scores", "numbers"),
    [
        ([0.5, 0.9, 0.7], [1, 0]),
        ([0.5, 0.9, 0.9], [1, 0]),  # of equals, the earlier one
        ([0.9, 0.5, 0.1], [0]),  # the default wins: one refit
        ([None, 0.5, 0.7], [2]),  # the default failed: nothing to compare with
        ([None, None, None], []),
    ],
)
def test_the_winner_and_the_default_are_refitted(plans, scores, numbers):
    outer = chain(plans[0], scores)
    assert outer.searched
    assert [trial.number for trial in outer.missing_refits()] == numbers
    for count in range(len(numbers) + 1):
        part = chain(plans[0], scores, numbers[:count])
        assert [trial.number for trial in part.missing_refits()] == numbers[count:]
        assert part.done == (count == len(numbers))


def test_a_first_trial_that_is_not_the_default_is_no_yardstick(plans):
    """The default breaks a constraint, so trial 0 is a draw like any other."""
    trials = tuple(record(number, {}, score) for number, score in enumerate([0.5, 0.9]))
    outer = Chain(plans[0], 2, True, StoredChain(trials), default=False)
    assert [trial.number for trial in outer.missing_refits()] == [1]


def test_a_gap_ends_what_counts_as_finished(plans):
    trials = tuple(record(number, {}, 0.5) for number in (0, 1, 3, 4))
    outer = Chain(plans[0], 5, True, StoredChain(trials))
    assert [trial.number for trial in outer.trials] == [0, 1] and sorted(outer.early) == [3, 4]


def test_a_smaller_score_wins_where_less_is_better(plans):
    scores = [0.5, 0.2, 0.9]
    assert chain(plans[0], scores, maximize=False).best.number == 1
    assert chain(plans[0], scores).best.number == 2
    assert chain(plans[0], [None]).best is None


def test_the_final_chain_refits_nothing(plans):
    final = chain(plans[-1], [0.1, 0.2, 0.3])
    assert final.missing_refits() == [] and final.done


def test_a_chain_is_searched_once_it_has_its_total(plans):
    assert [chain(plans[0], [0.1] * count).searched for count in range(5)] == [False, False, False, True, True]


@pytest.mark.parametrize(
    ("scores", "count"), [([], 0), ([0.1, None], 1), ([None, None], 2), ([None, 0.1], 1), ([None, None, 0.1, None], 2)]
)
def test_the_longest_run_of_failures(plans, scores, count):
    assert failures_in_a_row(chain(plans[0], scores).trials) == count
