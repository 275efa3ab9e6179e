"""Whose code runs: never the standard library's or an undeclared package's, nor that of a study from another place."""

import shutil
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace

import pytest
from helpers import inside, reworded, search, tuner, write_space
from survival import real

from tuner.errors import UsageError
from tuner.experiment.records import to_json, trial_from_json
from tuner.sources.custom import loader as own
from tuner.store import is_ours, read

pytestmark = pytest.mark.torture

LOADER = """
import numpy as np
from pathlib import Path
Path({place!r}).touch()
def load():
    return np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
"""


def with_loader(folder):
    """An experiment whose loader leaves a file behind when it is imported, and that file."""
    (folder / "data.py").write_text(LOADER.format(place=str(folder / "ran")))
    return write_space(folder, dataset="data.py:load", search={"trials": 1}), folder / "ran"


VERBS = (("replay", "--trial", 0), ("curve",))


@pytest.mark.slow
@pytest.mark.parametrize("verb", [verb[0] for verb in VERBS])
def test_a_study_from_another_place_asks_before_its_code_runs(tmp_path, monkeypatch, verb):
    verb = next(each for each in VERBS if each[0] == verb)
    path, ran = with_loader(tmp_path)
    study = tmp_path / "study.db"
    search(path, study)
    assert is_ours(read(study)["tiny"].header)
    assert inside(verb[0], study, *verb[1:])[0] == 0
    ran.unlink()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "somebody else"))
    shutil.copy(study, tmp_path / "before.db")
    code, _, err = inside(verb[0], study, *verb[1:], *(["--again"] if verb[0] == "curve" else []))
    assert code == 2 and "names code that would run: data.py:load" in err and "--trust" in err
    assert not ran.exists()
    for reading in ("report", "status", "importance", "compare"):
        inside(reading, study, *([study] if reading == "compare" else []))
    assert not ran.exists()
    assert inside(verb[0], study, *verb[1:], "--trust", *(["--again"] if verb[0] == "curve" else []))[0] == 0
    assert ran.exists()


def test_one_whose_header_was_changed_is_not_ones_own(tmp_path):
    path, ran = with_loader(tmp_path)
    study = tmp_path / "study.db"
    search(path, study)
    (tmp_path / "evil").mkdir()
    reworded(study, "tuner:header", lambda header: header.update(file=str(tmp_path / "evil" / "space.yaml")))
    ran.unlink()
    code, _, err = inside("replay", study, "--trial", 0)
    assert code == 2 and "not made by you" in err and not ran.exists()


@pytest.mark.slow
@pytest.mark.parametrize("verb", [("curve",), ("replay", "--trial", 0), ("search", "--trials", 2)])
def test_a_record_that_names_code_of_its_own_runs_none(tmp_path, verb):
    """The experiment names a model of tuner's; a trial that somebody has changed names another."""
    model = {"choose": {"mlp": {"hidden_size": [2, 4]}}, "name": None, "hidden_size": None, "activation": None}
    path, study = write_space(tmp_path, model=model, search={"trials": 1}), tmp_path / "study.db"
    search(path, study)
    net = "\nfrom torch import nn\nclass Net(nn.Linear):\n    def __init__(self): super().__init__(4, 3)\n"
    (tmp_path / "evil.py").write_text(LOADER.format(place=str(tmp_path / "ran")) + net)
    with closing(sqlite3.connect(study)) as db:
        query = ("SELECT a.rowid, a.value_json, s.study_name, t.number FROM trial_user_attributes a "
                 "JOIN trials t USING (trial_id) JOIN studies s USING (study_id)")  # fmt: skip
        for row, text, name, number in db.execute(query).fetchall():
            chain = name.removeprefix("tiny/")
            trial = trial_from_json(text, chain, number)
            evil = replace(trial, configuration=replace(trial.configuration, model={"name": "evil.py:Net"}),
                           values={**trial.values, "model": "evil.py:Net"})  # fmt: skip
            db.execute("UPDATE trial_user_attributes SET value_json = ? WHERE rowid = ?", (to_json(evil, chain), row))
        db.execute("DELETE FROM study_user_attributes WHERE key LIKE 'tuner:refit%'")
        db.commit()
    words = [verb[0], *([path, "--study", study, "--workers", 0] if verb[0] == "search" else [study]), *verb[1:]]
    code, out, err = inside(*words)
    assert not (tmp_path / "ran").exists()
    assert code != 0 or "different" in out, err


