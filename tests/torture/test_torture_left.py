"""Torture: what a search leaves behind. No process, no folder, and nothing that a repository would have had run."""

import errno
import fcntl
import os
import shlex
import signal
import subprocess
import time
from multiprocessing import forkserver
from pathlib import Path

import pytest
from helpers import command, inside, read_trials, search, start, stop, tables, write_space
from survival import real, surroundings, survived

from tuner.report import load

pytestmark = [pytest.mark.torture, pytest.mark.slow]
MARK = "TUNER_TEST_MARK"


def marked(value):
    """Every living process that was given the mark."""
    found = []
    for place in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"{MARK}={value}".encode() in place.read_bytes().split(b"\0"):
                found.append(place.parent.name)
        except OSError:
            continue
    return found


def settled(ask, wanted, patience=30.0):
    """What is asked for, once it is as wanted."""
    end = time.monotonic() + patience
    while (found := ask()) != wanted and time.monotonic() < end:
        time.sleep(0.1)
    return found


@pytest.mark.parametrize("ending", ["done", "a mistake", "a limit"])
def test_nothing_outlives_a_search(tmp_path, ending):
    place = tmp_path / "temporary"
    place.mkdir()
    path = write_space(tmp_path, **({"metric": "accuracies"} if ending == "a mistake" else {}))
    more = ("--timeout", "0.01s") if ending == "a limit" else ()
    env = surroundings(TMPDIR=str(place), **{MARK: ending})
    code = {"done": 0, "a mistake": 2, "a limit": 3}[ending]
    real("search", path, "--workers", 2, *more, cwd=tmp_path, env=env, expected=code)
    assert settled(lambda: marked(ending), [], patience=5.0) == []  # Python's own tracker of resources
    assert list(place.iterdir()) == []


def test_a_killed_search_leaves_no_folder_either(tmp_path, monkeypatch):
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setenv(MARK, "killed")
    run = start(write_space(tmp_path, search={"trials": 500}), tmp_path / "study.db")
    read_trials(run, 1)
    assert len(marked("killed")) > 1
    stop(run)
    assert settled(lambda: marked("killed"), []) == []
    assert settled(lambda: list(place.iterdir()), []) == []


@pytest.mark.parametrize("name", ["x" * 150, "what? 100% & more", "ü"])
def test_a_temporary_folder_of_any_name(tmp_path, name):
    place = tmp_path / name
    place.mkdir()
    env = surroundings(TMPDIR=str(place))
    real("search", write_space(tmp_path), "--workers", 2, cwd=tmp_path, env=env)
    real("report", "study.db", cwd=tmp_path, env=env)
    real("importance", "study.db", cwd=tmp_path, env=env)
    assert list(place.iterdir()) == []


def git(folder, *words):
    who = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def test_a_repository_has_nothing_run(tmp_path):
    """Not its file system monitor, hooks or filters; the commit is known all the same."""
    script, ran = tmp_path / "run.sh", tmp_path / "ran"
    script.write_text(f"#!/bin/sh\ntouch {ran}\ncat\n")
    script.chmod(0o755)
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    path = write_space(folder)
    (folder / ".gitattributes").write_text("*.txt filter=a=b\n")
    (folder / "notes.txt").write_text("one\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    commit = git(folder, "rev-parse", "HEAD")
    for key, value in (("core.fsmonitor", script), ("filter.a=b.clean", script), ("filter.a=b.required", "true"),
                       ("filter.a=b.process", script), ("core.hooksPath", tmp_path)):  # fmt: skip
        git(folder, "config", key, str(value))
    (tmp_path / "post-index-change").symlink_to(script)
    (folder / "notes.txt").write_text("two\n")
    os.utime(path)
    index = (folder / ".git" / "index").read_bytes()
    subprocess.run(command("search", path), cwd=folder, check=True, capture_output=True, timeout=120)
    assert not ran.exists()
    assert (folder / ".git" / "index").read_bytes() == index
    assert load(folder / "study.db").study.runs[-1].commit == f"{commit}-dirty"
    (folder / "notes.txt").write_text("one\n")
    subprocess.run(command("search", path, "--trials", 99), cwd=folder, check=True, capture_output=True, timeout=120)
    assert load(folder / "study.db").study.runs[-1].commit == commit
    assert not ran.exists()


@pytest.mark.parametrize("verb", [("search", "quick"), ("check", "quick"), ("report",), ("list", "models")])
def test_a_working_directory_that_is_gone(tmp_path, verb):
    place = tmp_path / "gone"
    place.mkdir()
    script = f'rmdir "$PWD"; exec {shlex.join(map(str, command(*verb)))}'
    done = subprocess.run(["sh", "-c", script], cwd=place, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    assert done.stderr.startswith("stopped: the working directory no longer exists; change to an existing one")


@pytest.mark.parametrize("trouble", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_refused_with_the_cure(tmp_path, finished, monkeypatch, trouble):
    """As some network file systems answer."""

    def unlockable(file, kind):
        raise OSError(trouble, os.strerror(trouble))

    path, study = write_space(tmp_path), tmp_path / "study.db"
    study.write_bytes(finished.read_bytes())
    monkeypatch.setattr(fcntl, "flock", unlockable)
    said = survived(*inside("search", path, "--study", study, "--workers", 0, "--trials", 9), expected=4)
    assert f"the file system of {study}.lock offers no locks" in said and "--study on a local disk" in said
    assert study.read_bytes() == finished.read_bytes()
    survived(*inside("status", study), expected=0)
    survived(*inside("report", study), expected=0)


def test_a_search_inside_another_leaves_the_other_its_folder(tmp_path):
    """As from a model, a notebook or a test that starts the command while its own workers are at work."""
    path = write_space(tmp_path)
    search(path, tmp_path / "one.db", workers=1)
    for workers in (0, 1):
        real("search", path, "--study", f"inner{workers}.db", "--workers", workers, cwd=tmp_path)
    server = forkserver._forkserver._forkserver_pid
    os.kill(server, signal.SIGKILL)
    search(path, tmp_path / "two.db", workers=1)
    assert tables(tmp_path / "one.db") == tables(tmp_path / "two.db")
