"""Several labels in a row, each 0 or 1: read as such, trained and scored like one model with a sigmoid for each."""

import json

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sk
import torch
from helpers import inside, search, write_space
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sets import scores
from toy_data import toy_dataset

from tuner.data.check import check
from tuner.data.cuts import splitter_of
from tuner.errors import DataError
from tuner.experiment.sections import Resampling
from tuner.metrics import METRICS
from tuner.report import load
from tuner.report.predictions import predictions
from tuner.search.dummy import dummy
from tuner.sources import arrays, table
from tuner.sources.columns.target import as_target
from tuner.training.losses import BinaryCrossEntropy

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 4))
Y = (X[:, :3] + 0.5 * rng.normal(size=(120, 3)) > [0.2, 0.8, -0.3]).astype(int)
ONE_HOT = np.eye(3, dtype=int)[np.arange(120) % 3]


def frame(y=Y, **more):
    return pd.DataFrame(
        {**{f"x{i}": X[:, i] for i in range(4)}, **{f"l{i}": y[:, i] for i in range(y.shape[1])}, **more}
    )


def of_table(folder, data, target=("l0", "l1", "l2"), **how):
    data.to_csv(folder / "d.csv", index=False)
    return check(table.load(table.Settings(path="d.csv", target=target, **how), folder))


@pytest.mark.parametrize("values", [Y, Y.astype(bool), Y.astype(float), np.where(Y, "True", "false")])
def test_columns_of_zeros_and_ones_are_labels(tmp_path, values):
    dataset = of_table(tmp_path, frame(values))
    assert (dataset.task, dataset.classes, dataset.target.names) == ("multilabel", (), ("l0", "l1", "l2"))
    np.testing.assert_array_equal(dataset.targets, Y)
    np.savez(tmp_path / "d.npz", X=X, y=values)
    assert check(arrays.load(arrays.Settings(path="d.npz"), tmp_path)).task == "multilabel"


def test_zeros_and_ones_may_be_amounts_where_the_file_says_so(tmp_path):
    assert of_table(tmp_path, frame(), task="regression").task == "regression"
    assert of_table(tmp_path, frame(Y * [1, 1, 2])).task == "regression"


def test_one_hot_targets_ask_what_they_mean(tmp_path):
    with pytest.raises(DataError, match=r"each row of the target of shape \(120, 3\) has exactly one 1") as caught:
        of_table(tmp_path, frame(ONE_HOT))
    assert caught.value.hint == "task: classification if it is the row's class, task: multilabel if not"
    dataset = of_table(tmp_path, frame(ONE_HOT), task="classification")
    assert (dataset.task, dataset.classes) == ("classification", ("l0", "l1", "l2"))
    np.testing.assert_array_equal(dataset.targets, np.arange(120) % 3)
    assert of_table(tmp_path, frame(ONE_HOT), task="multilabel").task == "multilabel"


def test_what_are_no_labels_is_refused():
    with pytest.raises(DataError, match="row 2 of the target has 2 of 3 classes"):
        as_target(np.array([[1, 0, 0], [1, 1, 0]]), "classification", "y")
    with pytest.raises(DataError, match=r"task: multilabel needs several columns of 0 and 1, or true and false; the "):
        as_target(np.array([[1, 0, 2], [1, 1, 0]]), "multilabel", "y")


def test_a_label_that_all_rows_have_is_refused(tmp_path):
    with pytest.raises(DataError, match="label 'l1' is 1 in every row"):
        of_table(tmp_path, frame(np.column_stack([Y[:, 0], np.ones(120, int), Y[:, 2]])))


def test_a_loss_of_another_task_is_an_error_at_its_place(tmp_path):
    frame().to_csv(tmp_path / "d.csv", index=False)
    data = {"name": "table", "path": "d.csv", "target": ["l0", "l1", "l2"]}
    path = write_space(tmp_path, dataset=data, training={"loss": "mse"})
    code, _, err = inside("check", path)
    assert code == 2 and "mse is not a loss for multilabel" in err


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(2, 5))
def test_every_fold_has_its_share_of_each_common_combination_of_labels(seed, labels, folds):
    random = np.random.default_rng(seed)
    y = (random.random((60, labels)) < random.uniform(0.1, 0.9, labels)).astype(float)
    dataset = toy_dataset("toy", "multilabel", np.zeros((60, 1), np.float32), y, (), tuple("abcde"[:labels]))
    parts = splitter_of(Resampling(), dataset).parts(np.arange(60), folds, 0)
    assert sorted(np.concatenate(parts)) == list(range(60))
    combinations, counts = np.unique(y, axis=0, return_counts=True)
    for combination, count in zip(combinations, counts, strict=True):
        held = [(y[part] == combination).all(axis=1).sum() for part in parts]
        if count == counts.max():  # rare ones may have joined it
            assert min(held) >= 1 or count < folds
        elif count >= folds:
            assert max(held) - min(held) <= 1


def averaged(function, **how):
    """A metric of scikit-learn that averages over labels."""
    return lambda y, z, w: function(y, z > 0, sample_weight=w, zero_division=0, **how)


