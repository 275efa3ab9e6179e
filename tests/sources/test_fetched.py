"""Data sets by name: read from the libraries' own caches, written here by hand; offline and not cached is told."""

import codecs
import gzip
import hashlib
import importlib.util
import json
import pickle
import re

import joblib
import numpy as np
import pytest
from helpers import inside, write_space
from sklearn.utils import Bunch

from tuner.data.check import check
from tuner.errors import DataError
from tuner.sources import fetch, huggingface, newsgroups, openml


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty cache of scikit-learn's, and no way into the net."""
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    for proxy in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")  # nobody listens there
    return tmp_path


def kept(home, path, content):
    place = home / "openml" / "openml.org" / f"{path}.gz"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(gzip.compress(content.encode()))


COLUMNS = {"size": "numeric", "colour": "nominal", "id": "numeric", "class": "nominal"}
COLOURS, SIZES = ["red", "blue", "red", "blue", "green", "red"] * 5, np.arange(30) / 4


def flowers(home, target="class", status="active"):
    """What scikit-learn would keep of a set of openml's."""
    no = dict.fromkeys(("is_target", "is_ignore", "is_row_identifier"), "false") | {"number_of_missing_values": "0"}
    features = [{**no, "index": str(i), "name": key, "data_type": COLUMNS[key]} for i, key in enumerate(COLUMNS)]
    features[2]["is_row_identifier"] = "true"
    for feature in features:
        feature["is_target"] = str(feature["name"] == target).lower()
    lines = [f"{size},{colour},{i},{'ab'[i % 2]}" for i, (size, colour) in enumerate(zip(SIZES, COLOURS, strict=True))]
    head = ["size numeric", "colour {red,green,blue}", "id numeric", "class {a,b}"]
    arff = "\n".join(["@relation flowers", *(f"@attribute {each}" for each in head), "@data", *lines, ""])
    about = {
        "id": "7", "name": "flowers", "version": "2", "description": "", "format": "ARFF", "status": status,
        "file_id": "70",
        "md5_checksum": hashlib.md5(arff.encode()).hexdigest(),
        "url": "https://www.openml.org/data/v1/download/70/flowers.arff",
    }  # fmt: skip
    api = "api/v1/json/data"
    kept(home, f"{api}/7", json.dumps({"data_set_description": about}))
    kept(home, f"{api}/features/7", json.dumps({"data_features": {"feature": features}}))
    quality = [{"name": "NumberOfInstances", "value": "30.0"}]
    kept(home, f"{api}/qualities/7", json.dumps({"data_qualities": {"quality": quality}}))
    found = {"data": {"dataset": [{"did": 7, "name": "flowers", "version": 2, "status": status}]}}
    kept(home, f"{api}/list/data_name/flowers/limit/2/data_version/2", json.dumps(found))
    kept(home, "data/v1/download/70/flowers.arff", arff)


@pytest.mark.parametrize("wish", [{"id": 7}, {"data": "flowers", "version": 2}])
def test_openml_from_the_cache(home, wish):
    flowers(home)
    dataset = check(openml.load(openml.Settings(**wish), home))
    assert dataset.inputs.names == ("size", "colour=blue", "colour=green", "colour=red")
    np.testing.assert_array_equal(dataset.features[:, 0], SIZES.astype(np.float32))
    assert [("blue", "green", "red")[code] for code in dataset.features[:, 1:].argmax(axis=1)] == COLOURS
    assert dataset.classes == ("a", "b") and dataset.targets.tolist() == [0, 1] * 15


def test_openml_with_another_target_and_a_warning(home):
    flowers(home, status="deactivated")
    dataset = openml.load(openml.Settings(id=7, target="size", drop="class"), home)
    assert dataset.task == "regression" and len(dataset.inputs.names) == 3
    assert dataset.notes[0].startswith("Version 2 of dataset flowers is inactive")


def test_openml_without_a_target_of_its_own(home):
    flowers(home, target=None)
    with pytest.raises(DataError, match="openml 7 has no target of its own") as caught:
        openml.load(openml.Settings(id=7), home)
    assert caught.value.hint == "dataset.target: one of size, colour, class"


@pytest.mark.parametrize("wish", [{}, {"id": 7, "data": "flowers"}])
def test_openml_needs_an_id_or_a_name(home, wish):
    with pytest.raises(DataError, match="openml names a data set by its id or by its name"):
        openml.load(openml.Settings(**wish), home)


OFFLINE = {
    "openml": (
        {"name": "openml", "data": "credit-g", "version": 1},
        "fetch_openml as f; f(name='credit-g', version=1)",
    ),
    "fetch": ({"name": "fetch", "set": "california_housing"}, "fetch_california_housing as f; f()"),
}


