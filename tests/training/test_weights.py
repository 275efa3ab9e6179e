"""Where rows weigh: in training, in scores or in both; every number of the report equals scikit-learn's, weighted."""

import csv
import io

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import inside, search, tables, write_space
from scipy.special import softmax
from sklearn import metrics as sk
from toy_data import toy_dataset

from tuner.experiment.packing import unpack
from tuner.metrics import METRICS
from tuner.models import rnn
from tuner.report import load
from tuner.report.prediction_tables import summaries
from tuner.report.predictions import predictions
from tuner.training.lane_data import DatasetTensors
from tuner.training.lanes import Lane
from tuner.training.loop import train
from tuner.training.optimizers import Adam
from tuner.training.recipe import Recipe
from tuner.training.settings import TrainingSettings

FLAT = {"model": {"name": "mlp", "hidden_size": 4, "activation": None}, "search": {"sampler": "random", "trials": 2}}
TRAINING = {"epochs": 15, "batch_size": 16, "optimizer": {"name": "adam", "learning_rate": [0.03, 0.1]}}


def table(folder, kind="classes", rows=160):
    """Every other row weighs nothing and has a label at random; the others weigh 1, 2 or 3."""
    random = np.random.default_rng(0)
    x = random.normal(size=(rows, 3))
    y = np.where(x[:, 0] > 0, "up", "down") if kind == "classes" else 10 * x[:, 0] + x[:, 1]
    weights = random.integers(1, 4, rows)
    weights[::2] = 0
    y[::2] = random.permutation(y[::2])
    frame = pd.DataFrame(x, columns=["a", "b", "c"]).assign(weight=weights, y=y)
    frame.to_csv(folder / "data.csv", index=False)
    return frame


def study(folder, metric, kind="classes", **wish):
    """A study of the table, searched; and its outer-test predictions, as printed."""
    frame = table(folder, kind)
    data = {"name": "table", "path": "data.csv", "target": "y", "weights": "weight", **wish}
    path = write_space(folder, dataset=data, metric=metric, training=TRAINING, **FLAT)
    search(path, folder / "study.db")
    code, out, err = inside("report", folder / "study.db", "--predictions", "--format", "csv")
    assert (code, err) == (0, "")
    return frame, load(folder / "study.db"), pd.DataFrame(list(csv.DictReader(io.StringIO(out))))


def oracle(metric, rows, weights):
    if metric == "rmse":
        truth, said = (rows[f"{what} of y"].astype(float) for what in ("truth", "prediction"))
        return sk.root_mean_squared_error(truth, said, sample_weight=weights)
    if metric == "log_loss":
        return sk.log_loss(rows["truth"], rows[["p(down)", "p(up)"]].astype(float), sample_weight=weights)
    score = {"accuracy": sk.accuracy_score, "balanced_accuracy": sk.balanced_accuracy_score}[metric]
    return score(rows["truth"], rows["prediction"], sample_weight=weights)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["both", "training", "scores"])
@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "log_loss", "rmse"])
def test_outer_scores_are_scikit_learns_of_the_printed_predictions(tmp_path, metric, where):
    kind = "numbers" if metric == "rmse" else "classes"
    frame, results, rows = study(tmp_path, metric, kind, weights_for=where)
    assert ("weight" in rows) is (where != "training")
    weights = frame["weight"].to_numpy()[rows["row"].astype(int)]
    if where != "training":
        np.testing.assert_array_equal(rows["weight"].astype(float), weights)
    for number, fold in enumerate(results.folds, start=1):
        own = (rows["outer fold"].astype(int) == number).to_numpy()
        expected = oracle(metric, rows[own], None if where == "training" else weights[own])
        assert fold.score == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_rows_that_weigh_nothing_do_not_spoil_the_score(tmp_path):
    """Half of the rows have random labels and weigh 0: what counts is learned, and the score says so."""
    for where in ("both", "training"):
        (tmp_path / where).mkdir()
    _, weighted, _ = study(tmp_path / "both", "accuracy")
    _, alike, _ = study(tmp_path / "training", "accuracy", weights_for="training")
    assert weighted.score.mean > 0.9 > 0.85 > alike.score.mean


@pytest.mark.slow
def test_workers_weigh_alike(tmp_path):
    study(tmp_path, "accuracy")
    search(tmp_path / "space.yaml", tmp_path / "other.db", workers=2)
    assert tables(tmp_path / "study.db") == tables(tmp_path / "other.db")


def test_the_default_and_the_dummy_are_scored_by_weight(tmp_path):
    frame, results, _ = study(tmp_path, "accuracy")
    weights, truth = frame["weight"].to_numpy(), (frame["y"] == "up").to_numpy()
    for fold, chain in zip(results.folds, results.header.chains, strict=False):
        test = unpack(chain.tested)
        train = np.setdiff1d(np.arange(len(frame)), test)
        said = unpack(fold.default.predictions).argmax(axis=1)
        assert fold.default.score == pytest.approx(sk.accuracy_score(truth[test], said, sample_weight=weights[test]))
        commonest = np.bincount(truth[train], weights[train]).argmax()
        guess = np.full(len(test), commonest)
        assert fold.dummy.score == pytest.approx(sk.accuracy_score(truth[test], guess, sample_weight=weights[test]))


