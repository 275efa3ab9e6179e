"""What only test rows show is counted as sets would count it, and told by check and report."""

import numpy as np
from helpers import inside, search, write_space
from hypothesis import given
from hypothesis import strategies as st
from toy_data import toy_dataset

from tuner.data.unseen import in_words, unseen

TRAIN, TEST = np.arange(12), np.arange(12, 20)


@given(st.lists(st.tuples(st.integers(2, 6), st.integers(2, 9)), min_size=20, max_size=20))
def test_ids_are_counted_as_sets_are(pairs):
    words = tuple(map(str, range(10)))
    blank = np.zeros((20, 1), np.float32)
    dataset = toy_dataset(
        "toy", "regression", np.array(pairs), blank, ("user", "item"), ("y",), vocabularies=(words, words)
    )
    expected = {}
    for column, kind in enumerate(("users", "items")):
        known, met = ({pairs[row][column] for row in rows} for rows in (TRAIN, TEST))
        if met - known:
            expected[kind] = (len(met - known), len(met))
    assert unseen(dataset, TRAIN, TEST) == expected


def test_classes_of_rows_and_steps_and_categories_are_counted():
    codes = np.where(np.arange(20) < 15, 0, np.arange(20) % 3)
    one_hot = np.eye(3, dtype=np.float32)[codes]
    one_hot[13] = np.nan
    flat = toy_dataset("toy", "classification", one_hot, codes, (), ("y",), ("a", "b", "c"), (slice(0, 3),))
    assert unseen(flat, TRAIN, TEST) == {"classes": (2, 3), "categories": (2, 3)}
    steps = np.stack([codes, np.full(20, -1)], axis=1)
    tagged = toy_dataset("toy", "tagging", np.zeros((20, 2, 1), np.float32), steps, (), ("y",), ("a", "b", "c"))
    assert unseen(tagged, TRAIN, TEST) == {"classes": (2, 3)}
    assert unseen(tagged, np.arange(20), TEST) == {}


def test_many_folds_are_told_in_short():
    assert in_words({"outer-1": {}, "final": {}}) is None
    found = {f"outer-{i}": {"users": (i, 1000), "items": (1, 2)} for i in range(1, 6)}
    assert in_words(found) == ("outer-1 1 of 1,000 users and 1 of 2 items; outer-2 2 of 1,000 users and 1 of 2 items; "
                               "outer-3 3 of 1,000 users and 1 of 2 items; and 2 more outer folds")  # fmt: skip


def test_check_and_report_tell(tmp_path):
    """Every user rates once, so all of a test fold are new; the items are known."""
    (tmp_path / "r.csv").write_text("user,item,rating\n" + "".join(f"{i},{i % 3},{i % 5}\n" for i in range(30)))
    path = write_space(tmp_path, dataset={"name": "ratings", "path": "r.csv"}, model="recommender",
                       training={"epochs": 1}, search={"trials": 1})  # fmt: skip
    counts = "; ".join(f"outer-{i} 10 of 10 users" for i in (1, 2, 3))
    assert f"unseen    {counts}\n" in inside("check", path)[1]
    search(path, tmp_path / "study.db")
    said = " ".join(inside("report", tmp_path / "study.db")[1].split())
    assert f"Unseen in training: {counts}." in said
