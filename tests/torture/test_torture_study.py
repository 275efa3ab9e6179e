"""Torture: studies that are broken, foreign, read-only, deleted, or on a disk that is full."""

import os
import shutil
import sqlite3
import subprocess
import time
from contextlib import closing

import pytest
from helpers import but_raised, execute, inside, read_trials, reworded, search, start, tables, tuner, write_space
from survival import files_up_to, real, surroundings, survived, without_privileges

from tuner.errors import StorageError
from tuner.report import load
from tuner.store import FORMAT

pytestmark = pytest.mark.torture


def altered(statement):
    """A change of a study by SQL."""
    return lambda path: execute(path, statement)


def cut(share):
    return lambda path: os.truncate(path, int(path.stat().st_size * share))


OF_FORMAT = (
    f"UPDATE study_user_attributes SET value_json = replace(value_json, '\"schema\":{FORMAT}', '\"schema\":{{}}') "
    "WHERE key = 'tuner:header'"
)
DAMAGE = {
    "truncated to 100 bytes": lambda path: os.truncate(path, 100),
    "truncated to a half": cut(0.5),
    "tables from the future": altered("UPDATE version_info SET schema_version = 99"),
    "a study from the future": altered(OF_FORMAT.format(99)),
    "a study of an older tuner": altered(OF_FORMAT.format(1)),
    "a header that is no JSON": altered("UPDATE study_user_attributes SET value_json = '{' WHERE key = 'tuner:header'"),
    "a header of another shape": altered(
        "UPDATE study_user_attributes SET value_json = '[]' WHERE key = 'tuner:header'"
    ),
    "records that are no JSON": altered("UPDATE trial_user_attributes SET value_json = '{' WHERE key = 'tuner:record'"),
    "a table less": altered("DROP TABLE trial_user_attributes"),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "noise": lambda path: path.write_bytes(os.urandom(8192)),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_study_is_refused_by_every_verb_and_stays_as_it_is(finished, tmp_path, case):
    study, path = tmp_path / "study.db", write_space(tmp_path)
    shutil.copy(finished, study)
    DAMAGE[case](study)
    before = study.read_bytes()
    future = case == "tables from the future"  # reading does without what may have changed
    survived(*inside("search", path, "--study", study, "--workers", 0), expected=4)
    for verb in (("report", study), ("status", study), ("replay", study, "--trial", 0)):
        survived(*inside(*verb), expected=0 if future else 4)
    assert study.read_bytes() == before


@pytest.mark.slow
def test_a_read_only_study_is_read_but_not_written(finished, tmp_path):
    path, study = write_space(tmp_path, search={"trials": 9}), tmp_path / "study.db"
    shutil.copy(finished, study)
    study.chmod(0o444)
    _, err = real("search", path, "--study", study, "--workers", 0, cwd=tmp_path, expected=4, before=without_privileges)
    assert "readonly" in err
    real("report", study, cwd=tmp_path, before=without_privileges)


@pytest.mark.slow
def test_a_read_only_folder(finished, tmp_path):
    path, folder = write_space(tmp_path), tmp_path / "shelf"
    folder.mkdir()
    shutil.copy(finished, folder / "study.db")
    folder.chmod(0o555)
    arguments = ("search", path, "--workers", 0, "--study")
    real(*arguments, folder / "new.db", cwd=tmp_path, expected=4, before=without_privileges)
    real("report", folder / "study.db", cwd=tmp_path, before=without_privileges)
    assert [place.name for place in folder.iterdir()] == ["study.db"]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_a_full_disk_in_the_middle_loses_nothing(tmp_path, workers):
    path = write_space(tmp_path, search={"sampler": "random", "trials": 8})
    full, whole = tmp_path / "full.db", tmp_path / "whole.db"
    arguments = ("search", path, "--study", full, "--workers", workers)
    search(path, whole)
    limit = whole.stat().st_size - 3 * 4096
    _, err = real(*arguments, cwd=tmp_path, expected=4, before=files_up_to(limit))
    assert "free disk space" in err
    kept = load(full).finished()
    assert kept > 0
    real(*arguments, cwd=tmp_path)
    assert tables(full) == tables(whole)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, of 300 kB, and how to make it larger."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "none", str(place)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting needs root; files_up_to covers the rest")
    yield place, lambda: subprocess.run(["mount", "-o", "remount,size=10m", str(place)], check=True)
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.slow
def test_a_disk_that_is_full_and_freed(tmp_path, small_disk):
    disk, free = small_disk
    path, whole = write_space(tmp_path, search={"sampler": "random", "trials": 40}), tmp_path / "whole.db"
    arguments = ("search", path, "--study", disk / "study.db", "--workers", 2)
    _, err = real(*arguments, cwd=tmp_path, expected=4)
    assert "is full" in err and "free disk space" in err
    kept = load(disk / "study.db").finished()
    assert kept > 0
    free()
    real(*arguments, cwd=tmp_path)
    search(path, whole)
    assert tables(disk / "study.db") == tables(whole)


