"""The decision threshold of two classes: chosen on inner folds only, applied to outer-test rows, and said."""

import json

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sk
from helpers import but_raised, inside, search, tables, write_space
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.metrics import METRICS
from tuner.metrics.parts.threshold import decided, tuned
from tuner.report import load
from tuner.report.predictions import predictions

SK = {
    "macro_f1": lambda y, p: sk.f1_score(y, p, average="macro", zero_division=0),
    "accuracy": sk.accuracy_score,
    "balanced_accuracy": lambda y, p: sk.recall_score(y, p, labels=np.unique(y), average="macro", zero_division=0),
    "mcc": sk.matthews_corrcoef,
}


def fold(seed, rows=20):
    rng = np.random.default_rng(seed)
    y = (rng.random(rows) < 0.2).astype(np.int64)
    y[:2] = 0, 1
    logits = rng.normal(size=(rows, 2)) + np.stack([np.zeros(rows), 1.5 * y - 2], axis=1)
    return logits, y, np.ones(rows)


@pytest.mark.slow
@pytest.mark.parametrize("name", SK)
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_the_best_threshold_is_that_of_a_search_over_all_decisions(name, seed):
    folds = [fold(seed + i) for i in range(3)]
    threshold, scores = tuned(folds, METRICS[name])
    margins = [z[:, 1] - z[:, 0] for z, _, _ in folds]
    values = np.unique(np.concatenate(margins))
    best = max(
        np.mean([SK[name](y, margin > at) for margin, (_, y, _) in zip(margins, folds, strict=True)])
        for at in (0.0, *((values[1:] + values[:-1]) / 2))
    )
    assert np.mean(scores) == pytest.approx(best, abs=1e-12)
    for found, margin, (z, y, _) in zip(scores, margins, folds, strict=True):
        assert found == pytest.approx(SK[name](y, margin > threshold), abs=1e-12)
        assert ((decided(z, threshold).argmax(-1) == 1) == (margin > threshold)).all()


def test_a_rare_class_gets_the_best_of_all_thresholds():
    """0.5 % of 4,000 rows: the best decision lies among few margins of many."""
    rng = np.random.default_rng(1)
    y = (rng.random(4000) < 0.005).astype(np.int64)
    margin = rng.normal(size=4000) + 3 * y
    logits = np.stack([np.zeros(4000), margin], axis=1)
    found = tuned([(logits, y, np.ones(4000))], METRICS["mcc"])
    values = np.unique(margin)
    best = max(sk.matthews_corrcoef(y, margin > at) for at in values[-200:])
    assert found.scores[0] == pytest.approx(best, abs=1e-12)


def test_without_a_gain_the_threshold_stays_where_it_is():
    z, y, w = fold(0)
    sure = np.stack([np.zeros(len(y)), 6.0 * y - 3], axis=1)
    assert tuned([(sure, y, w)], METRICS["accuracy"]) == (0.0, [1.0])
    assert decided(z, None) is z


@pytest.fixture(scope="module")
def rare(tmp_path_factory):
    """Two classes, 12 % to 88 %, that overlap; searched by macro F1, with the default threshold and a tuned one."""
    folder, rng = tmp_path_factory.mktemp("rare"), np.random.default_rng(2)
    y = rng.random(800) < 0.12
    frame = pd.DataFrame(
        {"a": rng.normal(size=800) + y, "b": rng.normal(size=800) + y, "y": np.where(y, "sick", "fit")}
    )
    frame.to_csv(folder / "d.csv", index=False)
    for threshold in ("default", "tuned"):
        path = write_space(
            folder, file=f"{threshold}.yaml", name=threshold, metric="macro_f1",
            dataset={"name": "table", "path": "d.csv", "target": "y"}, model={"hidden_size": [4]},
            training={"epochs": 15, "batch_size": 32, "early_stopping": None},
            search={"trials": 3, "threshold": threshold},
        )  # fmt: skip
        search(path, folder / "study.db")
    return folder


