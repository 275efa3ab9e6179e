"""Records: they come back from JSON bit for bit."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.experiment.configuration import Configuration
from tuner.experiment.records import (
    FoldCurves,
    RefitRecord,
    TrialRecord,
    from_checked_json,
    place_of,
    to_json,
    trial_from_json,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False)
NOTHING = Configuration({}, {})
SETTINGS = st.dictionaries(st.text(), st.integers() | st.text() | st.none(), max_size=2)
CURVES = st.lists(st.lists(FINITE | st.none(), max_size=3).map(tuple), max_size=3).map(tuple)


def trial(number, score, state="complete", epochs=(3,)):
    return TrialRecord(number, state, {}, NOTHING, 0.1, score=score, best_epochs=tuple(epochs))


@settings(deadline=None, max_examples=50)
@given(st.builds(
    TrialRecord, number=st.integers(0), state=st.sampled_from(["complete", "pruned", "failed"]),
    values=st.dictionaries(st.text(), FINITE | st.text() | st.none() | st.booleans() | st.integers(), max_size=3),
    configuration=st.builds(Configuration, SETTINGS, SETTINGS),
    seconds=FINITE, score=st.none() | FINITE, fold_scores=st.lists(FINITE).map(tuple),
    means=st.lists(FINITE).map(tuple), best_epochs=st.lists(st.integers()).map(tuple),
    curves=st.builds(FoldCurves, CURVES, CURVES, CURVES),
    parameters=st.none() | st.integers(), reason=st.none() | st.text(), details=st.none() | st.text(),
))  # fmt: skip
def test_a_trial_comes_back_bit_for_bit(record):
    assert repr(trial_from_json(to_json(record, "final"), "final", record.number)) == repr(record)


@given(st.builds(RefitRecord, st.integers(), st.integers(), FINITE, st.none() | FINITE, st.lists(FINITE).map(tuple)))
def test_a_refit_comes_back_bit_for_bit(record):
    assert repr(from_checked_json(to_json(record, "final"), RefitRecord, place_of("final", record.number))) == repr(
        record
    )


def test_what_is_not_a_number_is_never_stored():
    with pytest.raises(ValueError, match="JSON"):
        to_json(trial(0, math.nan), "final")
