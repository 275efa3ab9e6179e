"""Out-of-fold predictions: the same numbers as scikit-learn's, and the scores of the report again from them."""

import csv
import dataclasses
import io
import re

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
import torch
from helpers import GRID, inside, search, tables, write_space
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tuner.experiment.packing import pack, unpack
from tuner.metrics.parts.order import auc
from tuner.report import load
from tuner.report.predictions import Predictions, predictions
from tuner.sources import dates

SEARCHES = {"tpe": {}, "grid": GRID, "random": {"search": {"sampler": "random", "trials": 4}}}


@settings(deadline=None)
@given(arrays(np.float32, st.tuples(st.integers(0, 5), st.integers(1, 4))))
def test_what_is_packed_comes_back_to_the_bit(array):
    again = unpack(pack(array))
    assert (again.dtype, again.shape, again.tobytes()) == (array.dtype, array.shape, array.tobytes())


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=30))
def test_the_area_under_the_curve_equals_sklearns(rows):
    truth, score = np.array([t for t, _ in rows]), np.array([s / 5 for _, s in rows])
    found = auc(truth, score)
    if truth.all() or not truth.any():
        assert found is None
    else:
        assert found == pytest.approx(sklearn.metrics.roc_auc_score(truth, score))


@pytest.mark.slow
@pytest.mark.parametrize("case", SEARCHES)
def test_the_outer_scores_follow_from_the_predictions(tmp_path, case):
    study = tmp_path / "study.db"
    search(write_space(tmp_path, **SEARCHES[case]), study)
    results = load(study)
    found = predictions(results)
    assert sorted(found.rows.tolist()) == list(range(150))
    for number, fold in enumerate(results.folds, start=1):
        mine = found.folds == number
        assert (found.predicted_codes == found.truth)[mine].mean() == pytest.approx(fold.score)


def test_the_tables_equal_sklearns(finished):
    found = predictions(load(finished))
    truth, codes = found.truth, found.predicted_codes
    np.testing.assert_array_equal(found.confusion_matrix.counts, sklearn.metrics.confusion_matrix(truth, codes))
    expected = sklearn.metrics.precision_recall_fscore_support(truth, codes)
    areas = np.mean([
        sklearn.metrics.roc_auc_score(truth[own], found.probabilities[own], multi_class="ovr", average=None)
        for own in (found.folds == number for number in np.unique(found.folds))
    ], axis=0)  # fmt: skip
    for i, (name, precision, recall, f1, count) in enumerate(found.confusion_matrix.by_class()):
        area = found.area(i)
        assert (precision, recall, f1, count) == pytest.approx(tuple(column[i] for column in expected))
        assert area == pytest.approx(areas[i])
        assert name == ("setosa", "versicolor", "virginica")[i]


def test_knowing_only_how_frequent_classes_were_ranks_nothing():
    """Of all rows at once it would seem worse than guessing: a fold with many of a class leaves few to train on."""
    truth = np.array([0] * 8 + [1] * 2 + [0] * 5 + [1] * 5)
    folds = np.repeat([1, 2], 10)
    outputs = np.array([[0.5, 0.5]] * 10 + [[0.8, 0.2]] * 10)
    found = Predictions(folds, np.arange(20), truth, np.log(outputs), ("a", "b"))
    assert sklearn.metrics.roc_auc_score(truth, outputs[:, 1]) < 0.4
    assert found.area(1) == 0.5


def test_the_calibration_error_by_its_definition():
    rng = np.random.default_rng(0)
    outputs, truth = rng.normal(size=(200, 3)) * 2, rng.integers(0, 3, 200)
    found = Predictions(np.ones(200, int), np.arange(200), truth, outputs, ("a", "b", "c"))
    confidence, right = found.probabilities.max(axis=1), outputs.argmax(axis=1) == truth
    expected = 0.0
    for low in np.arange(0, 1, 0.1):
        inside_ = (confidence >= low) & (confidence < low + 0.1)
        if inside_.any():
            expected += inside_.mean() * abs(right[inside_].mean() - confidence[inside_].mean())
    assert found.calibration_error == pytest.approx(expected, abs=1e-6)


