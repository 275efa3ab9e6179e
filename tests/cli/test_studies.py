"""Several studies in a file: listed, renamed, removed; nothing is deleted without a yes."""

import os
import pty
import subprocess

import pytest
from helpers import command, execute, inside, report_json, search, tables, write_space
from survival import survived

from tuner.errors import UsageError
from tuner.report import load
from tuner.search.driver import search as run_search
from tuner.search.options import SearchOptions
from tuner.search.prepare import prepare
from tuner.store import FORMAT, read


@pytest.fixture
def two(tmp_path):
    """An experiment, and a file with its study under two names."""
    path, study = write_space(tmp_path, search={"trials": 2}), tmp_path / "study.db"
    for name in ("one", "two"):
        search(path, study, "--name", name)
    return path, study


def answered(answer, *args, cwd):
    """The real command on a terminal where somebody answers; returns (exit code, what stood on it)."""
    here, there = pty.openpty()
    with subprocess.Popen(command(*args), cwd=cwd, stdin=there, stdout=there, stderr=there, close_fds=True) as run:
        os.close(there)
        os.write(here, answer.encode())
        shown = b""
        while True:
            try:
                more = os.read(here, 4096)
            except OSError:  # the other end is closed
                break
            shown += more
        code = run.wait(timeout=60)
    os.close(here)
    return code, shown.decode()


def test_they_are_listed_with_their_scores(two):
    path, study = two
    search(path, study, "--name", "three", "--trials", 1)
    out = inside("studies", study)[1].splitlines()
    assert [line.split(":")[0] for line in out] == ["one", "two", "three"]
    assert all(f"accuracy {load(study, 'one').score.mean:.4g}" in line for line in out[:2])


@pytest.mark.slow
def test_a_renamed_study_goes_on_as_the_same(two, tmp_path):
    path, study = two
    before = report_json(study, "--name", "one")
    code, out, _ = inside("studies", study, "--rename", "one", "night")
    assert (code, out) == (0, "'one' is now 'night'; tuner search FILE --name night goes on with it\n")
    assert list(read(study)) == ["night", "two"]
    assert report_json(study, "--name", "night") == before.replace('"name": "one"', '"name": "night"')
    search(path, study, "--name", "night", "--trials", 4)
    search(path, tmp_path / "whole.db", "--name", "night", "--trials", 2)
    search(path, tmp_path / "whole.db", "--name", "night", "--trials", 4)
    assert tables(study, "--name", "night") == tables(tmp_path / "whole.db", "--name", "night")


def test_a_removed_study_is_gone_and_the_others_stay(two):
    _, study = two
    before = report_json(study, "--name", "two")
    said = survived(*inside("studies", study, "--remove", "one"), expected=2)
    assert "deletes 8 trials of 'one'" in said and "--yes" in said
    assert list(read(study)) == ["one", "two"]
    assert inside("studies", study, "--remove", "one", "--yes")[0] == 0
    assert list(read(study)) == ["two"]
    assert report_json(study) == before


WRONG = {
    "unknown": (("--remove", "on", "--yes"), "did you mean 'one'?"),
    "unknown to rename": (("--rename", "on", "x"), "did you mean 'one'?"),
    "taken": (("--rename", "one", "two"), "has a study 'two' already"),
    "no name": (("--rename", "one", "a/b"), "printable characters"),
    "both": (("--rename", "one", "x", "--remove", "two"), "exclude each other"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_changes_nothing(two, case):
    _, study = two
    before, (words, said) = study.read_bytes(), WRONG[case]
    assert said in survived(*inside("studies", study, *words), expected=2)
    assert study.read_bytes() == before


def test_fresh_needs_a_yes_where_nobody_can_be_asked(two):
    path, study = two
    before = study.read_bytes()
    said = survived(*inside("search", path, "--study", study, "--name", "one", "--fresh", "--workers", 0), expected=2)
    assert "deletes 8 trials of 'one'" in said and "--yes" in said
    assert study.read_bytes() == before
    search(path, study, "--name", "new", "--fresh")  # there is nothing to delete


def test_no_more_is_deleted_than_was_agreed_to(two):
    """Another run may have gone on with the study, between the question and the lock."""
    path, study = two
    before = study.read_bytes()
    prepared = prepare(path)
    with pytest.raises(UsageError, match="has 8 trials by now, and 3 were to be deleted"):
        run_search(prepared, SearchOptions(study, "one", workers=0, fresh=True, agreed=3), lambda event: None)
    assert study.read_bytes() == before


@pytest.mark.parametrize("key", ["checksum", "schema"])
def test_fresh_on_a_file_that_is_damaged_or_old_is_refused(two, key):
    path, study = two
    changed = {"checksum": ("accuracy", "Accuracy"), "schema": (f'"schema":{FORMAT}', '"schema":1')}[key]
    change = "UPDATE study_user_attributes SET value_json = replace(value_json, ?, ?) WHERE key = 'tuner:header'"
    execute(study, change, changed)
    before = study.read_bytes()
    survived(*inside("search", path, "--study", study, "--name", "one", "--fresh", "--yes", "--workers", 0), expected=4)
    survived(*inside("studies", study, "--remove", "one", "--yes"), expected=4)
    assert study.read_bytes() == before


def test_a_file_that_is_no_study_gets_no_lock(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for name in ("notes.txt", "typo.db"):
        survived(*inside("studies", tmp_path / name, "--rename", "a", "b"), expected=4)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.slow
def test_on_a_terminal_fresh_asks(two, tmp_path):
    path, study = two
    words = ("search", path, "--study", study, "--name", "one", "--fresh", "--workers", 0)
    before = study.read_bytes()
    code, shown = answered("n\n", *words, cwd=tmp_path)
    assert code == 2
    assert "Delete 8 trials of 'one' in" in shown and "nothing was deleted of 'one'" in shown
    assert study.read_bytes() == before
    code, shown = answered("y\n", *words, cwd=tmp_path)
    assert code == 0, shown
    assert study.read_bytes() != before


@pytest.mark.parametrize("name", ["a/b", "a\nb", "", "x" * 5000, "\x1b[2J", "..", os.fsdecode(b"\xff")])
def test_a_name_on_the_command_line_obeys_the_rules_of_the_file(tmp_path, name):
    path = write_space(tmp_path)
    said = survived(*inside("search", path, "--study", tmp_path / "study.db", "--name", name), expected=2)
    assert "--name must be text of 1 … 100 printable characters" in said
    assert "\x1b" not in said
    assert not (tmp_path / "study.db").exists()