def test_the_tables_of_classes_are_those_of_repeated_rows(tmp_path):
    """A row of weight 2 is two rows, one of weight 0 none."""
    _, results, _ = study(tmp_path, "accuracy")
    found = predictions(results)
    times = found.weights.astype(int)
    truth, said, outputs = (each.repeat(times, axis=0) for each in (found.truth, found.predicted_codes, found.outputs))
    np.testing.assert_array_equal(found.confusion_matrix.counts, sk.confusion_matrix(truth, said))
    confidence, right = softmax(outputs, axis=1).max(axis=1), truth == said
    bins = np.minimum((confidence * 10).astype(int), 9)
    gaps = [abs((right[bins == b] - confidence[bins == b]).sum()) for b in range(10)]
    assert found.calibration_error == pytest.approx(sum(gaps) / len(truth), abs=1e-6)
    areas = [sk.roc_auc_score(found.truth[own], found.outputs[own] @ [-1, 1], sample_weight=found.weights[own])
             for own in (found.folds == fold for fold in (1, 2, 3))]  # fmt: skip
    assert found.area(1) == pytest.approx(np.mean(areas))
    by_class, matrix = summaries(results)
    assert "counted by weight" in by_class.title
    assert sum(sum(row[1:]) for row in matrix.rows) == times.sum()


def test_residuals_are_those_of_repeated_rows(tmp_path):
    _, results, _ = study(tmp_path, "rmse", "numbers")
    found = predictions(results)
    residuals = (found.truth - found.outputs)[:, 0].repeat(found.weights.astype(int))
    ((_, mean, spread, *quantiles),) = found.residuals()
    assert mean == pytest.approx(residuals.mean())
    assert spread == pytest.approx(residuals.std(), rel=0.02)
    assert quantiles == pytest.approx(np.quantile(residuals, [0.05, 0.5, 0.95], method="inverted_cdf"))


def test_steps_are_counted_by_the_weight_of_their_row(tmp_path):
    random = np.random.default_rng(0)
    x, weights = random.normal(size=(60, 4, 1)), random.integers(0, 3, 60)
    np.savez(tmp_path / "data.npz", X=x, y=(x[..., 0] > 0).astype(int), w=weights)
    data = {"name": "arrays", "path": "data.npz", "task": "tagging", "weights": "w"}
    wish = {"model": {"name": "rnn", "activation": None}, "search": {"trials": 1}, "metric": "accuracy"}
    search(write_space(tmp_path, dataset=data, **wish), tmp_path / "study.db")
    for fold, chain in zip(*(lambda r: (r.folds, r.header.chains[:3]))(load(tmp_path / "study.db")), strict=True):
        counts = np.array(fold.refit.confusion)
        assert counts.sum() == 4 * weights[unpack(chain.tested)].sum()
        assert np.trace(counts) / counts.sum() == pytest.approx(fold.score)


@pytest.mark.slow
def test_an_interval_that_needs_equal_weights_is_refused_and_a_flat_correction_weighs_its_rows(tmp_path):
    study(tmp_path, "accuracy")
    code, _, err = inside("report", tmp_path / "study.db", "--interval", "bates")
    assert code == 2 and "needs a metric that is a mean over rows which count alike" in err
    flat = tmp_path / "flat"
    flat.mkdir()
    table(flat)
    data = {"name": "table", "path": "data.csv", "target": "y", "weights": "weight"}
    path = write_space(flat, dataset=data, training=TRAINING, **FLAT, resampling={"outer": "none", "inner": 3})
    search(path, flat / "study.db")
    results = load(flat / "study.db")
    weights = pd.read_csv(flat / "data.csv")["weight"].to_numpy()
    rows = unpack(results.header.chains[0].validated)
    for trial in results.ranking():
        totals = unpack(trial.row_scores)  # per row: its weight, and its weight if it is right
        np.testing.assert_allclose(totals[:, 0], weights[rows])
        parts = np.array_split(totals, len(trial.fold_scores))
        assert [part[:, 1].sum() / part[:, 0].sum() for part in parts] == pytest.approx(trial.fold_scores)
    assert f"Corrected, not nested: {results.bootstrapped.mean:.4g} (95 %" in inside("report", flat / "study.db")[1]


def test_rows_that_weigh_nothing_cannot_be_scored(tmp_path):
    table(tmp_path)
    frame = pd.read_csv(tmp_path / "data.csv").assign(weight=[1] * 150 + [0] * 10, part=np.repeat(range(16), 10))
    frame.to_csv(tmp_path / "data.csv", index=False)
    data = {"name": "table", "path": "data.csv", "target": "y", "weights": "weight", "groups": "part"}
    path = write_space(tmp_path, dataset=data, resampling={"outer": 16})
    code, _, err = inside("check", path)
    assert code == 2
    assert "error: accuracy cannot score the 10 rows of " in err and ": all of them weigh 0\n" in err
    path = write_space(tmp_path, dataset={**data, "weights_for": "training"}, resampling={"outer": 16})
    assert inside("check", path)[0] == 0