def test_going_on_makes_a_study_ones_own_but_not_its_words(tmp_path, monkeypatch):
    """A search runs only the code that its own file names, and replaces the header of the study with its own."""
    path, _ = with_loader(tmp_path)
    study = tmp_path / "study.db"
    search(path, study)
    reworded(study, "tuner:header", lambda header: header.update(file="/elsewhere/space.yaml"))
    search(path, study, "--trials", 2)
    header = read(study)["tiny"].header
    assert is_ours(header) and header.file == str(path)
    reworded(study, "tuner:header", lambda header: header.update(file="/elsewhere/space.yaml"))
    assert inside("studies", study, "--rename", "tiny", "other")[0] == 0
    assert not is_ours(read(study)["other"].header)


@pytest.mark.slow
def test_without_a_home_for_a_key_everything_else_works(tmp_path):
    (tmp_path / "file").write_text("no folder")
    path, _ = with_loader(tmp_path)
    done = tuner("search", path, "--workers", 0, cwd=tmp_path, XDG_DATA_HOME=str(tmp_path / "file"))
    assert done.returncode == 0, done.stderr
    assert not is_ours(read(tmp_path / "study.db")["tiny"].header)


@pytest.mark.slow
def test_the_key_is_for_nobody_else(tmp_path):
    path, _ = with_loader(tmp_path)
    assert tuner("search", path, "--workers", 0, cwd=tmp_path, XDG_DATA_HOME=str(tmp_path)).returncode == 0
    (key,) = (tmp_path / "tuner").iterdir()
    assert key.stat().st_mode & 0o777 == 0o600 and len(key.read_bytes()) == 32


@pytest.mark.parametrize("name", ["os:system", "subprocess:getoutput", "numpy:fromfile",
                                  "typer:run", "pandas:read_pickle", "optuna.logging:set_verbosity"])  # fmt: skip
def test_no_function_that_is_merely_installed_is_a_loader(tmp_path, name):
    with pytest.raises(UsageError) as refused:
        own.load(name, tmp_path)
    err = refused.value.message
    assert (
        "standard library" in err or "is installed, and its package declares no entry point of the group 'tuner'" in err
    )


@pytest.mark.slow
def test_a_function_of_the_standard_library_is_not_called(tmp_path):
    mark = tmp_path / "ran"
    setup = {"stmt": f"open({str(mark)!r}, 'w')", "setup": f"open({str(mark)!r}, 'w')"}
    _, err = real("check", write_space(tmp_path, dataset={"name": "timeit:timeit", **setup}), cwd=tmp_path, expected=2)
    assert not mark.exists() and "standard library" in err


def test_a_package_that_declares_itself_is_one(tmp_path, monkeypatch):
    installed = tmp_path / "site-packages"
    (installed / "wards").mkdir(parents=True)
    (installed / "wards" / "__init__.py").write_text(LOADER.format(place=str(tmp_path / "ran")))
    about = installed / "wards-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: wards\nVersion: 1.0\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(installed)])
    path = write_space(tmp_path, dataset="wards:load")
    code, _, err = inside("check", path)
    assert code == 2 and "declares no entry point of the group 'tuner'" in err and "[project.entry-points.tuner]" in err
    assert not (tmp_path / "ran").exists()
    (about / "entry_points.txt").write_text("[tuner]\nwards = wards:load\n")
    code, out, err = inside("check", path)
    assert code == 0, err
    assert "wards:load" in out
