"""Numbers with a large offset train and score like the same numbers without: nothing is rounded before it is scaled."""

import json

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
import torch
from helpers import inside, inverse_transform, search, write_space
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import root_mean_squared_error
from sklearn.preprocessing import StandardScaler
from toy_data import toy_dataset

from tuner.data import precision
from tuner.data.check import check
from tuner.data.precision import narrow
from tuner.errors import DataError
from tuner.report import load
from tuner.report.predictions import predictions
from tuner.sources import arrays, forecast, ratings, sequences, table
from tuner.training.lane_data import DatasetTensors, LaneData
from tuner.training.lanes import Lane

CPU, ROWS, TRAIN = torch.device("cpu"), 90, np.arange(60)
OFFSETS = [0.0, 1.6e9, -5812344.0, 1.6e12]
rng = np.random.default_rng(3)
X, NOISE = rng.normal(size=(ROWS, 2)), rng.normal(size=ROWS)
Y = 3 * X[:, 0] + 0.3 * NOISE


def standardised(dataset):
    """What a lane that trains on `TRAIN` reads."""
    data = LaneData(DatasetTensors(dataset, CPU), [Lane(TRAIN, (np.arange(60, 90),), 0)])
    return data.inputs(torch.arange(len(dataset))[None])[0][0].double().numpy()


def csv(folder, **columns):
    pd.DataFrame(columns).to_csv(folder / "d.csv", index=False)
    return "d.csv"


def of_table(folder, x, y):
    return table.load(
        table.Settings(path=csv(folder, a=x[:, 0], b=x[:, 1], y=y), target="y", task="regression"), folder
    )


def of_parquet(folder, x, y):
    pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": y}).to_parquet(folder / "d.parquet")
    return table.load(table.Settings(path="d.parquet", target="y", task="regression"), folder)


def of_npz(folder, x, y, order="C"):
    np.savez(folder / "d.npz", X=np.asarray(x, order=order), y=y)
    return arrays.load(arrays.Settings(path="d.npz", task="regression"), folder)


def of_fortran(folder, x, y):
    return of_npz(folder, x, y, "F")


def of_safetensors(folder, x, y):
    safetensors.numpy.save_file({"X": np.ascontiguousarray(x), "y": y}, folder / "d.safetensors")
    return arrays.load(arrays.Settings(path="d.safetensors", task="regression"), folder)


WAYS = [of_table, of_parquet, of_npz, of_fortran, of_safetensors]


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_features_are_standardised_as_in_float64_whatever_their_offset(tmp_path, way, offset):
    x = X + offset
    dataset = check(way(tmp_path, x, Y))
    expected = StandardScaler().fit(x[TRAIN]).transform(x)
    np.testing.assert_allclose(standardised(dataset), expected, atol=4e-6 if abs(offset) < 1e12 else 1e-3)
    np.testing.assert_allclose(inverse_transform(dataset), x, rtol=1e-12 if offset else 1e-6)
    assert not list(precision.warnings(dataset.numbers))


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_targets_keep_every_digit(tmp_path, way):
    y = 1e9 + Y
    np.testing.assert_array_equal(way(tmp_path, X, y).targets[:, 0], y)


@given(st.floats(-1e12, 1e12), st.floats(0.01, 1e4), st.integers(2, 200))
def test_any_offset_and_scale_keeps_what_training_can_notice(offset, scale, rows):
    """After narrowing, the standardised column is off by no more than a few units of what float32 resolves."""
    column = np.random.default_rng(rows).normal(offset, scale, rows)
    found = narrow(column[:, None])
    back = found.values[:, 0].astype(np.float64) + found.offsets[0]
    spread = np.subtract(*np.quantile(column, (0.75, 0.25), method="lower")) or column.std()
    assert np.abs(back - column).max() <= 2.1e-6 * max(spread, np.abs(column - np.median(column)).max())


@given(st.lists(st.integers(-(2**24), 2**24), min_size=1, max_size=50))
def test_what_float32_holds_exactly_has_no_offset(values):
    found = narrow(np.array(values)[:, None])
    assert found.offsets[0] == 0 and not found.coarse[0]
    np.testing.assert_array_equal(found.values[:, 0], values)


