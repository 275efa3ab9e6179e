"""Statistics from rows' scores, against their papers' algorithms written as loops, and where they must end."""

import numpy as np
import pytest
import scipy.stats
from helpers import inside, search, write_space
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tuner.report.by_row import BOOTSTRAPS, Held, bates, bootstrap_corrected, unflattered
from tuner.report.results import load
from tuner.spec.packing import unpack


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(2, 6), st.floats(0, 0.5))
def test_bates_by_their_algorithm(seed, parts, off):
    """The mean squared error of their algorithm 1, line by line; the bounds and the scale of their section 4.3; the
    centre is the outer mean, not theirs."""
    rng = np.random.default_rng(seed)
    size, rows = 12, 12 * parts
    folds = [Held(rng.random(size), float(rng.random() * off + 0.4)) for _ in range(parts)]
    a_list, b_list, errors = [], [], []
    for fold in folds:
        a_list.append((fold.promised - sum(fold.rows) / size) ** 2)
        b_list.append(np.var(fold.rows, ddof=1) / size)
        errors += list(fold.rows)
    mse = np.mean(a_list) - np.mean(b_list)
    naive = scipy.stats.sem(errors)
    error = np.clip(np.sqrt((parts - 1) / parts) * np.sqrt(max(mse, 0)), naive, np.sqrt(parts) * naive)
    found = bates(folds, parts, rows)
    assert found.mean == pytest.approx(np.mean(errors))
    assert found.half == pytest.approx(scipy.stats.norm.ppf(0.975) * error)


@settings(deadline=None)
@given(arrays(float, st.tuples(st.integers(1, 6), st.integers(2, 5)), elements=st.floats(0, 1)), st.booleans())
def test_what_is_promised_never_looks_at_the_fold_that_scores_it(scores, maximize):
    expected = []
    for fold in range(scores.shape[1]):
        others = [sum(np.delete(row, fold)) for row in scores]
        pick = (max if maximize else min)(others)
        expected.append({round(float(scores[c, fold]), 9) for c, sum_ in enumerate(others) if np.isclose(sum_, pick)})
    found = unflattered(scores.tolist(), maximize) * scores.shape[1]
    assert sum(map(min, expected)) - 1e-6 <= found <= sum(map(max, expected)) + 1e-6


@pytest.mark.parametrize("maximize", [True, False])
def test_bbc_by_its_algorithm(maximize):
    """Algorithm 3 of Tsamardinos et al., row by row, on the same draws; guessing looks less good by it."""
    scores = np.random.default_rng(5).integers(0, 2, (40, 12)).astype(float)
    draws, found = np.random.default_rng(0), []
    for _ in range(BOOTSTRAPS):
        inside_bag = [int(i) for i in draws.integers(0, 40, 40)]
        left_out = [i for i in range(40) if i not in inside_bag]
        sums = [sum(scores[i, c] for i in inside_bag) for c in range(12)]
        best = sums.index((max if maximize else min)(sums))
        found.append(sum(scores[i, best] for i in left_out) / len(left_out))
    corrected = bootstrap_corrected(scores, np.arange(40), maximize)
    assert corrected.mean == pytest.approx(np.mean(found))
    assert (corrected.low, corrected.high) == pytest.approx(tuple(np.quantile(found, [0.025, 0.975])))
    naive = scores.mean(axis=0)
    assert corrected.mean < naive.max() if maximize else corrected.mean > naive.min()


def test_bbc_of_a_single_configuration_is_its_mean():
    rng = np.random.default_rng(1)
    scores = rng.random((300, 1))
    found = bootstrap_corrected(scores, np.arange(300), maximize=False)
    assert found.mean == pytest.approx(scores.mean(), abs=0.01)


def test_bbc_draws_all_validations_of_a_row_together():
    """Rows that were validated three times tell no more than once."""
    rng = np.random.default_rng(2)
    scores, rows = rng.random((50, 4)), np.arange(50)
    once, thrice = (
        bootstrap_corrected(np.tile(scores, (times, 1)), np.tile(rows, times), maximize=True) for times in (1, 3)
    )
    assert (thrice.mean, thrice.low, thrice.high) == pytest.approx((once.mean, once.low, once.high))


@pytest.mark.parametrize(("metric", "dataset"), [("accuracy", "iris"), ("log_loss", "iris"), ("mae", "diabetes")])
def test_row_scores_of_refits_average_to_the_outer_scores(tmp_path, metric, dataset):
    search(write_space(tmp_path, dataset={"name": dataset}, metric=metric, search={"trials": 2}), tmp_path / "study.db")
    results, bates_ = load(tmp_path / "study.db"), load(tmp_path / "study.db", kind="bates")
    for fold in results.folds:
        assert unpack(fold.refit.row_scores).mean() == pytest.approx(fold.score, rel=1e-5)
    assert bates_.score.mean == pytest.approx(results.score.mean, rel=0.02)
    code, out, _ = inside("report", tmp_path / "study.db", "--interval", "bates")
    assert code == 0 and f"± {bates_.score.half:.2g} (95 % interval of Bates, Hastie & Tibshirani 2023" in out


@pytest.mark.parametrize(
    ("settings_", "what"),
    [({"metric": "macro_f1"}, "a metric that is a mean over rows"),
     ({"resampling": {"kind": "time", "stratify": False}}, "rows that are cut at random")],
)  # fmt: skip
def test_bates_is_refused_where_it_has_no_meaning(tmp_path, settings_, what):
    search(write_space(tmp_path, search={"trials": 1}, **settings_), tmp_path / "study.db")
    code, out, err = inside("report", tmp_path / "study.db", "--interval", "bates")
    assert (code, out) == (2, "")
    assert f"--interval bates needs {what}" in err and "which tiny has not" in err and "--interval corrected" in err


def test_row_scores_of_a_flat_search_average_to_its_folds(tmp_path):
    path = write_space(tmp_path, resampling={"outer": "none"}, search={"sampler": "random", "trials": 5})
    search(path, tmp_path / "study.db")
    results = load(tmp_path / "study.db")
    rows = unpack(results.header["chains"][0]["validated"])
    assert sorted(rows.tolist()) == list(range(150))
    for trial in results.ranking():
        parts = np.array_split(unpack(trial.row_scores), len(trial.fold_scores))
        assert [part.mean() for part in parts] == pytest.approx(trial.fold_scores, rel=1e-5)
