"""`tuner status`, and what is recorded of every run."""

import os
import platform
import socket
import subprocess
from datetime import UTC, datetime, timedelta

import optuna
import pytest
import torch
from helpers import inside, reworded, search, write_space

from tuner.lock import holder, lock
from tuner.report import load
from tuner.report.progress import Progress
from tuner.store import make


@pytest.fixture
def half(tmp_path):
    """A study stopped by its limit, and its file."""
    path, study = write_space(tmp_path, search={"sampler": "random", "trials": 5000}), tmp_path / "study.db"
    assert inside("search", path, "--study", study, "--workers", 0, "--timeout", "0.5s")[0] == 3
    return path, study


def test_a_complete_study_is_0(finished):
    code, out, err = inside("status", finished)
    assert (code, err) == (0, "")
    assert out.startswith("tiny: accuracy ")
    assert "not running since" in out
    assert "final: 6 of 6 trials, best accuracy" in out


def test_an_incomplete_one_is_3_and_says_how_far(half):
    _, study = half
    code, out, _ = inside("status", study)
    assert code == 3
    assert "PARTIAL" in out.splitlines()[0]
    assert f"outer-1: {len(load(study).chains['outer-1'].trials)} of 5,000 trials, best accuracy" in out


def test_a_running_one_says_who(half):
    _, study = half
    with lock(study):
        assert f"running: pid {os.getpid()} on {socket.gethostname()} since 20" in inside("status", study)[1]
    assert "running: " not in inside("status", study)[1]


def test_asking_changes_nothing_and_hinders_nobody(half):
    _, study = half
    before = study.read_bytes()
    assert holder(study) is None
    with lock(study):
        assert holder(study)
        assert inside("status", study)[0] == 3
    assert study.read_bytes() == before


def test_the_time_left_is_at_the_pace_of_this_run(half):
    _, study = half
    results = load(study)
    start = datetime.fromisoformat(results.study.runs[-1].start)
    now = Progress(results, "pid 1", start + timedelta(seconds=60))
    made = results.finished()
    assert now.seconds_left == pytest.approx(60 / made * (4 * 5000 - made))
    assert Progress(results, None, start).seconds_left is None


def test_a_run_that_ended_without_a_word(half):
    _, study = half
    reworded(study, "tuner:runs", lambda found: found["runs"][-1].update(end=None))
    assert "did not say how it ended" in inside("status", study)[1]


def test_every_run_is_recorded_with_its_conditions(half, monkeypatch):
    path, study = half
    text = path.read_text()
    inside("search", path, "--study", study, "--workers", 0, "--timeout", "0.3s")
    stored = load(study)
    runs = stored.study.runs
    assert stored.header.text == text
    assert len(runs) == 2
    for run in runs:
        start, end = map(datetime.fromisoformat, (run.start, run.end))
        assert start <= end <= datetime.now(UTC)
        assert (
            run.versions["torch"] == torch.__version__.partition("+")[0] or run.versions["torch"] == torch.__version__
        )
        assert run.versions["optuna"] == optuna.__version__
        assert run.versions["python"] == platform.python_version()
        assert run.cpu == torch.backends.cpu.get_cpu_capability()
        assert (run.threads, run.devices, run.pid) == (1, ("cpu",), os.getpid())
        assert run.ended_by == "TimeIsOver"
    assert runs[0].finished == 0 < runs[1].finished


def test_the_commit_of_the_working_directory_is_recorded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run([*git, *arguments], check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    search(write_space(tmp_path, search={"trials": 1}), "study.db")
    assert load(tmp_path / "study.db").study.runs[0].commit == head


def test_other_versions_are_told(finished, tmp_path, monkeypatch):
    study = tmp_path / "study.db"
    study.write_bytes(finished.read_bytes())
    monkeypatch.setattr("tuner.search.provenance.version", lambda name: "9.9" if name == "torch" else "1.0")
    said = search(write_space(tmp_path, search={"trials": 7}), study)
    assert f"torch {torch.__version__.partition('+')[0]}" in said and "→ 9.9" in said


def test_a_file_that_was_just_made(tmp_path):
    """The moment between its making and its first study: nothing is wrong, and nothing is there."""
    study = tmp_path / "study.db"
    make(study)
    code, out, err = inside("status", study)
    assert (code, err) == (3, "")
    assert out == f"{study} holds no tuner study; no search is running\n"
    assert inside("report", study)[0] == 4
    with lock(study):
        assert "pid " in inside("status", study)[1]
