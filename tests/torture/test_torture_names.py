"""Torture: names that are links, pipes, devices or other people's files. Nothing of them is harmed, nothing waits."""

import os
import socket
import stat
from contextlib import closing

import pytest
from helpers import inside, read_trials, search, start, stop, tables, write_space
from survival import real, survived, without_privileges

pytestmark = pytest.mark.torture
MINE = "my own notes\n"


def device(path):
    """The null device under a name of ours."""
    os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))


def bound(path):
    with closing(socket.socket(socket.AF_UNIX)) as made:
        made.bind(str(path))


SPECIAL = {"a pipe": os.mkfifo, "a socket": bound, "a folder": os.mkdir, "a device": device}


def special(path, kind):
    try:
        SPECIAL[kind](path)
    except PermissionError:
        pytest.skip("only root makes devices")
    return path.stat()


@pytest.mark.parametrize("kind", SPECIAL)
def test_what_is_no_file_is_refused_as_a_study_by_every_verb_and_stays(tmp_path, kind):
    study, path = tmp_path / "study.db", write_space(tmp_path)
    before = special(study, kind)
    verbs = (("search", path, "--study", study), ("report", study), ("status", study), ("curve", study),
             ("replay", study, "--trial", 0), ("importance", study), ("compare", study, study))  # fmt: skip
    for verb in verbs:
        assert f"{study} is {kind}, not a file" in survived(*inside(*verb), expected=4)
    after = study.stat()
    assert (after.st_ino, after.st_mode, after.st_rdev) == (before.st_ino, before.st_mode, before.st_rdev)
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix != ".lock") == sorted([path.name, "study.db"])


@pytest.mark.parametrize("kind", SPECIAL)
def test_what_is_no_file_is_no_lock(tmp_path, finished, kind):
    study, path = tmp_path / "study.db", write_space(tmp_path)
    special(tmp_path / "study.db.lock", kind)
    said = survived(*inside("search", path, "--study", study, "--workers", 0), expected=4)
    assert "study.db.lock" in said
    study.write_bytes(finished.read_bytes())
    survived(*inside("status", study), expected=0)


@pytest.mark.parametrize("there", ["nothing", "an empty file"])
def test_a_study_behind_a_link_is_made_where_the_link_leads(tmp_path, there):
    path, link, real_one = write_space(tmp_path), tmp_path / "study.db", tmp_path / "far" / "night.db"
    real_one.parent.mkdir()
    if there == "an empty file":
        real_one.touch(0o600)
    link.symlink_to(real_one)
    search(path, link)
    assert link.is_symlink()
    assert sorted(p.name for p in real_one.parent.iterdir()) == ["night.db", "night.db.lock"]
    assert tables(link) == tables(real_one)
    if there == "an empty file":
        assert stat.S_IMODE(real_one.stat().st_mode) == 0o600


def test_links_that_lead_nowhere_or_to_themselves(tmp_path):
    path, link = write_space(tmp_path), tmp_path / "study.db"
    link.symlink_to(tmp_path / "no folder" / "x.db")
    survived(*inside("search", path, "--study", link, "--workers", 0), expected=4)
    link.unlink()
    link.symlink_to(link)
    for verb in (("search", path, "--study", link, "--workers", 0), ("report", link), ("status", link)):
        survived(*inside(*verb), expected=4)
    assert link.is_symlink()


@pytest.mark.slow
def test_a_closed_folder_and_a_name_that_is_too_long_are_sentences(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000)
    path = write_space(tmp_path)
    for study in (closed / "study.db", tmp_path / ("x" * 300)):
        real("search", path, "--study", study, "--workers", 0, cwd=tmp_path, expected=4, before=without_privileges)
        real("report", study, cwd=tmp_path, expected=4, before=without_privileges)
        real("status", study, cwd=tmp_path, expected=4, before=without_privileges)


@pytest.mark.parametrize("name", ["9" * 400, "9/" * 3000])
def test_a_name_that_no_file_can_have_is_one_that_is_not_there(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    path = write_space(tmp_path)
    search = ("search", path, "--workers", 0, "--study")
    for words, expected in ((("data", name), 2), (("data", f"{name}.py:x"), 2), ((*search, name), 4),
                            ((*search, f"{name}/x"), 4), (("check", name), 2), (("report", name), 4)):  # fmt: skip
        survived(*inside(*words), expected=expected)


def test_files_of_the_user_beside_the_study_stay(tmp_path):
    path, study = write_space(tmp_path), tmp_path / "study.db"
    for name in ("study.db.new", "study.db.tmp", "notes.txt"):
        (tmp_path / name).write_text(MINE)
    lock = tmp_path / "study.db.lock"
    for make in (lambda: lock.symlink_to(tmp_path / "notes.txt"), lambda: lock.write_text(MINE)):
        make()
        assert "study.db.lock is " in survived(*inside("search", path, "--study", study, "--workers", 0), expected=4)
        assert lock.read_text() == MINE
        lock.unlink()
    search(path, study)
    assert all((tmp_path / name).read_text() == MINE for name in ("study.db.new", "study.db.tmp", "notes.txt"))
    names = {path.name, "study.db", "study.db.lock", "study.db.new", "study.db.tmp", "notes.txt"}
    assert {p.name for p in tmp_path.iterdir()} == names


@pytest.mark.slow
def test_two_links_to_a_study_are_one_study(tmp_path):
    path, study, link = write_space(tmp_path, search={"trials": 500}), tmp_path / "study.db", tmp_path / "other.db"
    link.symlink_to(study)
    run = start(path, study)
    try:
        read_trials(run, 1)
        assert "is being searched by" in real("search", path, "--study", link, cwd=tmp_path, expected=75)[1]
        assert "running: pid" in real("status", link, cwd=tmp_path, expected=3)[0]
    finally:
        stop(run)


def test_a_study_with_a_second_name_is_read_but_not_written(tmp_path, finished):
    study, other = tmp_path / "study.db", tmp_path / "other.db"
    study.write_bytes(finished.read_bytes())
    other.hardlink_to(study)
    path = write_space(tmp_path)
    for name in (study, other):
        said = survived(*inside("search", path, "--study", name, "--workers", 0, "--trials", 9), expected=4)
        assert "has another name (a hard link)" in said
        survived(*inside("report", name), expected=0)
    assert study.read_bytes() == finished.read_bytes()


def test_a_pipe_among_images_is_refused(tmp_path):
    folder = tmp_path / "images" / "a"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "x.png")
    path = write_space(tmp_path, dataset={"name": "images", "path": "images"}, model={"name": "cnn"})
    assert "x.png is a pipe" in survived(*inside("check", path), expected=2)
    assert "x.png is a pipe" in survived(*inside("data", tmp_path / "images"), expected=2)
