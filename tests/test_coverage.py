"""The reported interval covers the true score about as often as it says, and the naive one does not (a small version).

`python -m benchmarks coverage` is the large one.
"""

import statistics

import pytest

from benchmarks.coverage import coverage, grand_mean, noise, process, simulate


@pytest.mark.slow
def test_the_interval_covers_and_the_naive_one_falls_short():
    found = simulate(60, process, 1, workers=1)
    reported, naive = coverage(found, grand_mean(found))
    assert 0.88 <= reported <= 1.0  # 60 draws of 0.95 lie there with probability 0.99
    assert naive < reported


@pytest.mark.slow
def test_noise_scores_one_half_and_the_inner_best_more():
    found = simulate(20, noise, 1, workers=1)
    assert grand_mean(found) == pytest.approx(0.5, abs=0.02)
    assert statistics.fmean(each.inner_best for each in found) > 0.51
