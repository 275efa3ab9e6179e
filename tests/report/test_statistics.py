"""The interval of the report against SciPy's Student t and against a number worked by hand."""

import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tuner.report.gains import Gain
from tuner.report.statistics import (
    Interval,
    corrected_interval,
    corrected_p,
    differences,
    expected_half_width,
    prediction_interval,
    tibshirani,
    worsening_p,
)
from tuner.report.verdicts import verdict


def test_a_worked_number():
    """Mean 0.85, variance 0.00625, five folds: √((1/5 + 1/4) · 0.00625) = 0.0530330, times t(4) = 2.7764451."""
    interval = corrected_interval([0.9, 0.8, 0.85, 0.95, 0.75], 0.25)
    assert interval.mean == pytest.approx(0.85)
    assert interval.half == pytest.approx(0.1472432, abs=1e-6)
    assert (interval.low, interval.high) == pytest.approx((0.7027568, 0.9972432), abs=1e-6)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.floats(-100, 100), min_size=2, max_size=12),
    st.floats(0, 2),
    st.sampled_from([0.5, 0.9, 0.95, 0.99]),
)
def test_the_corrected_resampled_t_interval(scores, share, confidence):
    interval = corrected_interval(scores, share, confidence)
    count, variance = len(scores), np.var(scores, ddof=1)
    half = scipy.stats.t.ppf((1 + confidence) / 2, count - 1) * np.sqrt((1 / count + share) * variance)
    assert interval.mean == pytest.approx(np.mean(scores), abs=1e-9)
    assert (interval.half or 0.0) == pytest.approx(half, rel=1e-6, abs=1e-9)


def test_without_overlap_it_is_the_classical_interval():
    scores = [1.0, 2.0, 4.0, 8.0]
    low, high = scipy.stats.t.interval(0.95, 3, np.mean(scores), scipy.stats.sem(scores))
    interval = corrected_interval(scores, 0.0)
    assert (interval.low, interval.high) == pytest.approx((low, high))


def test_one_score_allows_no_interval():
    interval = corrected_interval([0.7], 0.25)
    assert interval == Interval(0.7, None)
    assert (interval.low, interval.high) == (None, None)


def test_equal_scores_do_not_tell_how_sure_they_are():
    assert corrected_interval([0.5, 0.5, 0.5], 0.5) == Interval(0.5, None)


@pytest.mark.parametrize(
    ("gains", "half", "adjusted", "said"),
    [([0.1, 0.22], 0.1, 0.01, "Tuning gained 0.16 (± 0.1, p = 0.01) against {}."),
     ([-0.1, -0.22], 0.1, 0.01, "Tuning lost 0.16 (± 0.1, p = 0.01) against {}."),
     ([-0.1, 0.02], 0.1, 0.3, "No gain shown: 0.04 worse than {} (± 0.1, p = 0.3; better in 1 of 2 outer folds)."),
     ([0.04], None, None, "On one fold, which allows no test: 0.04 better than {}.")],
)  # fmt: skip
def test_a_verdict_never_calls_a_loss_a_gain(gains, half, adjusted, said):
    gain = Gain(0.5, Interval(float(np.mean(gains)), half), tuple(gains), adjusted, adjusted)
    told = verdict(gain, "the default configuration", "trial 0")
    assert told == said.format("the default configuration (trial 0; 0.5)")
    assert gain.shown == (gains[0] > 0)


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8), st.floats(-1e6, 1e6), st.floats(1e-9, 1e3))
def test_differences_that_are_equal_but_for_rounding_are_equal(scores, gain, unit):
    """In whatever unit the scores are; others stay as they are, to the bit."""
    first, second = ([unit * (score + more) for score in scores] for more in (gain, 0.0))
    found, largest = differences(first, second), max(map(abs, (*first, *second)))
    assert len(set(found)) == 1
    assert found[0] == pytest.approx(unit * gain, abs=2e-8 * largest + 1e-300)
    first, second = [*first, 0.0], [*second, unit + 3 * largest]
    assert differences(first, second) == [a - b for a, b in zip(first, second, strict=True)]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(st.floats(0, 1), min_size=4, max_size=4), min_size=1, max_size=6))