@pytest.mark.parametrize("case", OFFLINE)
def test_offline_and_not_cached_is_one_sentence_with_the_command(home, case):
    dataset, command = OFFLINE[case]
    code, out, err = inside("check", write_space(home, dataset=dataset))
    assert (code, out) == (2, "")
    what = dataset.get("set", "openml credit-g")
    assert f"error: {what} is not in scikit-learn's cache, and cannot be fetched: <urlopen error" in err
    assert f'= run once with the net: python -c "from sklearn.datasets import {command}"' in err


def test_numbers_from_the_cache(home):
    raw = np.random.default_rng(0).uniform(1, 2, (30, 9))
    joblib.dump(raw, home / "cal_housing_py3.pkz", compress=6)
    dataset = check(fetch.load(fetch.Settings(set="california_housing"), home))
    assert (dataset.task, dataset.target.names, dataset.inputs.names[0]) == ("regression", ("MedHouseVal",), "MedInc")
    np.testing.assert_allclose(dataset.features[:, 0], raw[:, 1], rtol=1e-6)
    np.testing.assert_allclose(dataset.targets[:, 0], raw[:, 0] / 100_000, rtol=1e-6)


def test_faces_from_the_cache(home):
    faces = np.random.default_rng(0).uniform(0, 1, (400, 64 * 64)).astype(np.float32)
    joblib.dump(faces, home / "olivetti_py3.pkz", compress=0)
    dataset = check(fetch.load(fetch.Settings(set="olivetti_faces"), home))
    expected = (faces - faces.min()) / (faces.max() - faces.min())
    np.testing.assert_allclose(dataset.features[:, 0].transpose(0, 2, 1), expected.reshape(400, 64, 64), atol=1e-6)
    assert dataset.targets.tolist() == [i // 10 for i in range(400)] and len(dataset.classes) == 40


def test_texts_from_the_cache(home):
    texts = ["From: me\n\nThe Cat, the dog", "From: you\n\n", "From: him\n\ncats  and   dogs and dogs"]
    part = Bunch(data=texts, target=np.array([0, 1, 1]), target_names=["a", "b"], filenames=np.array(list("xyz")))
    content = codecs.encode(pickle.dumps({"train": part, "test": part}), "zlib_codec")
    (home / "20news-bydate_py3.pkz").write_bytes(content)
    dataset = check(newsgroups.load(newsgroups.Settings(max_length=4), home))
    (words,) = dataset.vocabularies
    rows = [[words[code] for code in row[:n]] for row, n in zip(dataset.features, dataset.lengths, strict=True)]
    expected = [re.findall(r"\w+|,", text)[:4] for text in ("the cat, the", "cats and dogs and")]
    assert rows == expected * 2 and dataset.targets.tolist() == [0, 1, 0, 1]
    assert dataset.notes == ("2 texts without a word are left out",)


def test_a_damaged_cache_is_told(home):
    (home / "cal_housing_py3.pkz").write_bytes(b"\0" * 50)
    with pytest.raises(DataError, match="california_housing "):
        fetch.load(fetch.Settings(set="california_housing"), home)


@pytest.mark.skipif(
    importlib.util.find_spec("datasets") is not None, reason="it is installed; take it out to test this"
)
def test_hugging_face_not_installed(tmp_path):
    wish = {"name": "huggingface", "path": "imdb", "text": "text", "target": "label"}
    code, _, err = inside("check", write_space(tmp_path, dataset=wish))
    assert code == 2 and "error: the library of Hugging Face is not installed" in err
    assert err.endswith('= pip install "tuner[datasets]"\n')


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """A data set as its library saves it."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    rows = {"text": ["Good, good", "bad", " "] * 10, "label": [1, 0, 1] * 10, "x": [i / 7 for i in range(30)]}
    labels = datasets.ClassLabel(names=["neg", "pos"])
    made = datasets.Dataset.from_dict(rows).cast_column("label", labels)
    datasets.DatasetDict({"train": made}).save_to_disk(tmp_path / "saved")
    return tmp_path


def test_texts_of_hugging_face(saved):
    dataset = check(huggingface.load(huggingface.Settings(path="saved", text="text", target="label"), saved))
    assert dataset.classes == ("neg", "pos") and dataset.targets.tolist() == [1, 0] * 10
    assert dataset.vocabularies[0][2:] == (",", "bad", "good") and dataset.lengths.tolist() == [3, 1] * 10


def test_columns_of_hugging_face(saved):
    dataset = check(huggingface.load(huggingface.Settings(path="saved", drop="text", target="label"), saved))
    assert dataset.inputs.names == ("x",) and dataset.classes == ("neg", "pos")


REFUSED = {
    "split": ({"split": "tset"}, "saved has no split 'tset'"),
    "column": ({"target": "labels"}, "saved has no column 'labels'"),
    "text": ({"text": "x"}, "saved: column 'x' holds no texts"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_hugging_face_has_not(saved, case):
    wish, said = REFUSED[case]
    with pytest.raises(DataError, match=re.escape(said)):
        huggingface.load(huggingface.Settings(**{"path": "saved", "text": "text", "target": "label", **wish}), saved)