@pytest.mark.slow
@pytest.mark.parametrize("replaced", [False, True])
def test_a_study_deleted_or_replaced_during_the_run_ends_it_with_one_line(tmp_path, replaced):
    path = write_space(tmp_path, training={"epochs": 60, "batch_size": 4, "early_stopping": None})
    study = tmp_path / "study.db"
    process = start(path, study)
    read_trials(process, 2)
    if replaced:
        shutil.copy(study, tmp_path / "copy.db")
        before = (tmp_path / "copy.db").read_bytes()
        (tmp_path / "copy.db").replace(study)
    else:
        study.unlink()
    _, err = process.communicate(timeout=60)
    survived(process.returncode, "", err, expected=4)
    assert "was moved, deleted or replaced during the run" in err
    assert study.read_bytes() == before if replaced else not study.exists()


@pytest.mark.slow
def test_the_file_of_the_lock_deleted_under_the_run_ends_it(tmp_path):
    path = write_space(tmp_path, training={"epochs": 40, "batch_size": 8, "early_stopping": None})
    study, whole = tmp_path / "study.db", tmp_path / "whole.db"
    process = start(path, study)
    read_trials(process, 2)
    (tmp_path / "study.db.lock").unlink()
    _, err = process.communicate(timeout=60)
    survived(process.returncode, "", err, expected=4)
    assert "study.db.lock was deleted during the run" in err
    search(path, study)
    search(path, whole)
    assert tables(study) == tables(whole)


def last_write(study):
    """SQLite's change counter, which every write raises; None during a write, while there is a journal.

    https://www.sqlite.org/fileformat.html, 1.3.7"""
    with study.open("rb") as file:
        counter = file.read(28)[24:]
    return None if study.with_name(study.name + "-journal").exists() else counter


@pytest.mark.slow
def test_a_copy_taken_between_two_writes_is_a_good_study_and_one_taken_during_a_write_is_no_other_study(tmp_path):
    path = write_space(tmp_path, search={"sampler": "random", "trials": 40})
    study, counts = tmp_path / "study.db", {}
    process = start(path, study)
    read_trials(process, 1)
    for number in range(30):
        if process.poll() is not None:
            break
        copy, before = tmp_path / f"copy{number}.db", last_write(study)
        shutil.copy(study, copy)
        try:
            counts[copy] = load(copy).finished()
        except StorageError:
            assert before is None or last_write(study) != before
        time.sleep(0.02)
    backup = tmp_path / "backup.db"
    with closing(sqlite3.connect(study)) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)
    counts[backup] = load(backup).finished()
    process.communicate(timeout=60)
    assert list(counts.values()) == sorted(counts.values())
    last = list(counts)[len(counts) // 2]
    again = tuner("search", path, "--study", last, "--workers", "2", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert tables(last) == tables(study)


@pytest.mark.slow
def test_a_clock_that_was_set_changes_nothing(tmp_path):
    """Every moment that the file holds lies in the future."""
    path, study = write_space(tmp_path, search={"sampler": "random", "trials": 5}), tmp_path / "study.db"
    search(path, study)
    altered("UPDATE trials SET datetime_start = '2099-01-01 00:00:00', datetime_complete = '2099-01-01 00:00:01'")(
        study
    )
    reworded(study, "tuner:runs", lambda found: [run.update(start=f"21{run['start'][2:]}") for run in found["runs"]])
    survived(*inside("status", study), expected=0)
    for place in (study, tmp_path / "whole.db"):
        search(path, place, "--trials", 9)
    survived(*inside("status", study), expected=0)
    assert but_raised(tables(study)) == but_raised(tables(tmp_path / "whole.db"))


@pytest.mark.parametrize("home", ["/proc/nowhere", None])
def test_without_a_home(finished, tmp_path, home):
    real("report", finished, cwd=tmp_path, env=surroundings(HOME=home))
