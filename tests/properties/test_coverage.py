"""The reported interval covers the true score about as often as it says, and the naive one does not (a small version).

`python -m benchmarks coverage` is the large one.
"""

import statistics

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import log_loss, r2_score, roc_auc_score, root_mean_squared_error

from benchmarks import intervals, resampled
from benchmarks.coverage import NOISE, PROCESSES, Told, coverage, drawn, grand_mean, simulate, too_good, with_error
from tuner.report.statistics import corrected_interval, worsening_p


@pytest.mark.slow
def test_the_interval_covers_and_the_naive_one_falls_short():
    found = simulate(60, PROCESSES[0], 1, workers=1)
    truth = grand_mean(found)
    known = drawn([each.reported for each in found])
    reported = coverage(known, truth)
    assert reported >= 0.87  # as of 60 draws of 0.95, with probability 0.99
    assert coverage([each.naive for each in found], truth) < reported
    needed = 2 * 1.96 * statistics.stdev(statistics.fmean(each.scores) for each in found)  # if that were known
    assert statistics.fmean(high - low for low, high in known) < 2 * needed


@pytest.mark.slow
def test_noise_scores_one_half_and_the_inner_best_more():
    found = simulate(20, NOISE, 1, workers=1)
    assert grand_mean(found) == pytest.approx(0.5, abs=0.02)
    assert statistics.fmean(each.inner_best for each in found) > 0.51


def test_a_coverage_has_its_error_and_its_side():
    found = [Told((low, low + 2), None, 0.0, (low, low + 2)) for low in (0.0, 0.5, 1.5, 3.0)]
    assert with_error([each.reported for each in found], 1.0) == "50.0% ± 25.0%"
    assert with_error([None, None], 1.0) == "–"
    assert with_error([None, (0.0, 2.0)], 1.0) == "100.0% ± 0.0%"
    assert (too_good(found, 1.0, maximize=True), too_good(found, 1.0, maximize=False)) == (0.5, 0.0)
    assert (too_good(found, 2.2, maximize=True), too_good(found, 2.2, maximize=False)) == (0.25, 0.25)


@pytest.mark.slow
@pytest.mark.parametrize("process", PROCESSES, ids=lambda process: f"{process.what}, {process.metric}")
def test_every_row_of_the_table_can_be_made(process):
    (found,) = simulate(1, process, process.repeats[-1], workers=1)
    assert found.reported[0] < found.reported[1]
    assert len(found.scores) == 5 * process.repeats[-1]


def test_the_simulated_intervals_are_those_of_the_report():
    scores = np.random.default_rng(4).normal(size=(20, 10))
    for most in (None, 5):
        expected = [corrected_interval(row.tolist(), 0.25, max_independent=most).half for row in scores]
        assert resampled.half(scores, 0.25, most) == pytest.approx(expected)
    assert intervals.worse(scores[:, :6]).tolist() == [worsening_p(row[:6].tolist(), False) <= 0.05 for row in scores]


def test_the_simulated_nested_search_is_scikit_learns_ridge():
    """One data set in five parts: the other parts validate in turn, the best penalty is refitted."""
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(1, 60, 4)), rng.normal(size=(1, 60))
    y += x @ resampled.SLOPES
    part = rng.permuted(np.arange(60) % 5)
    found = intervals.nested(intervals.sums(x, y, part[None, None], 5))[0, 0]

    def error(penalty, train, test):
        fitted = Ridge(penalty).fit(x[0, train], y[0, train])
        return root_mean_squared_error(y[0, test], fitted.predict(x[0, test]))

    for tested in range(5):
        inner = [
            sum(
                error(penalty, (part != tested) & (part != held), part == held) ** 2
                for held in range(5)
                if held != tested
            )
            for penalty in resampled.PENALTIES
        ]
        best = resampled.PENALTIES[int(np.argmin(inner))]
        assert found[tested] == pytest.approx(error(best, part != tested, part == tested), rel=1e-6)


def test_the_simulated_metrics_are_scikit_learns():
    rng = np.random.default_rng(6)
    said, y = rng.normal(size=(1, 1, 30)), (rng.random((1, 1, 30)) < 0.4) * 1.0
    test = (rng.random((1, 1, 30)) < 0.6) * 1.0
    rows = test[0, 0] == 1
    truth, score = y[0, 0, rows], said[0, 0, rows]
    losses = {task.what: task.score for task in resampled.TASKS}
    assert losses["roc_auc, 15 % positive"](said, y, test)[0, 0] == pytest.approx(roc_auc_score(truth, score))
    assert losses["log_loss"](said, y, test)[0, 0] == pytest.approx(log_loss(truth, 1 / (1 + np.exp(-score))))
    assert losses["r2"](said, y, test)[0, 0] == pytest.approx(r2_score(truth, score))
    assert losses["rmse"](said, y, test)[0, 0] == pytest.approx(root_mean_squared_error(truth, score))
