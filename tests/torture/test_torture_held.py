"""Torture: another program, such as a database browser, holds the study file for long; clocks that are set."""

import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from helpers import inside, read_trials, search, start, stop, tables, write_space
from survival import real, survived

from tuner.experiment.sections import Limits
from tuner.search.budget import Budget
from tuner.store import reading

pytestmark = pytest.mark.torture
HOLDER = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN " + sys.argv[2])
print("held", flush=True)
time.sleep(float(sys.argv[3]))
"""


@contextmanager
def held(study, how="IMMEDIATE", seconds=600):
    """Another process has an unsaved change in the file."""
    command = [sys.executable, "-c", HOLDER, str(study), how, str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout.readline() == "held\n"
            yield other
        finally:
            other.kill()


@pytest.mark.slow
def test_a_file_that_is_held_for_long_is_waited_for(tmp_path):
    path = write_space(tmp_path, search={"sampler": "random", "trials": 40})
    search(path, tmp_path / "whole.db")
    study = tmp_path / "study.db"
    run = start(path, study)
    read_trials(run, 1)
    with held(study, seconds=12) as other:
        assert other.wait(timeout=60) == 0
    out, err = run.communicate(timeout=120)
    assert (run.returncode, err) == (0, "")
    assert out.count("another program holds the study file: waiting for it") == 1
    assert tables(study) == tables(tmp_path / "whole.db")


@pytest.mark.slow
def test_it_is_waited_for_as_long_as_the_time_of_the_run(tmp_path):
    path = write_space(tmp_path, search={"sampler": "random", "trials": 40})
    study = tmp_path / "study.db"
    run = start(path, study)
    read_trials(run, 1)
    stop(run)
    with held(study):
        _, err = real("search", path, "--study", study, "--timeout", "10s", cwd=tmp_path, expected=3)
    assert "the time limit was reached with work left" in err
    search(path, study)
    search(path, tmp_path / "whole.db")
    assert tables(study) == tables(tmp_path / "whole.db")


@pytest.mark.slow
def test_readers_are_told_to_try_later_and_a_search_waits_from_its_start_on(tmp_path, finished, monkeypatch):
    monkeypatch.setattr(reading, "PATIENCE", 0.5)
    study, path = tmp_path / "study.db", write_space(tmp_path)
    study.write_bytes(finished.read_bytes())
    words = ("search", path, "--study", study, "--trials", 7, "--workers", 0)
    with held(study, "EXCLUSIVE"):
        assert "another program holds" in survived(*inside("report", study), expected=75)
        code, out, err = inside(*words, "--timeout", "4s")
        assert code == 3 and "the time limit was reached" in err
        assert out.count("another program holds the study file: waiting for it") == 1
    with held(study, "EXCLUSIVE", seconds=3):
        survived(*inside(*words), expected=0)
    survived(*inside("report", study), expected=0)


@pytest.mark.slow
def test_a_search_that_is_stopped_while_it_waits_ends(tmp_path):
    """Without a time limit it would wait for ever: not so at its end."""
    path, study = write_space(tmp_path, search={"sampler": "random", "trials": 400}), tmp_path / "study.db"
    run = start(path, study)
    read_trials(run, 1)
    with held(study):
        time.sleep(2)
        code, err = stop(run, signal.SIGTERM)
    assert code == 128 + signal.SIGTERM
    assert err.startswith("interrupted by SIGTERM")
    search(path, study)


def test_a_time_of_day_is_read_from_the_clock_on_the_wall(monkeypatch):
    """Which may be set, and goes on while the machine sleeps; a duration is counted on the other one."""
    night, seven_hours = Budget(Limits(until="07:00"), time.monotonic()), Budget(Limits(time="7h"), time.monotonic())
    left = night.left
    wall, sleep = time.time(), left + 60
    monkeypatch.setattr(time, "time", lambda: wall + sleep)
    assert night.spent and night.left == 0
    assert not seven_hours.spent
    monkeypatch.setattr(time, "time", lambda: wall - 3600)
    assert night.left == pytest.approx(left + 3600, abs=5)
    monkeypatch.undo()
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 8 * 3600)
    assert seven_hours.spent
    assert night.left == pytest.approx(left, abs=5)