def alike(count, confidence, repeats=1):
    """As many rows, each tested so often, whose first class has one probability; how often it is true is not asked."""
    rows = np.tile(np.arange(count), repeats)
    outputs = np.log([[confidence, 0.6 * (1 - confidence), 0.4 * (1 - confidence)]] * len(rows))
    return Predictions(np.ones(len(rows), int), rows, np.zeros(len(rows), int), outputs, ("a", "b", "c"))


@pytest.mark.parametrize(("count", "confidence"), [(83, 0.75), (20, 0.55), (400, 0.95)])
def test_the_calibration_error_of_a_perfect_model_is_that_of_a_binomial(count, confidence):
    """Rows of one confidence: the error is |k / n − p|, k of a binomial distribution."""
    k = np.arange(count + 1)
    chances, errors = scipy.stats.binom.pmf(k, count, confidence), np.abs(k / count - confidence)
    expected, squares = chances @ errors, chances @ errors**2
    mean, spread = alike(count, confidence).calibrated()
    assert mean == pytest.approx(expected, abs=4 * spread / np.sqrt(1000))
    assert spread == pytest.approx(np.sqrt(squares - expected**2), rel=0.1)


def test_rows_that_are_tested_again_are_no_more_rows():
    assert alike(83, 0.75, repeats=3).calibrated() == pytest.approx(alike(83, 0.75).calibrated())
    assert alike(249, 0.75).calibrated()[0] < 0.7 * alike(83, 0.75).calibrated()[0]


def test_rows_that_weigh_nothing_make_no_calibration_error():
    found = alike(133, 0.75)
    weighted = dataclasses.replace(found, weights=(found.rows < 83).astype(float))
    mean, spread = weighted.calibrated()
    assert mean == pytest.approx(alike(83, 0.75).calibrated()[0], abs=6 * spread / np.sqrt(1000))


def test_a_model_that_is_calibrated_shows_what_is_said_of_one():
    """Two hundred data sets whose classes are drawn by torch from the probabilities, several per bin."""
    outputs = np.random.default_rng(0).normal(size=(83, 3)) * 1.5
    generator = torch.Generator().manual_seed(0)
    nothing = Predictions(np.ones(83, int), np.arange(83), np.zeros(83, int), outputs, ("a", "b", "c"))
    drawn = torch.multinomial(torch.from_numpy(nothing.probabilities), 200, True, generator=generator).T.numpy()
    found = [
        Predictions(nothing.folds, nothing.rows, truth, outputs, nothing.names).calibration_error for truth in drawn
    ]
    mean, spread = nothing.calibrated()
    assert mean == pytest.approx(np.mean(found), abs=4 * spread / np.sqrt(200))
    assert spread == pytest.approx(np.std(found), rel=0.2)


def test_of_many_rows_fewer_draws_are_enough(monkeypatch):
    mean, spread = alike(400, 0.75).calibrated()
    monkeypatch.setattr("tuner.report.predictions.MOST_NUMBERS", 40_000)
    monkeypatch.setattr("tuner.report.predictions.AT_ONCE", 1_000)
    fewer = alike(400, 0.75).calibrated()
    assert fewer != (mean, spread) and fewer[0] == pytest.approx(mean, abs=4 * spread / 10)


def test_residuals_of_a_regression(tmp_path):
    study = tmp_path / "study.db"
    search(write_space(tmp_path, dataset={"name": "diabetes"}, search={"trials": 2}), study)
    results = load(study)
    found = predictions(results)
    ((_, mean, spread, low, middle, high),) = found.residuals()
    residuals = (found.truth - found.outputs)[:, 0]
    assert (mean, spread) == pytest.approx((residuals.mean(), residuals.std(ddof=1)))
    assert (low, middle, high) == pytest.approx(tuple(np.percentile(residuals, [5, 50, 95])))
    for number, fold in enumerate(results.folds, start=1):
        assert np.sqrt(np.mean(residuals[found.folds == number] ** 2)) == pytest.approx(fold.score, rel=1e-5)
    assert "residuals" in " ".join(inside("report", study)[1].split())