def of_each_label(function, y, z, w):
    """The mean over labels of a metric of probabilities."""
    return np.mean([function(y[:, i], expit(z[:, i]), sample_weight=w) for i in range(y.shape[1])])


ORACLES = {
    **{
        f"{average}_{name}": averaged(function, average=average, **how)
        for average in ("macro", "micro", "weighted")
        for name, function, how in (
            ("precision", sk.precision_score, {}),
            ("recall", sk.recall_score, {}),
            ("f0.5", sk.fbeta_score, {"beta": 0.5}),
            ("f1", sk.f1_score, {}),
            ("f2", sk.fbeta_score, {"beta": 2}),
        )
    },
    "accuracy": lambda y, z, w: sk.accuracy_score(y, z > 0, sample_weight=w),
    "roc_auc": lambda y, z, w: sk.roc_auc_score(y, expit(z), sample_weight=w),
    "average_precision": lambda y, z, w: sk.average_precision_score(y, expit(z), sample_weight=w),
    "log_loss": lambda y, z, w: of_each_label(sk.log_loss, y, z, w),
    "brier": lambda y, z, w: of_each_label(sk.brier_score_loss, y, z, w),
}


@pytest.mark.parametrize("name", [m.name for m in METRICS.values() if "multilabel" in m.tasks])
@pytest.mark.parametrize("weighted", [False, True])
def test_every_metric_of_labels_is_scikit_learns(name, weighted):
    random = np.random.default_rng(5)
    z = random.normal(size=(2, 60, 4)).round(1) - 0.05
    y = (random.random((2, 60, 4)) < [0.2, 0.5, 0.7, 0.4]).astype(float)
    w = random.random((2, 60)) if weighted else np.ones((2, 60))
    found = scores(METRICS[name], z, y, w)
    expected = [ORACLES[name](y[i].astype(int), z[i], w[i]) for i in range(2)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_loss_is_torchs_own():
    z, y = torch.randn(2, 7, 3), (torch.rand(2, 7, 3) < 0.4).float()
    expected = torch.nn.BCEWithLogitsLoss(reduction="none")(z, y).mean(-1)
    assert torch.equal(BinaryCrossEntropy()(z, y), expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["macro_f1", "micro_f1", "macro_recall", "accuracy", "log_loss", "brier"])
def test_the_dummy_is_the_best_constant_answer(tmp_path, name):
    """Against every combination of labels, and for probabilities every one of a grid."""
    dataset, metric, rows = of_table(tmp_path, frame()), METRICS[name], np.arange(120)
    grid = [0.0, 1.0] if name not in ("log_loss", "brier") else np.linspace(0.01, 0.99, 50)
    each = np.stack(np.meshgrid(*[grid] * 3), axis=-1).reshape(-1, 3).clip(0.01, 0.99)
    logits = np.broadcast_to(np.log(each / (1 - each))[:, None], (len(each), 120, 3)).copy()
    y = np.broadcast_to(dataset.targets, logits.shape).copy()
    found = scores(metric, logits, y, np.ones((len(each), 120)))
    best = np.nan_to_num(found).max() if metric.maximize else found.min()
    found = dummy(dataset, metric, rows, rows).score
    assert found == pytest.approx(float(best), rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["mlp", "rnn", "transformer", "cnn"])
def test_a_search_learns_labels_and_its_report_is_scikit_learns(tmp_path, model):
    shaped = {
        "mlp": X,
        "rnn": X[:, :, None],
        "transformer": X[:, :, None],
        "cnn": X[:, None, :, None].repeat(4, axis=3),
    }
    np.savez(tmp_path / "d.npz", X=shaped[model], y=Y)
    path = write_space(
        tmp_path, dataset={"name": "arrays", "path": "d.npz"}, metric="macro_f1",
        model={"name": model, "hidden_size": None, "activation": None},
        training={"epochs": 25, "batch_size": 16, "early_stopping": None}, search={"trials": 2},
    )  # fmt: skip
    search(path, tmp_path / "study.db")
    results = load(tmp_path / "study.db")
    found = predictions(results)
    for number, fold in enumerate(results.folds, start=1):
        own = found.folds == number
        expected = sk.f1_score(found.truth[own].astype(int), found.outputs[own] > 0.5, average="macro")
        assert fold.score == pytest.approx(expected, rel=1e-12)
    assert results.score.mean > (0.75 if model == "mlp" else 0.4)
    code, out, _ = inside("report", tmp_path / "study.db")
    assert code == 0 and "each label" in out and "y[2]" in out
    code, out, _ = inside("report", tmp_path / "study.db", "--predictions", "--format", "csv")
    assert code == 0 and out.startswith(
        "outer fold,row,truth of y[0],truth of y[1],truth of y[2],p(y[0]),p(y[1]),p(y[2])"
    )
    code, out, _ = inside("report", tmp_path / "study.db", "--format", "json")
    assert code == 0 and json.loads(out)["score"]["mean"] == results.score.mean
