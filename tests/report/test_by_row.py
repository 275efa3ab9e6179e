"""Statistics from rows' scores, against their papers' algorithms written as loops, and where they must end."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics as sk
from helpers import inside, search, write_space
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tuner.experiment.packing import unpack
from tuner.metrics import METRICS
from tuner.report import by_row
from tuner.report.by_row import BOOTSTRAPS, OuterFoldScores, bates, bootstrap_corrected, selection_corrected_score
from tuner.report.results import load


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(2, 6), st.floats(0, 0.5))
def test_bates_by_their_algorithm(seed, parts, off):
    """The mean squared error of their algorithm 1, line by line; the bounds and the scale of their section 4.3; the
    centre is the outer mean, not theirs."""
    rng = np.random.default_rng(seed)
    size, rows = 12, 12 * parts
    folds = [OuterFoldScores(rng.random(size), float(rng.random() * off + 0.4)) for _ in range(parts)]
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


def corrected_by_rows(scores, rows, maximize):
    """BBC-CV of a metric that is a mean over rows, of scores (N, C)."""
    totals = [np.stack([np.ones(len(each)), each], axis=1) for each in scores.T]
    return bootstrap_corrected(totals, rows, METRICS["mae"].compute.score, maximize)


TENTHS = st.integers(0, 10).map(lambda n: n / 10)  # few values, so that configurations tie


@settings(deadline=None)
@given(arrays(float, st.tuples(st.integers(1, 6), st.integers(2, 5)), elements=TENTHS), st.booleans())
def test_what_is_promised_never_looks_at_the_fold_that_scores_it(scores, maximize):
    """By exact fractions: the best on the other folds, and of those that tie the mean."""
    exact = [[Fraction(round(10 * value), 10) for value in row] for row in scores.tolist()]
    expected = []
    for fold in range(scores.shape[1]):
        others = [sum(row[:fold] + row[fold + 1 :]) for row in exact]
        pick = (max if maximize else min)(others)
        tied = [row[fold] for row, total in zip(exact, others, strict=True) if total == pick]
        expected.append(sum(tied) / len(tied))
    assert selection_corrected_score(scores.tolist(), maximize) == pytest.approx(float(sum(expected) / len(expected)))


def bbc_by_hand(scores, maximize, bootstraps=BOOTSTRAPS):
    """Algorithm 3 of Tsamardinos et al., row by row, on the same draws; ties are split evenly."""
    count, configurations = scores.shape
    draws, found = np.random.default_rng(0), []
    for _ in range(bootstraps):
        in_bag = [int(i) for i in draws.integers(0, count, count)]
        left_out = [i for i in range(count) if i not in in_bag]
        sums = [sum(scores[i, c] for i in in_bag) for c in range(configurations)]
        best = [c for c in range(configurations) if sums[c] == (max if maximize else min)(sums)]
        of_each = [sum(scores[i, c] for i in left_out) / len(left_out) for c in best]
        found.append(sum(of_each) / len(of_each))
    return found


@pytest.mark.parametrize("maximize", [True, False])
def test_bbc_by_its_algorithm(maximize):
    """Guessing looks less good by it."""
    scores = np.random.default_rng(5).integers(0, 2, (40, 12)).astype(float)
    found = bbc_by_hand(scores, maximize)
    corrected = corrected_by_rows(scores, np.arange(40), maximize)
    assert corrected.mean == pytest.approx(np.mean(found))
    assert (corrected.low, corrected.high) == pytest.approx(tuple(np.quantile(found, [0.025, 0.975])))
    naive = scores.mean(axis=0)
    assert corrected.mean < naive.max() if maximize else corrected.mean > naive.min()


def noise(sets, maximize):
    """Right or wrong by chance, 40 rows by 30 configurations, in the order of a ranking: the best mean first."""
    for seed in range(sets):
        scores = np.random.default_rng(seed).integers(0, 2, (40, 30)).astype(float)
        order = np.argsort(scores.mean(axis=0), kind="stable")
        yield scores[:, order[::-1] if maximize else order]


@pytest.mark.slow
@pytest.mark.parametrize("maximize", [True, False])
def test_on_noise_a_flat_correction_ends_at_a_half(maximize, monkeypatch):
    """The rows left out know nothing of the choice, so the expectation is a half; the first of those that tie gave
    0.51, seven standard errors off."""
    monkeypatch.setattr(by_row, "BOOTSTRAPS", 50)  # the sets differ far more than the samples of one set
    found = [corrected_by_rows(scores, np.arange(40), maximize).mean for scores in noise(1200, maximize)]
    assert abs(np.mean(found) - 0.5) < 3 * np.std(found, ddof=1) / np.sqrt(len(found))


@pytest.mark.parametrize("maximize", [True, False])
def test_corrections_do_not_depend_on_the_order_of_the_configurations(maximize):
    for scores in noise(3, maximize):
        mixed = scores[:, np.random.default_rng(1).permutation(30)]
        first, again = (corrected_by_rows(each, np.arange(40), maximize) for each in (scores, mixed))
        assert (first.mean, first.low, first.high) == pytest.approx((again.mean, again.low, again.high), abs=1e-12)
        folds = scores.reshape(4, 10, 30).mean(axis=1).T  # (C, folds)
        mixed = folds[np.random.default_rng(2).permutation(30)]
        assert selection_corrected_score(folds.tolist(), maximize) == pytest.approx(
            selection_corrected_score(mixed.tolist(), maximize), abs=1e-12
        )


@pytest.mark.parametrize("name", ["macro_f1", "mcc", "rmse", "r2"])
def test_bbc_of_any_metric_is_that_of_scikit_learn_on_the_drawn_rows(name, monkeypatch):
    monkeypatch.setattr(by_row, "BOOTSTRAPS", 60)
    rng, metric = np.random.default_rng(3), METRICS[name]
    if metric.counted:
        y, predicted = rng.integers(0, 3, 60), rng.integers(0, 3, (5, 60))
        predicted = np.where(rng.random((5, 60)) < 0.5, y, predicted)
        outputs = np.eye(3)[predicted]
        oracle = {"macro_f1": lambda t, p: sk.f1_score(t, p, average="macro"), "mcc": sk.matthews_corrcoef}[name]
    else:
        y = rng.normal(1e6, 1, (60, 1))
        outputs = predicted = y + rng.normal(size=(5, 60, 1))
        oracle = {"rmse": sk.root_mean_squared_error, "r2": sk.r2_score}[name]
    totals = [metric.row_totals(each, y, np.ones(60)) for each in outputs]
    draws, found = np.random.default_rng(0), []
    for _ in range(60):
        drawn = draws.integers(0, 60, 60)
        left = np.setdiff1d(np.arange(60), drawn)
        on_drawn = [oracle(y[drawn], each[drawn]) for each in predicted]
        best = (np.argmax if metric.maximize else np.argmin)(on_drawn)
        found.append(oracle(y[left], predicted[best][left]))
    corrected = bootstrap_corrected(totals, np.arange(60), metric.compute.score, metric.maximize)
    assert corrected.mean == pytest.approx(np.mean(found), rel=1e-8)


def test_bbc_of_a_single_configuration_is_its_mean():
    rng = np.random.default_rng(1)
    scores = rng.random((300, 1))
    found = corrected_by_rows(scores, np.arange(300), maximize=False)
    assert found.mean == pytest.approx(scores.mean(), abs=0.01)


def test_bbc_draws_all_validations_of_a_row_together():
    """Rows that were validated three times tell no more than once."""
    rng = np.random.default_rng(2)
    scores, rows = rng.random((50, 4)), np.arange(50)
    once, thrice = (
        corrected_by_rows(np.tile(scores, (times, 1)), np.tile(rows, times), maximize=True) for times in (1, 3)
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
    assert code == 0 and f"{bates_.score.mean:.4g}, 95 % interval (Bates, Hastie & Tibshirani 2023) " in out


@pytest.mark.parametrize(
    ("settings_", "what"),
    [({"metric": "macro_f1"}, "a metric that is a mean over rows"),
     ({"resampling": {"kind": "time", "stratify": False}}, "rows that are cut at random")],
)  # fmt: skip
def test_bates_is_refused_where_it_has_no_meaning(tmp_path, settings_, what):
    search(write_space(tmp_path, search={"trials": 1}, **settings_), tmp_path / "study.db")
    code, out, err = inside("report", tmp_path / "study.db", "--interval", "bates")
    assert (code, out) == (2, "")
    assert f"--interval bates needs {what}" in err
    assert "which tiny does not have" in err and "--interval corrected" in err


def test_row_scores_of_a_flat_search_average_to_its_folds(tmp_path):
    path = write_space(tmp_path, resampling={"outer": "none"}, search={"sampler": "random", "trials": 5})
    search(path, tmp_path / "study.db")
    results = load(tmp_path / "study.db")
    rows = unpack(results.header.chains[0].validated)
    assert sorted(rows.tolist()) == list(range(150))
    for trial in results.ranking():
        parts = np.array_split(unpack(trial.row_scores), len(trial.fold_scores))
        assert [part.mean() for part in parts] == pytest.approx(trial.fold_scores, rel=1e-5)


def test_a_flat_search_by_a_metric_that_is_no_mean_keeps_what_it_sums(tmp_path):
    resampling, space = {"outer": "none"}, {"sampler": "random", "trials": 4}
    search(write_space(tmp_path, metric="macro_f1", resampling=resampling, search=space), tmp_path / "study.db")
    results = load(tmp_path / "study.db")
    for trial in results.ranking():
        parts = np.array_split(unpack(trial.row_scores), len(trial.fold_scores))
        found = [METRICS["macro_f1"].compute.score(part.sum(axis=0)) for part in parts]
        assert found == pytest.approx(trial.fold_scores, rel=1e-12)
    assert results.bootstrapped.low <= results.bootstrapped.mean <= results.bootstrapped.high
    out = " ".join(inside("report", tmp_path / "study.db")[1].split())
    assert f"Corrected, not nested: {results.bootstrapped.mean:.4g} (95 %" in out
    whole = [METRICS["macro_f1"].compute.score(unpack(trial.row_scores).sum(axis=0)) for trial in results.ranking()]
    assert results.bootstrapped.together == pytest.approx(max(whole))
    assert f"of all rows taken together, on which the best scores {max(whole):.4g})" in out