@pytest.mark.parametrize("source", ["table", "arrays", "loader"])
def test_weights_that_are_not_there_count_nowhere(tmp_path, source):
    table(tmp_path)
    np.savez(tmp_path / "data.npz", X=np.random.default_rng(0).normal(size=(30, 2)), y=np.arange(30) % 2)
    (tmp_path / "mine.py").write_text(
        "import numpy as np\ndef load(): return np.eye(30, dtype='f'), np.arange(30) % 2\n"
    )
    data = {"table": {"name": "table", "path": "data.csv", "target": "y"}, "loader": {"name": "mine.py:load"},
            "arrays": {"name": "arrays", "path": "data.npz"}}[source]  # fmt: skip
    code, _, err = inside("check", write_space(tmp_path, dataset={**data, "weights_for": "scores"}))
    assert code == 2
    unused = "weights_for is used only when weights is set, and here it is not"
    own = "weights_for is scores, and no row has a weight\n"
    assert (own if source == "loader" else unused) in err


def test_a_loaders_weights_count_where_its_settings_say(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n"
        "def load(): return {'features': np.random.default_rng(0).normal(size=(60, 2)), 'target': np.arange(60) % 2,"
        " 'weights': np.arange(60) % 3}\n"
    )
    path = write_space(tmp_path, dataset={"name": "mine.py:load", "weights_for": "training"}, search={"trials": 1})
    search(path, tmp_path / "study.db")
    assert predictions(load(tmp_path / "study.db")).weights is None
    assert "0 … 2, in training" in " ".join(inside("data", path)[1].split())


def test_another_place_to_count_is_another_study(tmp_path):
    study(tmp_path, "accuracy")
    data = {"name": "table", "path": "data.csv", "target": "y", "weights": "weight", "weights_for": "scores"}
    path = write_space(tmp_path, dataset=data, metric="accuracy", training=TRAINING, **FLAT)
    code, _, err = inside("search", path, "--study", tmp_path / "study.db", "--workers", 0)
    assert code == 4 or code == 2
    assert "weights_for" in err


def test_a_rank_has_no_weight(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import numpy as np\nfrom tuner.data import Amounts, Dataset, Ids, Roles\n"
        "def load():\n"
        "    r = np.random.default_rng(0)\n"
        "    words = ('<padding>', '<unknown>', 'a', 'b', 'c', 'd')\n"
        "    return Dataset('mine', Ids(r.integers(2, 6, (60, 2)), (words, words), ('user', 'item')),\n"
        "                   Amounts(r.random((60, 1)), ('rating',)), Roles(weights=np.ones(60)))\n"
    )
    path = write_space(tmp_path, dataset={"name": "mine.py:load"}, model="recommender", training=None, metric="ndcg@5")
    code, _, err = inside("check", path)
    assert code == 2
    assert "error: ndcg@5 ranks the rows of a user, and a rank has no weight\n" in err
    assert "weights_for: training" in err


@pytest.mark.slow
@pytest.mark.parametrize("unit", [1.0, 1e-60, 1e60])
def test_a_common_factor_of_the_weights_changes_nothing(tmp_path, unit):
    rng = np.random.default_rng(4)
    x, w = rng.normal(size=(80, 2)), rng.integers(1, 4, 80)
    found = []
    for name, factor in (("one", 1.0), ("other", unit)):
        np.savez(tmp_path / f"{name}.npz", X=x, y=(x[:, 0] > 0).astype(int), w=factor * w)
        data = {"name": "arrays", "path": f"{name}.npz", "weights": "w"}
        path = write_space(tmp_path, name=name, dataset=data, search={"trials": 2}, metric="log_loss")
        search(path, tmp_path / "study.db")
        found.append(load(tmp_path / "study.db", name).score.mean)
    assert found[1] == pytest.approx(found[0], rel=1e-5)


def test_the_training_curve_of_positions_counts_their_rows_by_weight():
    """Rows of weight 0 have random tags that cannot be learned, and do not show in the loss."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4, 1)).astype(np.float32)
    tags = (x[..., 0] > 0).astype(np.int64)
    tags[::2] = rng.integers(0, 2, (30, 4))
    weights = (np.arange(60) % 2).astype(np.float64)
    losses = []
    for each in (None, weights):
        data = toy_dataset("toy", "tagging", x, tags, ("x",), ("y",), ("a", "b"), weights=each)
        how = TrainingSettings(epochs=30, batch_size=10, optimizer=Adam(learning_rate=0.05))
        settings = rnn.Settings(hidden_size=8)
        recipe = Recipe(lambda s, k, settings=settings: rnn.build(settings, s, k), how, METRICS["accuracy"])
        lane = Lane(np.arange(50), (np.arange(50, 60),), 0)
        curves = train(recipe, [lane], DatasetTensors(data, torch.device("cpu")), lambda e, c: np.ones(1, bool)).curves
        losses.append(curves.train_loss[0, -1])
    assert losses[1] < 0.2 < losses[0]
