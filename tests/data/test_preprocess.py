"""Preparation equals scikit-learn's imputer and scaler fitted on the training rows, and nothing else leaks in."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler
from toy_data import toy_dataset

from tuner.data.preprocess import fit
from tuner.training.lane_data import DatasetTensors, LaneData
from tuner.training.lanes import Lane

CPU = torch.device("cpu")
TRAIN, REST = np.arange(30), np.arange(30, 40)


def amounts(features, targets=None, **how):
    targets = np.zeros((len(features), 1), np.float32) if targets is None else targets
    return toy_dataset("toy", "regression", features.astype(np.float32), targets, (), ("y",), **how)


def prepared(dataset, train=TRAIN, rows=None):
    """All rows as a lane sees them that trains on `train`."""
    rows = np.arange(len(dataset)) if rows is None else rows
    data = LaneData(DatasetTensors(dataset, CPU), [Lane(train, (np.setdiff1d(rows, train),), 0)])
    return data.inputs(torch.from_numpy(rows)[None])[0][0].numpy()


def with_holes(seed=0, shape=(40, 4)):
    random = np.random.default_rng(seed)
    x = random.normal(5, 3, shape).astype(np.float32)
    x[random.random(shape) < 0.2] = np.nan
    return x


@pytest.mark.parametrize("impute", ["mean", "median"])
@pytest.mark.parametrize("scale", ["standard", "none"])
def test_flat_features_equal_sklearns_imputer_and_scaler(impute, scale):
    x = with_holes()
    imputer = SimpleImputer(strategy=impute).fit(x[TRAIN].astype(np.float64))
    expected = imputer.transform(x.astype(np.float64))
    if scale == "standard":
        expected = StandardScaler().fit(expected[TRAIN]).transform(expected)
    np.testing.assert_allclose(prepared(amounts(x, impute=impute, scale=scale)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("impute", ["mean", "median"])
def test_values_missing_only_outside_the_training_rows_are_imputed_as_well(impute):
    x = np.random.default_rng(0).normal(50, 3, (40, 2))
    x[REST[:4], 0] = np.nan
    expected = SimpleImputer(strategy=impute).fit(x[TRAIN]).transform(x)
    found = prepared(amounts(x, impute=impute, scale="none"))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(("shape", "axis"), [((40, 6, 3), -1), ((40, 3, 4, 5), 1)])
def test_sequences_scale_per_feature_and_images_per_channel(shape, axis):
    x = with_holes(1, shape) * np.arange(1, 4).reshape([3 if a == axis % len(shape) else 1 for a in range(len(shape))])
    x = x.astype(np.float32)
    table = np.moveaxis(x, axis, -1).astype(np.float64)
    imputer = SimpleImputer().fit(table[TRAIN].reshape(-1, 3))
    filled = imputer.transform(table.reshape(-1, 3)).reshape(table.shape)
    scaler = StandardScaler().fit(filled[TRAIN].reshape(-1, 3))
    expected = np.moveaxis(scaler.transform(filled.reshape(-1, 3)).reshape(table.shape), -1, axis)
    np.testing.assert_allclose(prepared(amounts(x, impute="mean")), expected, rtol=1e-4, atol=1e-5)


def test_targets_are_scaled_by_the_training_rows_and_come_back_in_units():
    random = np.random.default_rng(0)
    y = random.normal(100, 20, (40, 2)).astype(np.float32)
    data = LaneData(DatasetTensors(amounts(with_holes(), y, impute="mean"), CPU), [Lane(TRAIN, (REST,), 0)])
    rows = torch.arange(40)[None]
    expected = StandardScaler().fit(y[TRAIN]).transform(y)
    np.testing.assert_allclose(data.targets(rows)[0], expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(data.inverse_transform(data.targets(rows))[0], y, rtol=1e-5)
    np.testing.assert_array_equal(data.labels(rows)[0], y)


def test_each_lane_has_its_own_statistics():
    x = with_holes()
    dataset = amounts(x, impute="mean")
    lanes = [Lane(np.arange(20), (REST,), 0), Lane(np.arange(10, 30), (REST,), 1)]
    together = LaneData(DatasetTensors(dataset, CPU), lanes).inputs(torch.arange(40).repeat(2, 1))[0]
    for k, lane in enumerate(lanes):
        np.testing.assert_array_equal(together[k], prepared(dataset, lane.train))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from([-1e6, 0.0, 7.0, 1e6, np.nan]))
def test_statistics_do_not_change_with_validation_or_test_rows(seed, poison):
    x, y = with_holes(seed), np.random.default_rng(seed).normal(size=(40, 1)).astype(np.float32)
    before = fit(amounts(x, y, impute="median"), TRAIN)
    x[REST], y[REST] = poison, poison
    after = fit(amounts(x, y, impute="median"), TRAIN)
    for name in ("fill", "shift", "scale", "target_shift", "target_scale"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))


def test_a_constant_feature_becomes_zero_without_a_division_by_zero():
    x = np.full((40, 1), 0.1)
    np.testing.assert_allclose(prepared(amounts(x)), 0, atol=1e-6)


@pytest.mark.parametrize("unit", [1e-20, 1e-13, 1.0, 1e20])
def test_the_unit_of_a_feature_or_target_does_not_matter(unit):
    values = np.random.default_rng(0).normal(size=(40, 1))
    dataset = amounts(values * unit, (values * unit).astype(np.float32))
    expected = StandardScaler().fit(values[TRAIN]).transform(values)
    np.testing.assert_allclose(prepared(dataset), expected, rtol=1e-4, atol=1e-5)
    assert fit(dataset, TRAIN).target_scale[0] * unit == pytest.approx(1 / values[TRAIN].std(), rel=1e-4)


def test_a_number_that_the_training_rows_never_know_cannot_reach_the_model():
    x = with_holes()
    x[TRAIN, 2] = np.nan
    x[REST, 2] = 1e6
    out = prepared(amounts(x, impute="mean"))
    assert (out[:, 2] == 0).all(), "scikit-learn's SimpleImputer drops such a feature"


def one_hot(codes, levels):
    return np.where(np.isnan(codes)[:, None], np.nan, codes[:, None] == np.arange(levels)).astype(np.float32)


def test_a_category_that_training_never_shows_is_zero_and_the_others_stay_one_hot():
    codes = np.array([0.0, 1.0] * 15 + [2.0, 0.0] * 5)
    out = prepared(amounts(one_hot(codes, 3), categories=(slice(0, 3),)))
    np.testing.assert_array_equal(out[TRAIN], np.eye(3)[codes[TRAIN].astype(int)])
    assert (out[30] == 0).all()
    np.testing.assert_array_equal(out[31], [1, 0, 0])


def test_a_missing_category_becomes_the_most_frequent_of_the_training_rows():
    codes = np.array([1.0, 1.0, 0.0] * 10 + [0.0] * 8 + [np.nan] * 2)
    out = prepared(amounts(one_hot(codes, 2), categories=(slice(0, 2),), impute="mean"))
    np.testing.assert_array_equal(out[38:], [[0, 1], [0, 1]])


def test_a_category_column_that_training_never_knows_is_zero():
    codes = np.array([np.nan] * 30 + [0.0, 1.0] * 5)
    out = prepared(amounts(one_hot(codes, 2), categories=(slice(0, 2),), impute="mean"))
    assert (out == 0).all()
