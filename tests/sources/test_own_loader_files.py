"""The user's own loader through the command line: searched, replayed, hashed; mistakes are told at their place."""

import json

import pytest
from helpers import inside, search, write_space
from own_data import DATA, space, written

from tuner.search.catalogue import catalogue
from tuner.search.own_kinds import CodeHere
from tuner.search.prepare import prepare
from tuner.sources.custom import loader as own


@pytest.fixture
def folder(tmp_path):
    return written(tmp_path)


def test_it_is_searched_and_another_is_not_gone_on_with(folder, monkeypatch):
    path = write_space(folder, dataset={"name": "my_data.py:load", "rows": 30}, search={"trials": 1})
    monkeypatch.chdir("/")
    study = folder / "study.db"
    out = search(path, study, "--json")
    assert {json.loads(line)["event"] for line in out.splitlines()} >= {"trial"}  # and nothing that it prints
    (folder / "my_data.py").write_text(DATA + "\n# changed\n")
    own._load.cache_clear()
    code, _, err = inside("search", path, "--study", study, "--workers", 0)
    assert code == 2 and "the file of my_data.py:load: " in err


@pytest.mark.slow
def test_what_it_gave_is_replayed_in_a_worker(folder, monkeypatch):
    path, study = write_space(folder, dataset={"name": "my_data.py:load"}, search={"trials": 1}), folder / "study.db"
    monkeypatch.chdir("/")
    search(path, study)
    code, _, err = inside("replay", study, "--trial", "0")
    assert code == 0, err


def test_so_is_a_file_that_it_imports(folder):
    first = own.load("my_data.py:load", folder).code.digest
    (folder / "helper_of_data.py").write_text("CLASSES = 3  # changed\n")
    own._load.cache_clear()
    assert own.load("my_data.py:load", folder).code.digest != first


def test_workers_need_the_arrays_only(folder):
    assert prepare(space(folder, name="my_data.py:load")).work.own == {}


@pytest.mark.parametrize(
    ("wish", "what", "hint"),
    [
        ({"name": "my_data.py:lod"}, "my_data.py has no function 'lod'", "did you mean 'load'?"),
        ({"name": "my_dta.py:load"}, "my_dta.py: no such file in", "dataset.name is FILE.py:FUNCTION beside the"),
        ({"name": "my_data.py:FRAME"}, "FRAME of my_data.py is not a function", None),
        ({"name": "my_data.py"}, "'my_data.py' names no function", "name: my_data.py:load"),
        ({"name": "my_data.py:load", "rowz": 3}, "unknown key 'rowz' in dataset", "did you mean 'rows'?"),
        ({"name": "my_data.py:load", "rows": "all"}, "dataset.rows must be a whole number, not 'all'", None),
        ({"name": "my_data.py:load", "rows": [1, 2]}, "rows cannot be searched, so it must be one value", None),
        ({"name": "my_data.py:required"}, "dataset.rows is missing", "an argument of the function without a default"),
        ({"name": "my_data.py:unclear"}, "its argument 'rws' has neither an annotation nor a", "example rws: int"),
        ({"name": "my_data.py:taken"}, "'target' is reserved: it is a setting of every dataset", "rename it"),
        ({"name": "my_data.py:raises"}, "my_data.py:raises fails: ValueError: no such patient", "shows the traceback"),
        ({"name": "my_data.py:frame", "target": "z"}, "my_data.py:frame has no column 'z'", "one of: a, kind, when, y"),
        ({"name": "my_data.py:frame", "target": []}, "dataset.target must be text or at least one name", None),
        ({"name": "table", "path": "t", "target": []}, "dataset.target must be text or at least one name", None),
        ({"name": "images", "path": "t", "target": []}, "dataset.target must be text or at least one name", None),
        ({"name": "forecast", "path": "t", "target": []}, "dataset.target must be text or at least one name", None),
        ({"name": "broken.py:load"}, "broken.py cannot be imported: SyntaxError", "fix it"),
        ({"name": "no_such_package.data:load"}, "there is no module 'no_such_package'", "pip install it"),
    ],
)  # fmt: skip
def test_its_mistakes_are_told_at_their_place(folder, wish, what, hint):
    (folder / "broken.py").write_text("def load(:\n")
    code, out, err = inside("check", space(folder, **wish))
    assert (code, out) == (2, "")
    assert what in err
    assert hint is None or hint in err


def test_it_may_stand_in_one_file_with_a_model(folder):
    (folder / "both.py").write_text(
        DATA + "\nfrom torch import nn\nclass Net(nn.Linear):\n"
        "    def __init__(self, in_features, num_classes): super().__init__(in_features, num_classes)\n"
    )
    training = {"epochs": 2, "optimizer": {"name": "adam", "learning_rate": [0.01, 0.1]}}
    path = write_space(folder, dataset="both.py:load", model="both.py:Net", training=training)
    assert inside("check", path)[0] == 0


def test_the_catalogue_lists_what_is_ours_and_finds_what_is_theirs(folder):
    datasets = catalogue(CodeHere(folder)).datasets
    assert "iris" in datasets and not any(":" in name for name in datasets)
    assert "rows" in datasets["my_data.py:load"].model_fields
    code, out, _ = inside("list", "datasets")
    assert code == 0 and "FILE.py:FUNCTION" in out