@pytest.mark.parametrize("offset", [2**53, 2**60, -(2**62), 1_700_000_000_000_000_000])
@pytest.mark.parametrize("way", ["csv", "parquet", "npz", "safetensors", "array"])
def test_whole_numbers_beyond_float64_are_told_apart(tmp_path, offset, way):
    x = offset + np.arange(40) % 2
    if way == "array":
        found = narrow(x[:, None])
        values = found.values[:, 0]
    elif way in ("csv", "parquet"):
        frame = pd.DataFrame({"a": x, "y": Y[:40]})
        frame.to_csv(tmp_path / "d.csv", index=False)
        frame.to_parquet(tmp_path / "d.parquet")
        settings = table.Settings(path=f"d.{way}", target="y", task="regression")
        values = table.load(settings, tmp_path).features[:, 0]
    else:
        np.savez(tmp_path / "d.npz", X=x[:, None], y=Y[:40])
        safetensors.numpy.save_file({"X": x[:, None], "y": Y[:40]}, tmp_path / "d.safetensors")
        settings = arrays.Settings(path=f"d.{way}", task="regression")
        values = arrays.load(settings, tmp_path).features[:, 0]
    np.testing.assert_array_equal(np.diff(values), np.diff(x))


def test_a_pattern_of_the_rows_hides_no_collapse():
    """Every third row is harmless, as a sample at equal distances of 24,000 rows would find."""
    m = np.arange(24_000)
    x = np.where(m % 3 == 0, m % 7, 1.7e9 + m % 2)
    found = narrow(x[:, None])
    assert found.offsets[0] > 1e9 or found.coarse[0]


def test_a_missing_value_stays_missing_beside_an_offset():
    found = narrow(np.array([[np.nan], [1.6e9 + 1], [1.6e9 + 2], [1.6e9 + 4]]))
    np.testing.assert_array_equal(found.values[:, 0] + found.offsets, [np.nan, 1.6e9 + 1, 1.6e9 + 2, 1.6e9 + 4])


def test_pieces_of_a_file_are_narrowed_like_the_whole_array():
    for shape, axis in (((40, 3), -1), ((20, 5, 3), -1), ((20, 3, 4, 4), 1)):
        values = np.random.default_rng(0).normal(size=shape)
        values += np.moveaxis(np.broadcast_to([0.0, 1e9, 7e6], (*np.moveaxis(values, axis, -1).shape,)), -1, axis)
        flat = values.reshape(-1)
        whole = narrow(values, axis)
        found = precision.narrow_pieces(
            lambda flat=flat: iter(np.split(flat, range(7, flat.size, 7))), shape, axis % len(shape), values.dtype
        )
        np.testing.assert_array_equal(found.values, whole.values)
        np.testing.assert_array_equal(found.offsets, whole.offsets)
        assert (whole.offsets != 0).tolist() == [False, True, True]


def test_what_float32_cannot_keep_is_reported(tmp_path):
    """Half of the values near 0 and half near 1e12: no offset serves both."""
    x = np.where(np.arange(ROWS) % 2, 1e12, 0) + np.arange(ROWS) / 7
    (text,) = precision.warnings(of_table(tmp_path, np.stack([x, X[:, 0]], axis=1), Y).numbers)
    assert text.startswith("different values of column 'a' coincide in float32, which keeps 7 digits")


def test_without_scaling_the_numbers_stay_and_check_says_what_is_lost(tmp_path):
    csv(tmp_path, seconds=1.6e9 + 40 * X[:, 0], y=Y)
    dataset = table.load(table.Settings(path="d.csv", target="y", task="regression", scale="none"), tmp_path)
    np.testing.assert_allclose(standardised(dataset)[:, 0], 1.6e9 + 40 * X[:, 0], rtol=2e-7)
    path = write_space(
        tmp_path, dataset={"name": "table", "path": "d.csv", "target": "y", "task": "regression", "scale": "none"}
    )
    code, out, _ = inside("check", path)
    assert code == 0
    assert (
        "scale: none leaves column 'seconds' near 1.6e+09, where float32 tells apart values that differ by 1.3e+02"
        in out
    )


def test_a_forecast_of_a_meter_keeps_its_digits(tmp_path):
    reading = 48_000_000 + np.cumsum(np.abs(np.random.default_rng(1).normal(1.5, 1, 120)))
    csv(tmp_path, hour=np.arange(120), kwh=reading)
    for layout in ("flat", "sequence"):
        settings = forecast.Settings(path="d.csv", target="kwh", history=4, layout=layout)
        dataset = check(forecast.load(settings, tmp_path))
        np.testing.assert_array_equal(dataset.targets[:, 0], reading[4:])
        np.testing.assert_array_equal(dataset.naive.values[:, 0], reading[3:-1])
        assert root_mean_squared_error(reading[4:], dataset.naive.values[:, 0]) == pytest.approx(
            np.sqrt(np.mean(np.diff(reading)[3:] ** 2)), rel=1e-12
        )
        windows = np.stack([reading[i : i + 4] for i in range(116)])
        np.testing.assert_allclose(inverse_transform(dataset).reshape(116, 4), windows, atol=1e-5)


