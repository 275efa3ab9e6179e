"""The reported interval covers the true score about as often as it says, and the naive one does not (a small version).

`python -m benchmarks coverage` is the large one.
"""

import statistics

import pytest

from benchmarks.coverage import NOISE, PROCESSES, coverage, grand_mean, simulate


@pytest.mark.slow
def test_the_interval_covers_and_the_naive_one_falls_short():
    found = simulate(60, PROCESSES[0], 1, workers=1)
    truth = grand_mean(found)
    reported = coverage([each.reported for each in found], truth)
    assert reported >= 0.87  # as of 60 draws of 0.95, with probability 0.99
    assert coverage([each.naive for each in found], truth) < reported
    needed = 2 * 1.96 * statistics.stdev(statistics.fmean(each.scores) for each in found)  # if that were known
    assert statistics.fmean(high - low for low, high in (each.reported for each in found)) < 2 * needed


@pytest.mark.slow
def test_noise_scores_one_half_and_the_inner_best_more():
    found = simulate(20, NOISE, 1, workers=1)
    assert grand_mean(found) == pytest.approx(0.5, abs=0.02)
    assert statistics.fmean(each.inner_best for each in found) > 0.51
