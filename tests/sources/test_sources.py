"""Bundled sources equal scikit-learn's arrays, the adding problem adds, and NPZ files load or say why not."""

from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

from tuner import registry
from tuner.cli.console import error_text
from tuner.data.check import check
from tuner.errors import DataError
from tuner.sources import adding, arrays, digits

HERE = Path()
BUNDLED = ["breast_cancer", "diabetes", "digits", "iris", "linnerud", "wine"]


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_source_equals_sklearns(name):
    module = registry.load("tuner.sources", name)
    dataset = check(module.load(module.Settings(), HERE))
    bunch = getattr(sklearn.datasets, f"load_{name}")()
    np.testing.assert_array_equal(dataset.features, bunch.data.astype(np.float32))
    np.testing.assert_array_equal(dataset.targets.squeeze(), bunch.target.astype(dataset.targets.dtype).squeeze())
    assert dataset.task == ("regression" if name in ("diabetes", "linnerud") else "classification")
    assert dataset.outputs == (len(bunch.target_names) if "target_names" in bunch else 1)
    assert dataset.inputs.names == tuple(bunch.feature_names)


@pytest.mark.parametrize(("layout", "shape"), [("rows", (8, 8)), ("image", (1, 8, 8))])
def test_digits_are_the_same_pixels_in_every_layout(layout, shape):
    dataset = digits.load(digits.Settings(layout=layout), HERE)
    assert dataset.layout == {"rows": "sequence", "image": "image"}[layout]
    np.testing.assert_array_equal(dataset.features, sklearn.datasets.load_digits().images.reshape(-1, *shape))


@pytest.mark.parametrize("length", [2, 5, 50])
def test_the_adding_problems_target_is_the_sum_of_the_marked_numbers(length):
    dataset = check(adding.load(adding.Settings(rows=200, length=length, seed=3), HERE))
    assert dataset.features.shape == (200, length, 2)
    for (numbers, marks), target in zip(dataset.features.transpose(0, 2, 1), dataset.targets[:, 0], strict=True):
        first, second = np.flatnonzero(marks)
        assert first < length // 2 <= second
        assert target == pytest.approx(float(numbers[first]) + float(numbers[second]), rel=1e-6)
        assert numbers.min() >= 0 and numbers.max() < 1


def test_always_predicting_one_has_the_papers_error_and_a_seed_is_a_data_set():
    first, again = (adding.load(adding.Settings(rows=20_000, length=10), HERE) for _ in range(2))
    assert ((first.targets - 1) ** 2).mean() == pytest.approx(1 / 6, rel=0.03)
    assert first.fingerprint() == again.fingerprint()
    assert first.fingerprint() != adding.load(adding.Settings(rows=20_000, length=10, seed=1), HERE).fingerprint()


def saved(folder, save=np.savez, **named):
    save(folder / "a.npz", **named)
    return arrays.load(arrays.Settings(path="a.npz"), folder)


@pytest.mark.parametrize(("shape", "layout"), [((9, 4), "flat"), ((9, 5, 4), "sequence"), ((9, 2, 5, 4), "image")])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_arrays_of_every_layout(tmp_path, shape, layout, save):
    x, y = np.random.default_rng(0).normal(size=shape), np.arange(9) % 3
    dataset = check(saved(tmp_path, save, X=x, y=y))
    np.testing.assert_array_equal(dataset.features, x.astype(np.float32))
    np.testing.assert_array_equal(dataset.targets, y)
    assert (dataset.layout, dataset.classes) == (layout, ("0", "1", "2"))


def test_npz_targets_decide_the_task(tmp_path):
    x = np.zeros((30, 2))
    assert saved(tmp_path, X=x, y=np.arange(30)).task == "regression"
    assert saved(tmp_path, X=x, y=np.arange(30) / 7).targets.shape == (30, 1)
    assert saved(tmp_path, X=x, y=np.ones((30, 3))).outputs == 3
    text = saved(tmp_path, X=x, y=np.array(["no", "yes"] * 15))
    assert text.classes == ("no", "yes") and text.targets.tolist() == [0, 1] * 15