def test_sequences_of_a_table_and_of_an_archive_keep_their_digits(tmp_path):
    t = 1.6e9 + np.arange(60.0) * 7
    csv(tmp_path, id=np.repeat(np.arange(12), 5), t=t, label=np.repeat(["a", "b"] * 6, 5))
    dataset = sequences.load(sequences.Settings(path="d.csv", id="id", target="label"), tmp_path)
    np.testing.assert_array_equal(inverse_transform(dataset).reshape(-1), t)
    lines = "".join(
        ":".join([",".join(map(repr, row.tolist())), "ab"[i % 2]]) + "\n" for i, row in enumerate(t.reshape(12, 5))
    )
    (tmp_path / "d.ts").write_text("@problemName d\n@univariate true\n@classLabel true a b\n@data\n" + lines)
    dataset = sequences.load(sequences.Settings(path="d.ts"), tmp_path)
    np.testing.assert_array_equal(inverse_transform(dataset).reshape(-1), t)


def test_a_side_table_keeps_its_digits(tmp_path):
    born = 1.6e9 + np.array([3.0, 90.0, 41.0])
    pd.DataFrame({"user": [1, 2, 3], "born": born}).to_csv(tmp_path / "u.csv", index=False)
    csv(tmp_path, user=[1, 2, 3, 1], item=[1, 1, 2, 2], rating=[1, 2, 3, 4])
    dataset = ratings.load(ratings.Settings(path="d.csv", users="u.csv"), tmp_path)
    np.testing.assert_array_equal(inverse_transform(dataset)[:, 0], born[[0, 1, 2, 0]])


def test_a_loader_and_its_pairs_keep_their_digits(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import numpy as np, torch\n"
        "X = 1.6e9 + np.random.default_rng(0).normal(size=(90, 3))\n"
        "y = 1e9 + np.arange(90) / 7\n"
        "def whole():\n    return X, y\n"
        "def pairs():\n    return [(torch.from_numpy(x), float(v)) for x, v in zip(X, y)]\n"
    )
    from tuner.sources.custom import loader as own

    x = 1.6e9 + np.random.default_rng(0).normal(size=(90, 3))
    for name in ("whole", "pairs"):
        loader = own.load(f"mine.py:{name}", tmp_path)
        dataset = loader.load(loader.Settings(name=f"mine.py:{name}", task="regression"), tmp_path)
        np.testing.assert_allclose(inverse_transform(dataset), x, rtol=1e-13)
        np.testing.assert_array_equal(dataset.targets[:, 0], 1e9 + np.arange(90) / 7)


def scored(folder, name, x, y, metric="rmse"):
    """A small search over these data: its results, and the report's own numbers."""
    csv(folder, a=x, y=y)
    path = write_space(
        folder, name=name, dataset={"name": "table", "path": "d.csv", "target": "y", "task": "regression"},
        model={"hidden_size": [4]}, training={"epochs": 20, "batch_size": 16}, metric=metric, search={"trials": 2},
    )  # fmt: skip
    search(path, folder / "study.db")
    return load(folder / "study.db", name)


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["rmse", "r2", "mae"])
def test_an_offset_of_features_and_targets_changes_no_score(tmp_path, metric):
    """The score is that of the same data with the offset removed; of the stored predictions, by scikit-learn."""
    x, y = np.round(100 * X[:, 0], 1), np.round(10 * Y, 2)
    plain = scored(tmp_path, "plain", x, y, metric)
    shifted = scored(tmp_path, "shifted", 1.6e9 + x, 2e7 + y, metric)
    assert shifted.score.mean == pytest.approx(plain.score.mean, rel=1e-3)
    assert shifted.against_dummy.mean == pytest.approx(plain.against_dummy.mean, rel=1e-9)


def test_the_score_is_what_float64_makes_of_the_stored_predictions(tmp_path):
    results = scored(tmp_path, "noise", X[:, 0], 1e9 + 9.25 * NOISE)
    found = predictions(results)
    for number, fold in enumerate(results.folds, start=1):
        own = found.folds == number
        expected = root_mean_squared_error(found.truth[own], found.outputs[own])
        assert fold.score == pytest.approx(expected, rel=1e-12)
    assert 8 < results.score.mean < 13
    code, out, _ = inside("report", tmp_path / "study.db", "--format", "json")
    assert code == 0 and json.loads(out)["score"]["mean"] == results.score.mean


def test_a_target_whose_square_overflows_is_refused():
    targets = np.full((5, 1), 1.0)
    targets[3] = 1e200
    with pytest.raises(
        DataError, match=r"the target of data row 4 is 1e\+200; squared errors of such numbers overflow"
    ):
        check(toy_dataset("toy", "regression", np.ones((5, 1), np.float32), targets, (), ("y",)))
