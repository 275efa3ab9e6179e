"""Every metric says what it cannot score before anything is trained; and what tells little is doubted."""

import numpy as np
import pandas as pd
import pytest
from helpers import inside, write_space


def checked(folder, frame, metric, outer=3, training=None, **data):
    frame.to_csv(folder / "data.csv", index=False)
    data = {"name": "table", "path": "data.csv", "target": "y", **data}
    changes = {} if training is None else {"training": training}
    path = write_space(folder, dataset=data, metric=metric, resampling={"outer": outer}, **changes)
    return inside("check", path)


def numbers(rows=12):
    random = np.random.default_rng(0)
    return pd.DataFrame({"x": random.normal(size=rows), "y": random.normal(50, 9, rows)})


def by_time(y):
    """Rows in time, so that the folds are blocks of it."""
    return pd.DataFrame({"t": np.arange(len(y)), "x": np.random.default_rng(0).normal(size=len(y)), "y": y})


RARE = ["a", "b"] * 12 + ["a"] * 24  # in time: the second half has one class
NO_ZERO = np.random.default_rng(1).normal(50, 9, 48)
FLAT_END, ZERO = by_time(np.r_[NO_ZERO[:36], [7.5] * 12]), by_time(np.r_[NO_ZERO[:36], [0.0], NO_ZERO[37:]])
TIME, OF = {"time": "t"}, "rows of inner fold 1 of outer-1: fewer than"
TABLES = {
    "r2 of one row": (numbers(), "r2", {"outer": 12}, f"the only {OF.replace('rows', 'row')} 2 rows count"),
    "spearman of two": (numbers(), "spearman", {"outer": 6}, f"the 2 {OF} 3 rows count"),
    "r2 of a constant": (FLAT_END, "r2", TIME, "a target is the same in all of them"),
    "spearman of a constant": (FLAT_END, "spearman", TIME, "a target is the same in all of them"),
    "mape of zeros": (ZERO, "mape", TIME, "it divides by the target, which is 0 in some of them"),
    **{
        f"{name} of one class": (by_time(RARE), name, TIME, "they have one class only")
        for name in ("mcc", "cohen_kappa", "roc_auc", "average_precision")
    },
}
FINE = ("mae", "rmse", "smape", "pinball_0.9")


@pytest.mark.parametrize("case", TABLES)
def test_a_metric_says_which_rows_it_cannot_score(tmp_path, case):
    frame, metric, how, why = TABLES[case]
    code, _, err = checked(tmp_path, frame, metric, **how)
    assert code == 2
    line, _, hint = err.partition("\n")
    assert f"error: {metric} cannot score the " in line and why in line
    assert "= fewer folds, more rows, or another metric" in hint


@pytest.mark.parametrize("metric", FINE)
def test_what_can_be_scored_is_not_refused(tmp_path, metric):
    assert checked(tmp_path, numbers(), metric, outer=12)[0] == 0
    assert checked(tmp_path, FLAT_END, metric, time="t")[0] == 0


def test_balanced_accuracy_and_f1_of_one_class_have_a_value_as_in_scikit_learn(tmp_path):
    for metric in ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "brier"):
        assert checked(tmp_path, by_time(RARE), metric, time="t")[0] == 0


def forecast(folder, values, metric="mase"):
    pd.DataFrame({"t": range(len(values)), "y": values}).to_csv(folder / "series.csv", index=False)
    data = {"name": "forecast", "path": "series.csv", "target": "y", "time": "t", "history": 4}
    return inside("check", write_space(folder, dataset=data, metric=metric))


def test_a_scaled_error_needs_a_forecast_that_errs(tmp_path):
    code, _, err = checked(tmp_path, numbers(), "mase")
    assert code == 2 and "mase is a metric of forecasts, and data.csv is a regression task" in err
    code, _, err = forecast(tmp_path, [5.0] * 40 + [*range(20)])
    assert code == 2
    assert "it divides by the error of the seasonal-naive forecast on the training rows, which is 0" in err
    assert forecast(tmp_path, np.random.default_rng(0).normal(size=60))[0] == 0


def test_accuracy_where_one_class_is_nearly_all_is_doubted(tmp_path):
    frame = pd.DataFrame({"x": np.random.default_rng(0).normal(size=100), "y": ["well"] * 96 + ["ill"] * 4})
    _, out, _ = checked(tmp_path, frame, "accuracy")
    assert "warning: accuracy is 0.96 for guessing the commonest class, 'well'" in out
    assert "balanced_accuracy, average_precision or mcc are more informative" in out
    assert "warning" not in checked(tmp_path, frame, "balanced_accuracy")[1]
    assert "warning" not in checked(tmp_path, frame.assign(y=["well"] * 94 + ["ill"] * 6), "accuracy")[1]
    weights = np.where(frame["y"] == "ill", 20, 1)
    assert "warning" not in checked(tmp_path, frame.assign(w=weights), "accuracy", weights="w")[1]


ADAM = {"optimizer": {"name": "adam", "learning_rate": 0.01}}


@pytest.mark.parametrize(
    ("metric", "loss", "said"),
    [
        ("pinball_0.9", {"name": "quantile", "quantile": 0.9}, None),
        ("pinball_0.9", {"name": "quantile", "quantile": 0.1}, "pinball_0.9 is best at the 0.9 quantile"),
        ("pinball_0.9", {"name": "quantile"}, "pinball_0.9 is best at the 0.9 quantile"),
        ("pinball_0.9", {"name": "quantile", "quantile": [0.9, 0.8]}, "pinball_0.9 is best at the 0.9 quantile"),
        ("pinball_0.9", None, "= training.loss: {name: quantile, quantile: 0.9}"),
        ("pinball_0.5", {"name": "mae"}, None),
        ("mae", {"name": "quantile", "quantile": 0.5}, None),
        ("mae", {"name": "quantile", "quantile": 0.75}, "the loss aims at the 0.75 quantile, and mae does not"),
        ("rmse", {"name": "huber"}, None),
        ("rmse", {"name": "mae"}, None),
    ],
)
def test_a_loss_that_aims_at_another_quantile_is_doubted(tmp_path, metric, loss, said):
    code, out, _ = checked(tmp_path, numbers(30), metric, training={**ADAM, "loss": loss})
    assert code == 0
    assert said in out if said else "warning" not in out


def test_the_list_explains_every_metric():
    from tuner.metrics import METRICS

    text = inside("list", "metrics")[1]
    assert all(f"\n{name} " in f"\n{text}" for name in METRICS)


def test_a_quantile_loss_names_the_nearest_metric_that_there_is(tmp_path):
    loss = {"name": "quantile", "quantile": 0.3}
    path = write_space(tmp_path, dataset={"name": "diabetes"}, metric="rmse", training={"loss": loss})
    code, out, _ = inside("check", path)
    assert (
        code == 0 and "the loss aims at the 0.3 quantile, and rmse does not" in out and "= metric: pinball_0.25" in out
    )


def test_accuracy_of_sparse_labels_is_no_bug(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "d.npz", X=rng.normal(size=(200, 3)), y=(rng.random((200, 6)) < 0.05).astype(int))
    path = write_space(tmp_path, dataset={"name": "arrays", "path": "d.npz"}, metric="accuracy")
    code, _, err = inside("check", path)
    assert (code, err) == (0, "")