X = np.zeros((4, 2))
REFUSED = {
    "pickled": ({"X": X, "y": np.array([{}, 1, 2, 3], dtype=object)}, "holds pickled objects"),
    "lengths": ({"X": X, "y": np.arange(3)}, "4 rows of features but 3 of targets"),
    "key": ({"x": X, "y": np.arange(4)}, "has no array 'X'"),
    "dimensions": ({"X": np.zeros(4), "y": np.arange(4)}, "'X' is float64 of shape (4,)"),
    "text": ({"X": np.array([["a"]] * 4), "y": np.arange(4)}, "'X' is <U1 of shape (4, 1)"),
    "no columns": ({"X": X, "y": np.zeros((4, 0))}, "the target is empty"),
    "scalar target": ({"X": X, "y": np.array(3)}, "4 rows of features but none of targets"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_npz_arrays_that_do_not_fit_are_refused(tmp_path, case):
    named, message = REFUSED[case]
    with pytest.raises(DataError) as caught:
        saved(tmp_path, **named)
    assert message in caught.value.message


def refused_bytes(folder, content):
    (folder / "b.npz").write_bytes(content)
    with pytest.raises(DataError) as caught:
        arrays.load(arrays.Settings(path="b.npz"), folder)
    return caught.value.message


def test_npz_files_that_are_damaged_are_refused(tmp_path):
    saved(tmp_path, np.savez_compressed, X=np.random.default_rng(0).normal(size=(50, 4)), y=np.arange(50))
    good = (tmp_path / "a.npz").read_bytes()
    assert "cannot be read as NPZ" in refused_bytes(tmp_path, good[: len(good) // 2])
    assert "cannot be read as NPZ" in refused_bytes(tmp_path, b"")
    assert "cannot be read as NPZ" in refused_bytes(tmp_path, good[:100] + bytes(200) + good[300:])


def test_a_text_file_is_not_called_pickled(tmp_path):
    assert "cannot be read as NPZ" in refused_bytes(tmp_path, b"x,y\n1,2\n")


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        arrays.load(arrays.Settings(path="none.npz"), tmp_path)


def test_a_number_too_large_for_float32_is_an_error_and_not_a_warning(tmp_path):
    with pytest.raises(DataError, match="row 2, column '1' is infinite"):
        check(saved(tmp_path, X=np.array([[1, 2], [3, 1e39], [5, 6]]), y=np.arange(3)))


FILES = {  # settings of each source that names a file
    "table": {"target": "y"},
    "ratings": {},
    "pairs": {},
    "forecast": {"target": "y"},
    "sequences": {"id": "i", "target": "y"},
    "arrays": {},
}


def refused(name, folder, **wish):
    module = registry.load("tuner.sources", name)
    with pytest.raises(DataError) as caught:
        module.load(module.Settings(**wish), folder)
    return error_text(caught.value)


@pytest.mark.parametrize("name", FILES)
def test_what_is_no_file_is_told_in_a_sentence(tmp_path, name):
    (tmp_path / "inside").mkdir()
    told = refused(name, tmp_path, path="inside", **FILES[name])
    assert told == f"error: {tmp_path}/inside is a folder, not a file\n  = dataset.path: a file inside"
    told = refused(name, tmp_path, path="x" * 5000, **FILES[name])
    assert told.endswith("x… cannot be read: File name too long") and len(told) < 300
    assert refused(name, tmp_path, path="a\0b", **FILES[name]).startswith(f"error: {tmp_path}/a\\0b: no such file")


def test_a_folder_of_labels_is_no_file_of_labels(tmp_path):
    (tmp_path / "t.txt").write_text("one\ntwo\n")
    (tmp_path / "inside").mkdir()
    for name, key in (("texts", "labels"), ("pairs", "answers")):
        told = refused(name, tmp_path, path="t.txt", **{key: "inside"})
        assert told == f"error: {tmp_path}/inside is a folder, not a file\n  = dataset.{key}: a file inside"
