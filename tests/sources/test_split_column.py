"""A split column is cut as it names: train and test once, fold numbers as scikit-learn's PredefinedSplit."""

import numpy as np
import pandas as pd
import pytest
from helpers import inside, search, write_space
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.model_selection import PredefinedSplit
from toy_data import toy_dataset

from tuner.data.resampling import plan
from tuner.errors import DataError
from tuner.experiment.sections import Resampling
from tuner.report import load
from tuner.search.prepare import load_data, prepare
from tuner.sources.columns.split import read_split

ROWS = 60
CLASSES = np.arange(ROWS) % 2
PARTS = np.array(["train"] * 30 + ["val"] * 10 + ["test"] * 20)
MORE = {"who": np.arange(ROWS) // 3, "when": np.arange(ROWS)[::-1], "weight": np.arange(ROWS) % 4 / 2}
PREDEFINED = np.repeat([-1, 0, 1, 2], 15)


def toy(column, name="part"):
    split = read_split(pd.DataFrame({name: column}), name, "t.csv").codes
    zeros = np.zeros((len(split), 1), np.float32)
    return toy_dataset("toy", "regression", zeros, zeros, (), ("y",), split=split)


@settings(deadline=None, max_examples=80)
@given(st.lists(st.integers(-1, 3), min_size=12, max_size=30), st.sampled_from([int, float, str]))
def test_fold_numbers_with_minus_one_are_sklearns_predefined_split(folds, kind):
    assume(-1 in folds and len(set(folds)) > 2)
    *outer, _ = plan(Resampling(inner=2), toy([kind(fold) for fold in folds])).chains
    expected = list(PredefinedSplit(folds).split())
    assert len(outer) == len(expected)
    for chain, (train, test) in zip(outer, expected, strict=True):
        assert chain.rows.tolist() == train.tolist() and chain.test.tolist() == test.tolist()


@pytest.mark.parametrize("words", [("train", "val", "test"), ("TRAIN", " Dev ", "Test"),
                                   ("training", "validation", "testing"), ("Train", "valid", "TEST")])  # fmt: skip
def test_train_and_test_are_cut_once_and_validation_rows_train(words):
    named = dict(zip(("train", "val", "test"), words, strict=True))
    outer, final = plan(Resampling(), toy([named[part] for part in PARTS])).chains
    assert outer.test.tolist() == np.flatnonzero(PARTS == "test").tolist()
    assert outer.rows.tolist() == np.flatnonzero(PARTS != "test").tolist()
    assert final.rows.tolist() == list(range(ROWS))
    for chain in (outer, final):
        assert len(chain.folds) == 5
        validated = np.sort(np.concatenate([fold.validation for fold in chain.folds]))
        assert validated.tolist() == chain.rows.tolist(), "the inner folds stay inside"


def test_two_named_folds_leave_none_to_share_and_inner_folds_are_cut_at_random():
    first, second, final = plan(Resampling(), toy(["a", "b"] * 30)).chains
    assert (first.test.tolist(), second.test.tolist()) == (list(range(0, ROWS, 2)), list(range(1, ROWS, 2)))
    assert [len(chain.folds) for chain in (first, second, final)] == [5, 5, 5]


def test_rows_that_are_never_tested_never_validate_shared_folds_either():
    *outer, final = plan(Resampling(), toy(PREDEFINED)).chains
    assert [sorted(set(PREDEFINED[chain.test])) for chain in outer] == [[0], [1], [2]]
    for chain in (*outer, final):
        others = [fold for fold in (0, 1, 2) if fold not in PREDEFINED[chain.test]]
        assert [sorted(set(PREDEFINED[fold.validation])) for fold in chain.folds] == [[other] for other in others]
        for fold in chain.folds:
            assert set(np.flatnonzero(PREDEFINED == -1)) <= set(fold.train)


@pytest.mark.parametrize(
    ("name", "tests"),
    [("is_test", 1), ("test", 1), ("isTest", 1), ("train", 0), ("is_train", 0), ("in_training", 0), ("Testing", 1)],
)
@pytest.mark.parametrize("values", [(0, 1), (0.0, 1.0), ("0", "1"), (False, True), ("false", "True")])
def test_zeros_and_ones_are_read_by_the_name_of_their_column(name, tests, values):
    marks = np.arange(ROWS) % 3 == 0
    outer, _ = plan(Resampling(), toy([values[int(mark)] for mark in marks], name)).chains
    assert outer.test.tolist() == np.flatnonzero(marks == bool(tests)).tolist()


def test_names_of_folds_are_folds():
    for column in (["north", "south", "west"] * 20, [7, 8, 9] * 20, ["fold-1", "fold-10", "fold-2"] * 20, [1, 2] * 30):
        *outer, _ = plan(Resampling(inner=2), toy(column)).chains
        expected = [np.flatnonzero(np.array(column) == value).tolist() for value in sorted(set(column))]
        assert [chain.test.tolist() for chain in outer] == expected


BOTH = "write train and test, fold names such as a and b, or -1 (never tested), 0, 1, … as in PredefinedSplit"
REFUSED = {
    "bare numbers": (
        "part", [0, 1] * 30, "holds only 0 and 1, and its name does not say which of them tests",
        f"call it is_test or is_train; or {BOTH}",
    ),
    "bare truths": ("part", [False, True] * 30, "holds only false and true, and its name", "is_test or is_train"),
    "a name that says both": ("train_test", [0, 1] * 30, "holds only 0 and 1", "is_test or is_train"),
    "no test rows": ("part", ["train", "val"] * 30, "calls no row test", "call the rows that test 'test'"),
    "no training rows": ("part", ["test"] * ROWS, "calls no row train", "call the rows that train 'train'"),
    "another word": ("part", ["train", "test", "holdout"] * 20, "holds train or test and also 'holdout'", BOTH),
    "all zeros": ("is_test", [0] * ROWS, "is the same in every row, so that no row tests", "mark some rows"),
    "all ones": ("is_test", [1] * ROWS, "is the same in every row, so that no row trains", "mark some rows"),
    "one fold": ("part", ["a"] * ROWS, "the split column has the same value in every row", "at least two parts"),
    "only -1": ("part", [-1] * ROWS, "the split column has the same value in every row", "at least two parts"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_column_that_does_not_say_who_tests_is_refused_with_the_cure(case):
    name, column, text, cure = REFUSED[case]
    with pytest.raises(DataError) as caught:
        plan(Resampling(), toy(column, name))
    assert text in caught.value.message
    assert cure in caught.value.hint


LOADER = """
import numpy as np
def load():
    rows = {rows}
    split = np.array(["train"] * 30 + ["val"] * 10 + ["test"] * 20)
    return {{"features": np.arange(rows)[:, None] * 1.0, "target": np.arange(rows) % 2, "split": split}}
"""


def table(folder):
    pd.DataFrame({"x": range(ROWS), "y": CLASSES, "part": PARTS, **MORE}).to_csv(folder / "t.csv", index=False)
    return {"name": "table", "path": "t.csv", "target": "y", "split": "part"}


def arrays(folder):
    np.savez(folder / "a.npz", X=np.arange(ROWS * 2.0).reshape(ROWS, 2), y=CLASSES, part=PARTS, **MORE)
    return {"name": "arrays", "path": "a.npz", "split": "part"}


def encoded(folder):
    np.savez(folder / "a.npz", X=np.arange(ROWS * 2.0).reshape(ROWS, 2), y=CLASSES, part=PARTS.astype("S"))
    return {"name": "arrays", "path": "a.npz", "split": "part"}


def texts(folder):
    words = [f"word{i} {'good' if i % 2 else 'bad'}" for i in range(ROWS)]
    pd.DataFrame({"text": words, "label": CLASSES, "part": PARTS, **MORE}).to_csv(folder / "t.csv", index=False)
    return {"name": "texts", "path": "t.csv", "text": "text", "target": "label", "split": "part"}


def images(folder):
    for i in range(ROWS):
        Image.fromarray(np.full((4, 4), 4 * i, np.uint8)).save(folder / f"{i}.png")
    files = {"image": [f"{i}.png" for i in range(ROWS)], "y": CLASSES, "part": PARTS, **MORE}
    pd.DataFrame(files).to_csv(folder / "t.csv", index=False)
    return {"name": "images", "path": "t.csv", "image": "image", "target": "y", "split": "part"}


def loader(folder):
    (folder / "my_data.py").write_text(LOADER.format(rows=ROWS))
    return {"name": "my_data.py:load"}


@pytest.mark.parametrize("source", [table, arrays, encoded, texts, images, loader])
def test_every_source_reads_its_split_column_alike(source, tmp_path):
    dataset = load_data(write_space(tmp_path, dataset=source(tmp_path)))
    assert dataset.roles.split.dtype == np.int64
    assert dataset.roles.split.tolist() == np.where(PARTS == "test", 0, -1).tolist()
    assert any("its 10 validation rows join training" in note for note in dataset.notes)


@pytest.mark.parametrize("source", [table, arrays, texts, images])
@pytest.mark.parametrize("where", ["both", "training", "scores"])
def test_every_source_reads_groups_times_and_weights_alike(source, where, tmp_path):
    named = {"groups": "who", "time": "when", "weights": "weight", "weights_for": where}
    dataset = source(tmp_path) | named
    roles = load_data(write_space(tmp_path, dataset={key: v for key, v in dataset.items() if key != "split"})).roles
    assert pd.factorize(roles.groups)[0].tolist() == MORE["who"].tolist()  # in whatever order
    assert roles.order.tolist() == MORE["when"].tolist()
    assert roles.weights.tolist() == MORE["weight"].tolist() and roles.weights_for == where
    assert roles.split is None


TOLD = {
    "train and test": np.where(PARTS == "test", "test", "train"),
    "train, validation and test": PARTS,
    "predefined": np.where(PARTS == "test", 0, -1),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", TOLD)
def test_a_column_that_cuts_once_from_the_command_line(case, tmp_path):
    pd.DataFrame({"x": range(ROWS), "y": CLASSES, "part": TOLD[case]}).to_csv(tmp_path / "t.csv", index=False)
    dataset = {"name": "table", "path": "t.csv", "target": "y", "split": "part"}
    path = write_space(tmp_path, dataset=dataset, resampling={"outer": None, "inner": 3}, search={"trials": 1})
    code, out, err = inside("check", path)
    assert (code, err) == (0, "")
    joined = "t.csv: the split column 'part': its 10 validation rows join training"
    assert (f"warning: {joined}" in out) == (case == "train, validation and test")
    assert "cut once: 20 rows test, 40 train" in inside("data", path)[1]
    search(path, tmp_path / "study.db")
    said = " ".join(inside("report", tmp_path / "study.db")[1].split())
    assert "(one fold: no interval)" in said and "67% of the data" in said and "(1 outer fold)" in said
    assert (f"Note: {joined}" in said) == (case == "train, validation and test")
    assert "what to deploy is chosen on all rows, test rows included" in said
    assert "All outer folds have the same score" not in said and "expect about" not in said
    header = load(tmp_path / "study.db").header
    assert [(chain.rows, chain.test) for chain in header.chains] == [(40, 20), (60, 0)]


@pytest.mark.parametrize("column", [["train", "test"] * 30, ["a", "b"] * 30, [-1, 0] * 30], ids=str)
def test_nobody_is_told_of_an_outer_2_that_nobody_wrote(column, tmp_path):
    pd.DataFrame({"x": range(ROWS), "y": np.arange(ROWS) // 2 % 2, "part": column}).to_csv(tmp_path / "t.csv")
    dataset = {"name": "table", "path": "t.csv", "target": "y", "split": "part"}
    code, out, err = inside("check", write_space(tmp_path, dataset=dataset, resampling={"outer": None}))
    assert (code, err) == (0, "")
    assert "5 inner folds" in out


def test_a_bare_column_of_zeros_and_ones_is_refused_at_its_setting(tmp_path):
    pd.DataFrame({"x": range(ROWS), "y": CLASSES, "part": [0, 0, 1] * 20}).to_csv(tmp_path / "t.csv")
    dataset = {"name": "table", "path": "t.csv", "target": "y", "split": "part"}
    code, _, err = inside("check", write_space(tmp_path, dataset=dataset, resampling={"outer": None}))
    assert code == 2
    assert "t.csv: the split column 'part' holds only 0 and 1, and its name does not say which of them tests" in err
    assert f"= call it is_test or is_train; or {BOTH}" in " ".join(err.split())


@pytest.mark.parametrize(
    ("resampling", "why"),
    [({"kind": "random", "outer": 3}, "resampling.kind is random"),
     ({"outer": "none", "inner": 3}, "resampling.outer is none")],
)  # fmt: skip
def test_a_split_column_that_cuts_nothing_is_warned_of(tmp_path, resampling, why):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"a": rng.normal(size=60), "y": rng.choice(["u", "v"], 60), "part": ["train", "train", "test"] * 20}
    )
    frame.to_csv(tmp_path / "d.csv", index=False)
    data = {"name": "table", "path": "d.csv", "target": "y", "split": "part"}
    code, out, _ = inside("check", write_space(tmp_path, dataset=data, resampling=resampling))
    assert code == 0 and f"warning: the split column is not used, as {why}" in out


def test_inner_folds_of_a_named_split_keep_groups_together_and_parted_groups_are_warned_of(tmp_path):
    rng = np.random.default_rng(0)
    who, part = np.repeat(np.arange(20), 3), np.repeat(["train"] * 14 + ["test"] * 6, 3)
    part[0] = "test"
    frame = pd.DataFrame({"a": rng.normal(size=60), "y": rng.choice(["u", "v"], 60), "part": part, "who": who})
    frame.to_csv(tmp_path / "d.csv", index=False)
    data = {"name": "table", "path": "d.csv", "target": "y", "split": "part", "groups": "who"}
    path = write_space(tmp_path, dataset=data, resampling={"kind": "split", "outer": None, "inner": 3})
    code, out, _ = inside("check", path)
    assert code == 0 and "warning: the split column divides 1 of 20 groups: their rows train and test" in out
    prepared = prepare(path)
    for chain in prepared.plan.chains:
        for fold in chain.folds:
            assert not {*who[fold.train]} & {*who[fold.validation]}