@pytest.mark.slow
@pytest.mark.parametrize("case", ["grid", "random"])
def test_a_refit_that_another_chain_has_trained_predicts_as_one_of_its_own(tmp_path, case, monkeypatch):
    shared, own = tmp_path / "shared.db", tmp_path / "own.db"
    path = write_space(tmp_path, **SEARCHES[case])
    search(path, shared)
    monkeypatch.setattr("tuner.search.trial.KEPT_NUMBERS", 0)
    search(path, own)
    assert tables(shared) == tables(own)
    ours, theirs = predictions(load(shared)), predictions(load(own))
    np.testing.assert_array_equal(ours.outputs, theirs.outputs)


def test_as_csv_with_one_line_per_row(finished):
    code, out, err = inside("report", finished, "--predictions", "--format", "csv")
    assert (code, err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == 150 and sorted(int(row["row"]) for row in rows) == list(range(150))
    first = rows[0]
    assert set(first) == {"outer fold", "row", "truth", "prediction", "p(setosa)", "p(versicolor)", "p(virginica)"}
    assert sum(float(first[f"p({name})"]) for name in ("setosa", "versicolor", "virginica")) == pytest.approx(
        1, abs=1e-5
    )
    right = np.mean([row["truth"] == row["prediction"] for row in rows])
    assert right == pytest.approx(load(finished).score.mean, abs=0.02)


def test_in_the_report(finished):
    predicted_codes = " ".join(inside("report", finished)[1].split())
    assert "Predictions of outer-test rows" in predicted_codes
    error, mean, spread = re.search(
        r"calibration error (\S+) \(a perfectly calibrated model shows (\S+) ± (\S+) with 150 rows\)", predicted_codes
    ).groups()
    found = predictions(load(finished))
    assert float(error) == pytest.approx(found.calibration_error, rel=0.01)
    assert (float(mean), float(spread)) == pytest.approx(found.calibrated(), rel=0.5)


def test_of_tagged_steps_the_counts_are_kept_and_are_those_of_the_score(tmp_path):
    wish = {"model": {"name": "rnn", "activation": None}, "search": {"trials": 2}, "metric": "token_accuracy"}
    data = {"name": "copy", "rows": 60, "length": 4, "delay": 2}
    search(write_space(tmp_path, **wish, dataset=data), tmp_path / "study.db")
    results = load(tmp_path / "study.db")
    for fold in results.folds:
        counts = np.array(fold.refit.confusion)
        assert np.trace(counts) / counts.sum() == pytest.approx(fold.score)
    code, out, err = inside("report", tmp_path / "study.db")
    assert (code, err) == (0, "") and "Confusion matrix" in out and "steps" in out


def test_of_translations_some_are_kept_as_texts(tmp_path):
    wish = {"dataset": {"name": "dates", "rows": 60}, "model": {"name": "seq2seq", "activation": None},
            "search": {"trials": 1}}  # fmt: skip
    search(write_space(tmp_path, **wish), tmp_path / "study.db")
    dataset = dates.load(dates.Settings(rows=60), tmp_path)
    texts = ["".join(dataset.vocabularies[0][code] for code in row if code > 1) for row in dataset.features]
    for fold in load(tmp_path / "study.db").folds:
        assert len(fold.refit.examples) == 3
        for source, truth, _ in fold.refit.examples:
            assert source in texts and re.fullmatch(r"\d{4}-\d\d-\d\d", truth)
    assert "Examples of outer-test rows" in inside("report", tmp_path / "study.db")[1]
