"""The empty storage made ahead is what Optuna would make, and is cleaned away; unused workers are silent."""

import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from tuner.search.forkserver import empty_storage, start_forkserver
from tuner.store import Store, make


def schema(path):
    with closing(sqlite3.connect(path)) as db:
        return sorted(db.execute("SELECT type, name, sql FROM sqlite_master")), list(
            db.execute("SELECT schema_version, library_version FROM version_info")
        )


@pytest.mark.slow
def test_a_storage_made_ahead_is_as_one_made_in_place(tmp_path):
    start_forkserver()
    with empty_storage() as made:
        Store(tmp_path / "ahead.db", made).close()
        folder = made().parent
        assert folder.exists()
    assert not folder.exists()
    Store(tmp_path / "here.db").close()
    assert schema(tmp_path / "ahead.db") == schema(tmp_path / "here.db")


def test_where_none_could_be_made_ahead_it_is_made_in_place(tmp_path):
    Store(tmp_path / "study.db", lambda: tmp_path / "missing.db").close()
    make(tmp_path / "other.db")
    assert schema(tmp_path / "study.db") == schema(tmp_path / "other.db")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["other.db", "study.db"]


ABANDONED = """
import os
from multiprocessing import forkserver
from tuner.search.forkserver import start_forkserver
if __name__ == "__main__":
    start_forkserver()
    ended, told = forkserver.connect_to_new_process([])
    os.close(told)  # as where a signal ends the driver just now
    os.read(ended, 8)
"""


@pytest.mark.slow
def test_a_worker_to_whom_nothing_is_said_says_nothing(tmp_path):
    (tmp_path / "abandoned.py").write_text(ABANDONED)
    done = subprocess.run([sys.executable, tmp_path / "abandoned.py"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


UNABLE = """
import os
from multiprocessing import forkserver
from tuner.search.forkserver import start_forkserver
if __name__ == "__main__":
    os.environ["PYTHONHOME"] = "/nowhere"
    start_forkserver()
    os.waitpid(forkserver._forkserver._forkserver_pid, 0)
    os.write(2, b"it goes on")
"""


def test_a_server_that_cannot_begin_prints_nothing(tmp_path):
    """The interpreter itself would print where it looked for its library."""
    (tmp_path / "unable.py").write_text(UNABLE)
    done = subprocess.run([sys.executable, tmp_path / "unable.py"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "it goes on")
