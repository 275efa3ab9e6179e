"""Several studies in one file: each verb reads the one that ran last, and says so; printed commands work."""

import json
import shlex

import pytest
from helpers import inside, search, tuner, write_space

from tuner.report import load


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    study = folder / "study.db"
    for name, trials in (("first", 1), ("second", 1), ("first", 2)):
        path = write_space(folder, f"{name}.yaml", name=name, training={"epochs": 2}, search={"trials": trials})
        search(path, study)
    return study


@pytest.mark.parametrize("words", [["report"], ["status"], ["replay", "--trial", 0], ["report", "--format", "json"]])
def test_a_verb_without_a_name_reads_the_study_that_ran_last_and_says_so(two, words):
    verb, *more = words
    code, out, err = inside(verb, two, *more)
    assert code == 0, err
    assert err == f"{two} holds 2 studies; this is the one that ran last, first; else --name second\n"
    named = inside(verb, two, *more, "--name", "first")
    assert (code, out, "") == named
    if "json" in words:
        assert json.loads(out)["name"] == "first"
    assert inside(verb, two, *more, "--name", "second")[0] == 0
    assert load(two).name == "first"


@pytest.mark.parametrize(("size", "said"), [(0, True), (2**40, False)])
def test_a_large_study_is_announced_before_it_is_read(two, monkeypatch, size, said):
    told = []
    monkeypatch.setattr("tuner.cli.chosen.LARGE", size)
    monkeypatch.setattr("tuner.cli.console.announce", told.append)
    assert inside("status", two)[0] == 0
    assert told == ([f"reading {two}"] if said else [])


@pytest.mark.slow
def test_the_command_that_a_search_prints_shows_its_study_also_the_next_day(tmp_path):
    for name in ("one", "other"):
        write_space(tmp_path, f"{name}.yaml", name=name, training={"epochs": 2}, search={"trials": 1})
    tuner("search", "one.yaml", "--workers", 0, cwd=tmp_path)
    printed = tuner("search", "other.yaml", "--workers", 0, cwd=tmp_path).stdout.rpartition("; ")[2]
    tuner("search", "one.yaml", "--trials", 2, "--workers", 0, cwd=tmp_path)
    assert printed.startswith("tuner report ")
    shown = tuner(*shlex.split(printed)[1:], cwd=tmp_path)
    assert shown.stdout.startswith("other: ") and shown.stderr == ""
