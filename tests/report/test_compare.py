"""`tuner compare`: the tests against SciPy and statsmodels-free brute force, the command as a user runs it."""

import json
import shutil

import numpy as np
import pytest
import scipy.stats
from helpers import inside, search, write_space
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.report import load
from tuner.report.statistics import corrected_p, correlated_bayes, holm

DIFFERENCES = st.lists(st.floats(-1, 1), min_size=2, max_size=12).filter(lambda d: np.std(d) > 1e-6)


@settings(deadline=None, max_examples=50)
@given(DIFFERENCES)
def test_without_overlap_it_is_the_classical_paired_test(differences):
    expected = scipy.stats.ttest_1samp(differences, 0).pvalue
    assert corrected_p(differences, 0.0) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(DIFFERENCES, st.floats(0.01, 1), st.floats(0, 0.5))
def test_the_correlated_bayesian_test_is_an_area_under_students_t(differences, share, margin):
    count, rho = len(differences), share / (1 + share)
    scale = np.sqrt((1 / count + rho / (1 - rho)) * np.var(differences, ddof=1))
    posterior = scipy.stats.t(count - 1, loc=np.mean(differences), scale=scale)
    found = correlated_bayes(differences, share, margin)
    assert found.better == pytest.approx(posterior.sf(margin), abs=1e-7)
    assert found.worse == pytest.approx(posterior.cdf(-margin), abs=1e-7)
    assert found.better + found.equivalent + found.worse == pytest.approx(1)


@pytest.mark.parametrize("differences", [[0.0, 0.0], [0.1, 0.1, 0.1], [0.3]])
def test_without_variance_there_is_no_test(differences):
    assert correlated_bayes(differences, 0.25, 0.01) is None
    assert corrected_p(differences, 0.25) is None


def test_holm_on_a_worked_example():
    """Holm (1979): the smallest times three, the next times two, and so on, never decreasing."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.6]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_rejects_what_stepping_down_rejects(p_values):
    alpha, order, rejected = 0.05, np.argsort(p_values, kind="stable"), set()
    for step, index in enumerate(order):
        if p_values[index] * (len(p_values) - step) > alpha:
            break
        rejected.add(int(index))
    assert {i for i, p in enumerate(holm(p_values)) if p <= alpha} == rejected


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """One file with a good and a poor search of the same folds."""
    folder = tmp_path_factory.mktemp("two")
    study = folder / "study.db"
    rates = {"good": [0.03, 0.1], "poor": [1e-6, 2e-6]}
    for name, choices in rates.items():
        optimizer = {"name": "adam", "learning_rate": choices}
        training = {"epochs": 30, "early_stopping": None, "optimizer": optimizer}
        path = write_space(folder, f"{name}.yaml", name=name, training=training, search={"trials": 2})
        search(path, study)
    return study


@pytest.mark.slow
def test_the_better_one_is_told_with_its_odds(two):
    code, out, err = inside("compare", two)
    assert (code, err) == (0, "")
    assert "Compared on 3 outer folds" in out
    assert "good against poor: better (+0." in " ".join(out.split())
    assert "better by more than 0.01 with probability" in " ".join(out.split())


def test_the_json_is_what_the_formulas_give(two):
    found = json.loads(inside("compare", two, "--json", "--margin", "0.05")[1])
    good, poor = (load(two, name) for name in ("good", "poor"))
    differences = [a.score - b.score for a, b in zip(good.folds, poor.folds, strict=True)]
    (match,) = found["pairs"]
    assert [each["study"] for each in found["studies"]] == ["good", "poor"]
    assert (match["first"], match["second"]) == ("good", "poor")
    assert match["gain"]["mean"] == pytest.approx(np.mean(differences))
    assert match["p"] == match["adjusted"] == pytest.approx(corrected_p(differences, 0.5))
    assert match["equivalence"]["better"] == pytest.approx(correlated_bayes(differences, 0.5, 0.05).better)


def test_three_from_two_files_are_adjusted(two, finished):
    code, out, _ = inside("compare", two, finished)
    assert code == 0
    assert "adjusted for 3 pairs (Holm)" in out
    assert [inside("compare", two, finished, "--name", n)[0] for n in ("tiny", "absent")] == [2, 2]


def test_studies_of_one_name_are_told_apart_by_their_files(two, tmp_path):
    other = tmp_path / "other.db"
    shutil.copy(two, other)
    out = inside("compare", two, other, "--name", "good", "--json")[1]
    assert {each["study"] for each in json.loads(out)["studies"]} == {f"{two}: good", f"{other}: good"}
    (match,) = json.loads(out)["pairs"]
    assert match["p"] is None and match["equivalence"] is None
    out = " ".join(inside("compare", two, other, "--name", "good")[1].split())
    assert "the same score in each of 3 outer folds" in out


DIFFERENT = {
    "metric": {"metric": "log_loss"},
    "folds": {"resampling": {"outer": 4}},
    "seed": {"resampling": {"seed": 5}},
    "data": {"dataset": {"name": "wine"}},
    "flat": {"resampling": {"outer": "none"}},
}


@pytest.mark.slow
@pytest.mark.parametrize("case", DIFFERENT)
def test_what_cannot_be_paired_is_refused(finished, tmp_path, case):
    other = tmp_path / "other.db"
    search(write_space(tmp_path, name="other", search={"trials": 1}, **DIFFERENT[case]), other)
    code, out, err = inside("compare", finished, other)
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and "'tiny' and 'other'" in err


def test_one_study_is_no_comparison(finished):
    assert inside("compare", finished)[0] == 2


def test_other_features_of_the_same_rows_can_be_compared(tmp_path):
    study = tmp_path / "study.db"
    for layout in ("flat", "rows"):
        dataset = {"name": "digits", "layout": layout}
        search(write_space(tmp_path, name=layout, dataset=dataset, search={"trials": 1}), study)
    assert inside("compare", study)[0] == 0


def test_a_search_cut_short_is_compared_on_what_it_has(two, tmp_path):
    """A study of more trials than are finished still has the scores of its winners so far."""
    path = write_space(tmp_path, name="cut", search={"sampler": "random", "trials": 2})
    cut = tmp_path / "cut.db"
    search(path, cut)
    longer = write_space(tmp_path, name="cut", search={"sampler": "random", "trials": 5000})
    assert inside("search", longer, "--study", cut, "--workers", 0, "--timeout", "0.5s")[0] == 3
    assert inside("compare", two, cut, "--name", "good", "--name", "cut")[0] == 0


def test_what_can_be_compared_is_and_the_rest_is_said_to_be_left_out(tmp_path):
    for name, training in (("a", {"epochs": 1}), ("b", {"epochs": 2})):
        search(
            write_space(tmp_path, f"{name}.yaml", name=name, training=training, search={"trials": 1}), tmp_path / "s.db"
        )
    other = write_space(tmp_path, "c.yaml", name="c", metric="log_loss", training={"epochs": 1}, search={"trials": 1})
    search(other, tmp_path / "s.db")
    code, out, err = inside("compare", tmp_path / "s.db")
    assert code == 0, err
    assert out.startswith("left out: c: it and 'a' have different metrics, log_loss and accuracy\n")
    found = json.loads(inside("compare", tmp_path / "s.db", "--json")[1])
    assert {study["study"] for study in found["studies"]} == {"a", "b"} and len(found["left_out"]) == 1
    code, _, err = inside("compare", tmp_path / "s.db", "--name", "a", "--name", "c")
    assert code == 2 and "'a' and 'c' have different metrics" in err
