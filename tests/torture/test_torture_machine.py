"""Torture: a machine that lacks something fails no trial; the same command, in health, ends as if nothing had been."""

import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import GRID, command, inside, read_trials, search, tables, write_space
from survival import survived

from tuner.experiment.records import FoldCurves, to_json, trial_from_json
from tuner.report import load
from tuner.store import read

pytestmark = [pytest.mark.torture]
STRANGER = 54321  # a user without any process
READS = "+dac_read_search,+dac_override"  # what root installed
AS_STRANGER = ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups", f"--inh-caps={READS}",
               f"--ambient-caps={READS}"]  # fmt: skip
NET = """
from torch import nn
class Net(nn.Linear):
    def __init__(self, in_features, num_classes):
        super().__init__(in_features, num_classes)
"""


@pytest.fixture
def place():
    """A folder that every user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


def run(words, cwd, **more):
    done = subprocess.run([*map(str, words)], cwd=cwd, capture_output=True, text=True, timeout=120, **more)
    return done.returncode, done.stdout, done.stderr


def failed(study):
    """Failed trials and refits, if there is a study."""
    chains = read(study)["tiny"].chains.values() if study.exists() else ()
    return [r for chain in chains for r in (*chain.trials, *chain.refits.values()) if r.reason]


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("setpriv"), reason="only root may become another user")
@pytest.mark.parametrize("own", [False, True])
def test_a_limit_of_processes_stops_the_search_and_fails_no_trial(place, own):
    (place / "nets.py").write_text(NET)
    model = {"name": "nets.py:Net", "hidden_size": None, "activation": None} if own else {}
    path = write_space(place, model=model, search={"trials": 2})
    codes = []
    for limit in (1, 6, 12):
        words = [*AS_STRANGER, "prlimit", f"--nproc={limit}", *command("search", path, "--workers", 2)]
        code, out, err = run(words, place, env={**os.environ, "HOME": str(place)})
        survived(code, out, err, expected=code)
        assert code in (0, 3), err
        assert code == 0 or "ulimit -u" in err
        assert not failed(place / "study.db")
        codes.append(code)
    assert codes[0] == 3 and codes[-1] == 0, "the limits should be such as stop it, and such as do not"
    search(path, place / "whole.db", workers=2)
    assert tables(place / "study.db") == tables(place / "whole.db")


@pytest.mark.slow
def test_few_open_files_stop_it_and_fail_no_trial(tmp_path):
    path = write_space(tmp_path, search={"trials": 2})
    for limit in (12, 20, 32):
        words = ["prlimit", f"--nofile={limit}", *command("search", path, "--workers", 3)]
        code, out, err = run(words, tmp_path)
        survived(code, out, err, expected=code)
        assert code in (0, 3) and (code == 0 or "ulimit -n" in err), err
        assert not failed(tmp_path / "study.db")
    search(path, tmp_path / "study.db", workers=2)
    search(path, tmp_path / "whole.db")
    assert tables(tmp_path / "study.db") == tables(tmp_path / "whole.db")


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="only root may mount")
@pytest.mark.parametrize("options", ["size=64k", "ro"])
def test_shared_memory_that_is_small_or_closed_is_not_needed(tmp_path, options):
    """As in a container; the data is larger than it."""
    path = write_space(tmp_path, dataset={"name": "digits"}, search={"trials": 1})
    mount = f'mount -t tmpfs -o {options} tmpfs /dev/shm && exec "$@"'
    words = ["unshare", "-m", "sh", "-c", mount, "sh", *command("search", path, "--workers", 2)]
    survived(*run(words, tmp_path), expected=0)


@pytest.mark.slow
def test_a_working_directory_that_is_deleted_meanwhile_fails_no_trial(tmp_path):
    gone, study = tmp_path / "gone", tmp_path / "study.db"
    gone.mkdir()
    path = write_space(tmp_path, training={"epochs": 60, "batch_size": 8, "early_stopping": None})
    words = command("search", path, "--study", study, "--workers", 2)
    process = subprocess.Popen(words, cwd=gone, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    read_trials(process, 1)
    gone.rmdir()
    for pid in {int(each) for each in subprocess.check_output(["pgrep", "-P", str(process.pid)]).split()}:
        os.kill(pid, signal.SIGKILL)  # a worker, the server or its helper: what replaces it begins without a folder
    out, err = process.communicate(timeout=120)
    survived(process.returncode, out, err, expected=process.returncode)
    assert process.returncode in (0, 3), err
    assert not failed(study)
    search(path, study, workers=2)
    search(path, tmp_path / "whole.db", workers=2)
    assert tables(study) == tables(tmp_path / "whole.db")


@pytest.mark.slow
@pytest.mark.parametrize("reason", ["the worker process died (SIGKILL)", "RuntimeError: can't start new thread"])
def test_what_older_studies_hold_of_it_is_trained_again(tmp_path, reason):
    path, study, whole = write_space(tmp_path, **GRID), tmp_path / "study.db", tmp_path / "whole.db"
    search(path, whole)
    shutil.copy(whole, study)
    with closing(sqlite3.connect(study)) as db:
        query = ("SELECT trial_user_attribute_id, value_json, number, study_name FROM trial_user_attributes "
                 "JOIN trials USING (trial_id) JOIN studies USING (study_id) "
                 "WHERE key = 'tuner:record' AND number IN (1, 3)")  # fmt: skip
        for row, text, number, name in db.execute(query).fetchall():
            chain = name.removeprefix("tiny/")
            bad = replace(
                trial_from_json(text, chain, number), state="failed", score=None, reason=reason, curves=FoldCurves()
            )
            db.execute("UPDATE trial_user_attributes SET value_json = ? WHERE trial_user_attribute_id = ?",
                       (to_json(bad, chain), row))  # fmt: skip
        db.commit()
    assert len(load(study).chains["final"].trials) == 12 and tables(study) != tables(whole)
    out = search(path, study)
    assert "outer-1: trained again, as the machine was at fault: trial 1, trial 3" in out
    assert tables(study) == tables(whole)
    assert "trained again" not in search(path, study)


@pytest.mark.slow
def test_a_trial_that_is_at_fault_itself_is_not_trained_again(tmp_path):
    body = ("import os", "self.seen = getattr(self, 'seen', 0) + self.training", "if self.seen > 2: os._exit(1)",
            "return super().forward(x)")  # fmt: skip
    lines = "".join(f"        {line}\n" for line in body)
    (tmp_path / "nets.py").write_text(f"{NET}    def forward(self, x):\n{lines}")
    net = {"name": "nets.py:Net", "hidden_size": None, "activation": None}
    path = write_space(tmp_path, model=net, search={"trials": 1})
    code, _, err = inside("search", path, "--study", tmp_path / "study.db", "--workers", 1)
    assert code == 5 and "the worker process ended (exit code 1)" in err
    code, out, again = inside("search", path, "--study", tmp_path / "study.db", "--workers", 1)
    assert (code, again) == (5, err) and "trained again" not in out