def test_the_correction_of_tibshirani_by_its_definition(errors):
    table = np.array(errors)  # (configurations, folds)
    chosen = int(table.mean(axis=1).argmin())
    bias = np.mean([table[chosen, fold] - table[table[:, fold].argmin(), fold] for fold in range(4)])
    assert tibshirani(errors) == pytest.approx(bias, abs=1e-9)
    assert tibshirani(errors) >= 0
    assert tibshirani(errors[::-1]) == pytest.approx(bias, abs=1e-9), "of equals, whichever"


@pytest.mark.parametrize("count", [2, 5])
def test_what_repeats_would_give_is_the_interval_of_as_many_scores_with_that_variance(count):
    scores = [0.9, 0.8, 0.85, 0.95, 0.75]
    error = np.sqrt((1 / (5 * count) + 0.25) * np.var(scores, ddof=1))
    assert expected_half_width(scores, 0.25, count) == pytest.approx(scipy.stats.t.ppf(0.975, 5 * count - 1) * error)
    assert expected_half_width(scores, 0.25, 1) == pytest.approx(corrected_interval(scores, 0.25).half)


SCORES = st.lists(st.integers(-(10**8), 10**8).map(lambda n: n / 1e6), min_size=3, max_size=12, unique=True)


@settings(deadline=None, max_examples=50)
@given(SCORES, st.floats(0, 2), st.integers(2, 15))
def test_scores_beyond_those_of_one_cut_are_no_further_evidence(scores, share, most):
    count = min(most, len(scores))
    error = np.sqrt((1 / count + share) * np.var(scores, ddof=1))
    half = scipy.stats.t.ppf(0.975, count - 1) * error
    found = corrected_interval(scores, share, max_independent=most).half
    assume(found is not None)
    assert found == pytest.approx(half, rel=1e-6, abs=1e-9)
    p = 2 * scipy.stats.t.sf(abs(np.mean(scores)) / error, count - 1)
    assert corrected_p(scores, share, most) == pytest.approx(p, rel=1e-6, abs=1e-9)


@settings(deadline=None, max_examples=50)
@given(SCORES)
def test_the_range_of_one_more_score_is_the_prediction_interval(scores):
    width = scipy.stats.t.ppf(0.975, len(scores) - 1) * np.sqrt(1 + 1 / len(scores)) * np.std(scores, ddof=1)
    assert prediction_interval(scores).half == pytest.approx(width, rel=1e-6)


@settings(deadline=None, max_examples=80)
@given(st.integers(2, 9).flatmap(lambda count: st.permutations(range(count))), st.booleans())
def test_the_test_of_a_trend_is_kendalls(order, maximize):
    side = "less" if maximize else "greater"
    expected = scipy.stats.kendalltau(range(len(order)), order, alternative=side, method="exact").pvalue
    assert worsening_p(order, maximize) == pytest.approx(expected)


def test_scores_that_tie_show_no_trend():
    assert worsening_p([0.5] * 5, maximize=True) > 0.5
    assert worsening_p([1.0, 2.0, 2.0, 3.0, 4.0], maximize=False) > worsening_p(
        [1.0, 2.0, 2.5, 3.0, 4.0], maximize=False
    )


def test_periods_in_order_are_not_called_a_trend_by_chance():
    """Of exchangeable scores at most 5 % are called so; of four or five periods, some are."""
    for count in (2, 3, 4, 5, 6):
        called = np.mean([worsening_p(order, maximize=True) <= 0.05 for order in itertools.permutations(range(count))])
        assert called <= 0.05
        assert (called > 0) == (count >= 4)
