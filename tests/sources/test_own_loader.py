"""The user's own loader: whatever it plausibly returns is read, its arguments are settings, its mistakes are told."""

from importlib.metadata import EntryPoint

import numpy as np
import pytest
import sklearn.datasets
import torch
from own_data import written

from tuner.cli.console import error_text
from tuner.errors import DataError
from tuner.sources.custom import loader as own
from tuner.sources.loading import cache


@pytest.fixture
def folder(tmp_path):
    return written(tmp_path)


def load(folder, function, **wish):
    loader = own.load(f"my_data.py:{function}", folder)
    return loader.load(loader.Settings(**wish), folder)


def arrays(folder):
    random = np.random.default_rng(0)
    return random.normal(size=(36, 3)).astype(np.float32), np.arange(36) % 3


@pytest.mark.parametrize("function", ["load", "tensors", "tensor_dataset", "list_of_pairs", "lists"])
def test_arrays_however_they_come_are_the_same_rows(folder, function):
    x, y = arrays(folder)
    dataset = load(folder, function)
    np.testing.assert_array_equal(dataset.features, x)
    assert dataset.features.dtype == np.float32 and dataset.task == "classification"
    names = ("no", "yes", "maybe") if function == "lists" else ("0", "1", "2")
    assert [dataset.classes[code] for code in dataset.targets] == [names[i] for i in y]
    groups = None if function != "tensors" else (np.arange(36) // 2).tolist()
    assert groups == (None if dataset.roles.groups is None else dataset.roles.groups.tolist())


def test_named_arrays_are_what_they_are_called(folder):
    x, y = arrays(folder)
    dataset = load(folder, "named", scale="none")
    assert (dataset.layout, dataset.numbers.scale, dataset.roles.order.tolist()) == ("sequence", "none", (-y).tolist())
    assert dataset.lengths.tolist() == (y + 1).tolist() and dataset.roles.weights.tolist() == (y / 2).tolist()
    for row, length in enumerate(y + 1):
        expected = [*x[row, :length], *[0] * (3 - length)]  # what does not count is 0
        np.testing.assert_array_equal(dataset.features[row, :, 0], np.array(expected, np.float32))


@pytest.mark.parametrize("function", ["frame", "frame_and_series"])
def test_a_frame_is_read_as_a_table(folder, function):
    dataset = load(folder, function, **({"target": "y"} if function == "frame" else {}), time="when")
    assert dataset.inputs.names == ("a", "kind=u", "kind=v", "kind=w") and dataset.numbers.categories == (slice(1, 4),)
    assert dataset.roles.order.tolist() == list(range(36)) and dataset.targets.tolist() == [0, 1, 2] * 12


def test_a_frame_with_a_target_and_groups_beside_it(folder):
    dataset = load(folder, "frame_and_groups")
    assert (dataset.inputs.names, dataset.target.names, dataset.task) == (("a",), ("target",), "regression")
    assert dataset.roles.groups.tolist() == (np.arange(36) // 3).tolist()


def test_pairs_of_torch_are_stacked_and_pixels_may_have_classes(folder):
    dataset = load(folder, "pairs")
    assert dataset.features.shape == (36, 1, 4, 4) and dataset.targets.tolist() == [0, 1, 2] * 12
    assert dataset.features[:, 0, 0, 0].tolist() == list(range(36))
    masks = load(folder, "masks")
    assert (masks.task, masks.classes, masks.positions) == ("segmentation", ("0", "4"), (2, 2))
    assert masks.targets[:2].tolist() == [[[-1, 1], [0, 0]], [[-1, 1], [0, 1]]]


def test_its_folder_is_that_of_the_experiment_file(folder, monkeypatch):
    np.savetxt(folder / "numbers.txt", np.arange(72).reshape(36, 2))
    monkeypatch.chdir("/")
    assert load(folder, "beside").features[35].tolist() == [70, 71]


def test_what_is_installed_is_found_by_its_package(folder, monkeypatch):
    declared = [EntryPoint("wine", "sklearn.datasets:load_wine", "tuner")]
    monkeypatch.setattr("tuner.experiment.own_code.entry_points", lambda group: declared)
    loader = own.load("sklearn.datasets:load_wine", folder)
    dataset = loader.load(loader.Settings(return_X_y=True), folder)
    np.testing.assert_array_equal(dataset.features, sklearn.datasets.load_wine().data.astype(np.float32))


def test_a_dataset_of_our_own_is_taken_as_it_is(folder):
    (folder / "whole.py").write_text(
        "import dataclasses\nfrom pathlib import Path\nfrom tuner.sources import iris\n"
        "def good(): return iris.load(iris.Settings(), Path())\n"
        "def bad():\n"
        "    target = dataclasses.replace(good().target, values=good().targets + 1)\n"
        "    return dataclasses.replace(good(), target=target)\n"
    )
    loader = own.load("whole.py:good", folder)
    assert loader.load(loader.Settings(), folder).name == "iris"
    assert refused(folder, "bad", "whole.py") == (
        "error: whole.py:bad: class codes must be from 0 to 2; they are 1 … 3\n"
        "  = a name for each code; the first one without is in data row 101"
    )


def test_reversed_and_locked_arrays_are_given_to_torch_as_their_own(folder):
    x, _ = arrays(folder)
    for function, expected in (("reversed_rows", x[::-1]), ("locked", x)):
        dataset = load(folder, function)
        torch.from_numpy(dataset.features), torch.from_numpy(dataset.targets)  # a warning would be an error
        np.testing.assert_array_equal(dataset.features, expected)


WRONG = {  # of inputs, target and roles, each what is wrong
    "roles=Roles(weights=np.ones(3))": "12 rows of features but 3 of roles.weights",
    "roles=Roles(groups=np.arange(5))": "12 rows of features but 5 of roles.groups",
    "roles=Roles(groups=np.ones(12))": "roles.groups must be int64; it is float64\n  = an array of int64",
    "roles=Roles(order=[1] * 12)": "roles.order must be float64; it is list\n  = an array of float64",
    "roles=Roles(weights=np.zeros(12, 'f'))": "every weight is 0\n  = some row must count",
    "inputs=Tokens(tokens, words, np.full(12, 9))": "the length of data row 1 is 9, but a sequence has 4 steps",
    "inputs=Tokens(tokens + 5, words)": "tokens must be from 0 to 5; they are 5 … 9",
    "inputs=Ids(tokens, (words,))": "inputs.vocabularies has length 1; inputs.codes has the shape (12, 4)",
    "inputs=tokens": "inputs must be Numbers, Tokens or Ids; it is array(",
    "target=PerPosition(tokens, words, ('y',), 'zzz')": "target.task must be 'tagging', 'language' or",
    "target=Classes(np.arange(12) % 2, None)": "target.classes must be a tuple; it is None\n  = tuple[str, ...]",
    "inputs=Tokens(tokens, 'abcdef')": "inputs.words must be a tuple; it is 'abcdef'",
    "target=Amounts(y, ('y',), NaiveForecast(y, horizon='1'))": "horizon must be a whole number; it is '1'",
    "target=Amounts(y, ('y',), NaiveForecast(y, horizon=2))": "1 outputs cannot be divided into horizons of 2 steps",
    "roles=Roles(weights_for='all')": "roles.weights_for must be 'both', 'training' or 'scores'; it is 'all'",
    "inputs=Ids(tokens[:, :1], (words,), side=Numbers(np.zeros(12, 'f')))": "side.values must have 2, 3 or 4",
}


@pytest.mark.parametrize("change", WRONG)
def test_a_dataset_of_our_own_is_checked_whole(folder, change):
    (folder / "whole.py").write_text(
        "import numpy as np\n"
        "from tuner.data import (Amounts, Classes, Dataset, Ids, NaiveForecast, Numbers, PerPosition, Roles, Tokens)\n"
        "tokens, words, y = np.arange(48).reshape(12, 4) % 5, tuple('abcdef'), np.ones((12, 1))\n"
        "good = dict(name='x', inputs=Tokens(tokens, words), target=Classes(np.arange(12) % 2, ('a', 'b')))\n"
        f"def bad(): return Dataset(**{{**good, **dict({change})}})\n"
    )
    assert WRONG[change] in refused(folder, "bad", "whole.py")


def refused(folder, function, file="my_data.py", **wish):
    loader = own.load(f"{file}:{function}", folder)
    with pytest.raises(DataError) as caught:
        loader.load(loader.Settings(**wish), folder)
    return error_text(caught.value)


REFUSED = {
    "ragged": ("x of row 7 has the shape (1, 4, 5), that of row 1 (1, 4, 4)", "one shape for all; resize or pad them"),
    "endless": ("returns an Endless, whose number of rows is not known", "list(itertools.islice(it, 10000))"),
    "typo": ("returns a dict with 'targets'", "did you mean 'target'?"),
    "nothing": (
        "returned a value of type NoneType, not data",
        "return (X, y) or (X, y, groups); a dict of arrays called",
    ),
    "short": ("36 rows of features but 35 of target", None),
    "texts": ("its features are <U", "numbers of shape (N, D), (N, T, D) or (N, C, H, W)"),
    "long": ("'lengths' of data row 3 is 4, and a sequence has 3 steps", "whole numbers from 1 to 3"),
    "heavy": ("'weights' of data row 1 is '-1", "a weight is a number from 0 up"),
    "weightless": ("'weights' is 0 in every row", "some row must count"),
    "odd_masks": ("its target holds -5, which is not a class", "or -1 where nothing is asked"),
    "uneven": ("its features cannot be made an array", "rows of one shape"),
    "raises": (
        "my_data.py:raises fails: ValueError: no such patient\n",
        "fix the error in your code; --debug shows the traceback",
    ),
    "leaves": ("my_data.py:leaves fails: SystemExit: 3", "fix the error in your code"),
    "frame": ("returns a table, and nothing says which column is the target", "dataset.target: one of a, kind, when"),
    "cells": ("column 'a': row 1 holds a value of type list", "one in a cell"),
    "twice": ("two columns called 'a'", "rename one of them"),
    "empty": ("the table has no rows", None),
    "split_already": ("returned 4 values, not (X, y) or (X, y, groups)", "return all rows: tuner splits them"),
    "batches": ("returned a value of type DataLoader, not data", "return its data set, loader.dataset"),
    "two_inputs": ("its features are a dict ('image', 'table', …)", "return a DataFrame, whose columns have names"),
    "shuffled_labels": ("the index of y has the labels of X in another order", "y = y.loc[X.index]"),
}


@pytest.mark.parametrize("function", REFUSED)
def test_what_is_no_data_is_refused(folder, function):
    what, hint = REFUSED[function]
    said = refused(folder, function, **({"target": "y"} if function in ("cells", "twice", "empty") else {}))
    assert what in said and (hint is None or hint in said)


MISSING = {
    "x, pd.Series(texts(np.nan))": "the label of data row 6 is missing\n  = drop that row",
    "x, texts(np.nan)": "the label of data row 6 is missing",
    "x, texts(None)": "the label of data row 6 is missing",
    "x, pd.Series(texts(pd.NA), dtype='string')": "the label of data row 6 is missing",
    "x, np.arange(12) % 2, texts(np.nan)": "the group of data row 6 is missing",
    "dict(features=x, target=np.arange(12) % 2, split=texts(None))": "the split of data row 6 is missing",
    "list(zip(x, texts(np.nan)))": "the label of data row 6 is missing",
    "list(zip(x, texts(None)))": "the label of data row 6 is missing",
}


@pytest.mark.parametrize("what", MISSING)
def test_a_missing_label_is_no_class_and_a_missing_group_no_group(folder, what):
    (folder / "gaps.py").write_text(
        "import numpy as np\nimport pandas as pd\nx = np.arange(24.0).reshape(12, 2)\n"
        "def texts(gap): return ['a', 'b', 'c', 'a', 'b', gap] + list('abcabc')\n"
        f"def gap(): return {what}\n"
    )
    assert f"gaps.py:gap: {MISSING[what]}" in refused(folder, "gap", "gaps.py")


def test_settings_of_a_table_are_refused_beside_arrays(folder):
    said = refused(folder, "load", target="y")
    assert (
        said == "error: my_data.py:load: dataset.target is of a DataFrame, which it does not return\n  = leave it out"
    )


@pytest.mark.filterwarnings("ignore:Field name")  # of pydantic, which means well
def test_an_argument_may_be_called_like_what_sources_say_of_themselves(folder):
    (folder / "named.py").write_text("def load(reads: str = 'path'): return [[1.0], [2.0]], [0, 1]\n")
    loader = own.load("named.py:load", folder)
    assert len(cache.load(loader, loader.Settings(), folder)) == 2
