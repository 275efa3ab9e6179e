"""Trials that another program, or a second search at once, has written: told in the report, never a crash."""

import shutil
import sqlite3
from contextlib import closing

import optuna
import pytest
from helpers import inside, report_json, search, tables, write_space

from tuner.errors import StorageError
from tuner.report import load
from tuner.store import Entry, Store


def doubled(study, chain, number):
    """Copy a trial of a chain with all that hangs on it, as a second search would have written it."""
    with closing(sqlite3.connect(study)) as db:
        query = ("SELECT trial_id, study_id FROM trials JOIN studies USING (study_id) "
                 "WHERE study_name = ? AND number = ?")  # fmt: skip
        old, owner = db.execute(query, (f"tiny/{chain}", number)).fetchone()
        new = db.execute(
            "INSERT INTO trials (number, study_id, state) VALUES (?, ?, 'COMPLETE')", (number, owner)
        ).lastrowid
        db.execute("INSERT INTO trial_user_attributes (trial_id, key, value_json) "
                   "SELECT ?, key, value_json FROM trial_user_attributes WHERE trial_id = ?", (new, old))  # fmt: skip
        db.commit()


def test_a_trial_that_is_there_twice_counts_once_and_is_told(finished, tmp_path):
    study = tmp_path / "study.db"
    shutil.copy(finished, study)
    doubled(study, "outer-1", 2)
    code, out, err = inside("report", study, "--chain", "outer-1", "--trial", 2)
    assert (code, err) == (0, "")
    assert "Warning: trial 2 of outer-1 is stored twice; the first one is used." in out
    found, before = load(study), load(finished)
    assert (found.score, found.finished()) == (before.score, before.finished())
    assert inside("status", study)[0] == 0
    path = write_space(tmp_path)
    search(path, study, "--trials", 7)
    shutil.copy(finished, tmp_path / "whole.db")
    search(path, tmp_path / "whole.db", "--trials", 7)
    assert load(study).score == load(tmp_path / "whole.db").score


def test_a_second_trial_of_a_number_is_not_written(finished, tmp_path):
    study = tmp_path / "study.db"
    shutil.copy(finished, study)
    record = load(study).whole("final", load(study).trial("final", 1))
    trial = optuna.trial.create_trial(state=optuna.trial.TrialState.COMPLETE, value=0.5)
    before = study.read_bytes()
    with closing(Store(study)) as store, pytest.raises(StorageError, match="has a trial 1 already"):
        store.write("tiny", [Entry("final", record, trial)])
    assert study.read_bytes() == before


@pytest.mark.slow
def test_trials_that_optuna_was_told_of_do_not_count_and_are_told(tmp_path):
    path, study, whole = write_space(tmp_path, search={"trials": 3}), tmp_path / "study.db", tmp_path / "whole.db"
    search(path, study)
    search(path, whole)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    theirs = optuna.load_study(study_name="tiny/outer-1", storage=f"sqlite:///{study}")
    theirs.enqueue_trial({"model.hidden_size": 4})
    theirs.tell(theirs.ask(), 0.99)
    theirs.add_trial(optuna.trial.create_trial(state=optuna.trial.TrialState.COMPLETE, value=0.5))
    warning = "Warning: the file has 2 trials that were not written by tuner; they are ignored."
    assert warning in inside("report", study)[1]
    for each in (study, whole):
        search(path, each, "--trials", 6)
    said = '"the file has 2 trials that were not written by tuner; they are ignored"'
    assert said in report_json(study)
    first = [table.replace(said, "") for table in tables(study)]
    assert ["".join(each.split()) for each in first] == ["".join(each.split()) for each in tables(whole)]