@pytest.mark.slow
def test_outer_test_rows_are_decided_at_the_threshold_of_the_inner_folds(rare):
    results = load(rare / "study.db", "tuned")
    found = predictions(results)
    assert results.score.mean > load(rare / "study.db", "default").score.mean + 0.03
    for number, fold_ in enumerate(results.folds, start=1):
        own = found.folds == number
        threshold = fold_.winner.threshold
        assert fold_.refit.threshold == threshold != 0
        positive = found.outputs[own, 1] - found.outputs[own, 0] > threshold
        assert fold_.score == pytest.approx(SK["macro_f1"](found.truth[own], positive), rel=1e-12)
        assert (found.predicted_codes[own] == positive).all()
        assert fold_.winner.score == pytest.approx(np.mean(fold_.winner.fold_scores))


@pytest.mark.slow
def test_early_stopping_follows_the_score_at_the_best_threshold(rare):
    """At the default threshold, a net that never predicts the rare class would stop at once."""
    path = write_space(
        rare, file="patient.yaml", name="patient", metric="balanced_accuracy",
        dataset={"name": "table", "path": "d.csv", "target": "y"}, model={"hidden_size": [4]},
        training={"epochs": 15, "batch_size": 32, "early_stopping": {"patience": 3},
                  "optimizer": {"name": "adam", "learning_rate": 0.02}},
        search={"trials": 1, "threshold": "tuned"},
    )  # fmt: skip
    search(path, rare / "study.db")
    results = load(rare / "study.db", "patient")
    trial = results.whole("final", results.deployed)
    for curve, best in zip(trial.curves.score, trial.best_epochs, strict=True):
        assert max(value for value in curve if value is not None) == curve[best - 1]
        assert curve[0] > 0.5, "at the default threshold, no row is called sick in the first epochs"


def test_the_report_says_from_which_probability_the_second_class_is_predicted(rare):
    code, out, _ = inside("report", rare / "study.db", "--name", "tuned")
    assert code == 0 and "; predict 'sick' from a probability of 0." in out
    assert out.count("threshold=0.") >= 4, "of the winners, and of the ranking"
    _, out, _ = inside("report", rare / "study.db", "--name", "tuned", "--format", "json")
    deployed = load(rare / "study.db", "tuned").deployed
    assert json.loads(out)["deploy"]["threshold"] == pytest.approx(1 / (1 + np.exp(-deployed.threshold)))
    _, out, _ = inside("report", rare / "study.db", "--name", "default", "--format", "json")
    assert json.loads(out)["deploy"]["threshold"] is None


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["grid", "tpe"])
def test_shared_refits_and_a_resumed_search_have_the_same_thresholds(tmp_path, sampler):
    how = {
        "dataset": {"name": "breast_cancer"}, "metric": "macro_f1", "resampling": {"outer": 3},
        "model": {"hidden_size": [2, 4], "activation": "relu"},
        "training": {"epochs": 3, "optimizer": {"name": "adam", "learning_rate": [0.01, 0.001]}},
    }  # fmt: skip
    path = write_space(tmp_path, **how, search={"sampler": sampler, "trials": 4, "threshold": "tuned"})
    search(path, tmp_path / "once.db")
    search(path, tmp_path / "twice.db", "--trials", 2)
    search(path, tmp_path / "twice.db", "--trials", 4, workers=2)
    once, twice = (load(tmp_path / f"{name}.db") for name in ("once", "twice"))
    for a, b in zip(once.folds, twice.folds, strict=True):
        assert (a.winner.threshold, a.score) == (b.winner.threshold, b.score)
    assert but_raised(tables(tmp_path / "once.db")) == but_raised(tables(tmp_path / "twice.db"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"resampling": {"outer": "none", "inner": 3}}, "threshold: tuned needs outer folds"),
     ({}, "threshold: tuned chooses between two classes, and iris has 3 classes"),
     ({"dataset": {"name": "diabetes"}}, "and diabetes has a regression task"),
     ({"dataset": {"name": "breast_cancer"}, "metric": "roc_auc"}, "threshold: tuned has no effect on roc_auc, which")],
)  # fmt: skip
def test_a_threshold_that_decides_nothing_is_refused(tmp_path, changes, said):
    code, _, err = inside("check", write_space(tmp_path, **changes, search={"threshold": "tuned"}))
    assert code == 2 and said in err
