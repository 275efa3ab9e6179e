"""Forward in time no training row knows what it is tested on: forecasts of any horizon, in outer and inner folds."""

import json

import numpy as np
import pytest
from helpers import inside, search, write_space
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import root_mean_squared_error
from tiny import months, written
from toy_data import toy_dataset

from tuner.data.resampling import plan
from tuner.errors import DataError
from tuner.experiment.sections import InnerFolds, Resampling


@st.composite
def forecasts(draw):
    """Rows by the steps that they ask for, [first, last], of one or several series that begin at other times."""
    horizon, stride = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    spans = [
        (first, first + horizon - 1)
        for start, count in draw(st.lists(st.tuples(st.integers(0, 9), st.integers(20, 40)), min_size=1, max_size=3))
        for first in range(start, start + count, stride)
    ]
    order, until = np.array(draw(st.permutations(spans)), dtype=float).T
    blank = np.zeros((len(order), 1), np.float32)
    return toy_dataset("toy", "regression", blank, blank, (), ("y",), order=order, until=until)


@settings(deadline=None, max_examples=80)
@given(forecasts(), st.integers(1, 4), st.sampled_from(["shared", 2, InnerFolds(holdout=0.3)]), st.integers(0, 3))
def test_no_step_that_a_training_row_asks_for_is_one_that_tests_it(dataset, folds, inner, gap):
    try:
        chains = plan(Resampling(outer=folds + 1, inner=inner, gap=gap), dataset).chains
    except DataError:
        assume(False)
    asked = [set(range(int(a), int(b) + 1)) for a, b in zip(dataset.roles.order, dataset.roles.until, strict=True)]
    for chain in chains:
        pairs = [(fold.train, fold.validation) for fold in chain.folds]
        pairs += [(chain.rows, chain.test)] if len(chain.test) else []
        pairs += [(fold.validation, chain.test) for fold in chain.folds] if len(chain.test) else []
        for train, test in pairs:
            known, tested = (set().union(*(asked[row] for row in rows)) for rows in (train, test))
            assert max(known) < min(tested)


@settings(deadline=None, max_examples=40)
@given(forecasts(), st.integers(2, 5))
def test_no_more_rows_are_left_out_than_that_takes(dataset, folds):
    try:
        chains = plan(Resampling(outer=folds), dataset).chains[:-1]
    except DataError:
        assume(False)
    for chain in chains:
        first = dataset.roles.order[chain.test].min()
        assert chain.rows.tolist() == np.flatnonzero(dataset.roles.until < first).tolist()


def test_targets_that_reach_over_everything_are_told():
    order = np.arange(30.0)
    blank = np.zeros((30, 1), np.float32)
    dataset = toy_dataset("toy", "regression", blank, blank, (), ("y",), order=order, until=order + 20)
    with pytest.raises(DataError, match="targets that reach into the rows that test leaves nothing to train on"):
        plan(Resampling(outer=5), dataset)


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A forecast of two years to come from a series with a season, searched once."""
    folder = tmp_path_factory.mktemp("forecast")
    values = [round(50 + 0.1 * i + 20 * np.sin(i * np.pi / 6) + (i * 37 % 5), 1) for i in range(96)]
    written(folder, [(month, value, 0) for month, value in zip(months(96), values, strict=True)])
    dataset = {"name": "forecast", "path": "f.csv", "target": "sales", "time": "when", "horizon": 2}
    path = write_space(folder, dataset=dataset, metric="rmse", training={"epochs": 1}, search={"trials": 1})
    search(path, folder / "study.db")
    return folder, values


def test_the_dummy_is_the_seasonal_naive_forecast_in_the_series_own_units(searched):
    folder, values = searched
    report = json.loads(inside("report", folder / "study.db", "--format", "json")[1])
    rows = [(t, t + 1) for t in range(12, 95)]  # the steps that each window asks for
    parts = np.array_split(np.arange(len(rows)), 5)[2:]
    for fold, part in zip(report["outer_folds"], parts, strict=True):
        truth = [[values[t] for t in rows[row]] for row in part]
        naive = [[values[t - 12] for t in rows[row]] for row in part]
        assert fold["dummy"] == pytest.approx(root_mean_squared_error(truth, naive), rel=1e-5)


def test_the_report_names_the_seasonal_naive_forecast(searched):
    said = " ".join(inside("report", searched[0] / "study.db")[1].split())
    assert "the seasonal-naive forecast of 12 steps (" in said
    assert "a dummy that ignores the features" not in said


def test_targets_that_leave_no_inner_fold_are_told():
    order, blank = np.arange(35.0), np.zeros((35, 1), np.float32)
    dataset = toy_dataset("toy", "regression", blank, blank, (), ("y",), order=order, until=order + 5)
    with pytest.raises(DataError, match="only one part lies before the first test part") as caught:
        plan(Resampling(outer=5), dataset)
    assert caught.value.hint == "fewer outer folds, or a smaller gap or horizon"
