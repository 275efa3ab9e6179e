"""Records: they come back from JSON bit for bit, and the winner and the refit follow from plain rules."""

import math
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.spec.records import (
    FoldCurves,
    RefitRecord,
    TrialRecord,
    ranked,
    refit_epochs,
    refit_from_json,
    to_json,
    to_refit,
    trial_from_json,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False)
CURVES = st.lists(st.lists(FINITE | st.none(), max_size=3).map(tuple), max_size=3).map(tuple)


def trial(number, score, state="complete", epochs=(3,)):
    return TrialRecord(number, state, {}, {}, 0.1, score=score, best_epochs=tuple(epochs))


@settings(deadline=None, max_examples=50)
@given(st.builds(
    TrialRecord, number=st.integers(0), state=st.sampled_from(["complete", "pruned", "failed"]),
    values=st.dictionaries(st.text(), FINITE | st.text() | st.none() | st.booleans() | st.integers(), max_size=3),
    configuration=st.dictionaries(st.text(), st.dictionaries(st.text(), st.integers(), max_size=2), max_size=2),
    seconds=FINITE, score=st.none() | FINITE, fold_scores=st.lists(FINITE).map(tuple),
    means=st.lists(FINITE).map(tuple), best_epochs=st.lists(st.integers()).map(tuple),
    curves=st.builds(FoldCurves, CURVES, CURVES, CURVES),
    parameters=st.none() | st.integers(), reason=st.none() | st.text(), details=st.none() | st.text(),
))  # fmt: skip
def test_a_trial_comes_back_bit_for_bit(record):
    assert repr(trial_from_json(to_json(record))) == repr(record)


@given(st.builds(RefitRecord, st.integers(), st.integers(), FINITE, st.none() | FINITE, st.lists(FINITE).map(tuple)))
def test_a_refit_comes_back_bit_for_bit(record):
    assert repr(refit_from_json(to_json(record))) == repr(record)


def test_what_is_not_a_number_is_never_stored():
    with pytest.raises(ValueError, match="JSON"):
        to_json(trial(0, math.nan))


SCORES = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=6)


@given(SCORES, st.booleans())
def test_the_first_of_the_best_wins(scores, maximize):
    trials = [trial(n, s) for n, s in enumerate(scores)]
    trials += [trial(90, 99.0, "pruned"), trial(91, -99.0, "pruned"), trial(92, None, "failed")]
    best = max(scores) if maximize else min(scores)
    order = ranked(reversed(trials), maximize)
    assert order[0].number == scores.index(best)
    assert sorted(t.number for t in order) == list(range(len(scores)))


@given(st.lists(st.integers(1, 50), min_size=1, max_size=9))
def test_a_refit_trains_for_the_median_rounded_up(epochs):
    assert refit_epochs(trial(0, 1.0, epochs=epochs)) == math.ceil(statistics.median(epochs))


def test_the_winner_and_the_default_are_refitted_once_each():
    assert [t.number for t in to_refit([trial(0, 0.5), trial(1, 0.9)], True)] == [1, 0]
    assert [t.number for t in to_refit([trial(0, 0.9), trial(1, 0.5)], True)] == [0]
    assert [t.number for t in to_refit([trial(0, None, "failed"), trial(1, 0.5)], True)] == [1]
    assert to_refit([], True) == ()
