"""`tuner replay`: a stored trial trained again is the same to the bit, or it is said what is not."""

import json
import shutil
import sqlite3
from contextlib import closing

import pytest
from helpers import DIVERGING, GRID, inside, search, write_space

from tuner.experiment.records import CURVES, to_checked_json
from tuner.report import load

PRUNED = {"search": {"sampler": "tpe", "trials": 9, "pruner": {"name": "median", "warmup_trials": 2}}}
SPACES = {
    "tpe": {"search": {"trials": 2}},
    "grid, shared": GRID,
    "pruned": PRUNED,
    "pruned, shared": {"search": {**PRUNED["search"], "sampler": "random"}},
}


@pytest.mark.parametrize(
    "case", ["tpe", *(pytest.param(case, marks=pytest.mark.slow) for case in SPACES if case != "tpe")]
)
def test_every_trial_is_identical(tmp_path, case):
    study = tmp_path / "study.db"
    search(write_space(tmp_path, **SPACES[case]), study)
    results = load(study)
    states = set()
    for chain in ("outer-2", "final"):
        for trial in results.chains[chain].trials:
            code, out, err = inside("replay", study, "--chain", chain, "--trial", trial.number)
            assert (code, err) == (0, ""), out
            count = 3 * sum(map(len, trial.curves.score))
            assert out == f"trial {trial.number} of {chain}: identical in all {count} values\n"
            states.add(trial.state)
    assert ("pruned" in states) == ("pruned" in case)


def test_a_trial_that_failed_fails_again(tmp_path):
    study = tmp_path / "study.db"
    inside("search", write_space(tmp_path, **DIVERGING, search={"trials": 2}), "--study", study, "--workers", 0)
    code, out, _ = inside("replay", study, "--trial", 1)
    assert (code, "failed again, as before: the training loss" in out) == (0, True), out


def tampered(finished, folder, change):
    """A copy of a finished study, one record of its final chain changed."""
    study = folder / "study.db"
    shutil.copy(finished, study)
    with closing(sqlite3.connect(study)) as db:
        query = (
            "SELECT a.trial_user_attribute_id, a.value_json FROM trial_user_attributes a "
            "JOIN trials t USING (trial_id) JOIN studies s USING (study_id) "
            "WHERE s.study_name = 'tiny/final' AND t.number = 2 AND a.key = 'tuner:record'"
        )
        ((row, text),) = db.execute(query).fetchall()
        record = json.loads(text)
        change(record)
        curves, _ = record.pop("curves"), record.pop("checksum")
        curves.pop("checksum")
        db.execute(
            "UPDATE trial_user_attributes SET value_json = ? WHERE trial_user_attribute_id = ?",
            (f"{to_checked_json(record, 'final/2')[:-1]}{CURVES}{to_checked_json(curves, 'final/2')}}}", row),
        )
        db.commit()
    return study


def other(record):
    record["curves"]["loss"][1][2] += 1e-6


def test_a_value_that_is_another_is_found(finished, tmp_path):
    study = tampered(finished, tmp_path, other)
    code, out, _ = inside("replay", study, "--trial", 2)
    assert code == 1
    assert "different in 1 of " in out and "first in the validation loss of fold 2, epoch 3: " in out


def test_other_versions_excuse_what_is_close(finished, tmp_path, monkeypatch):
    study = tampered(finished, tmp_path, other)
    monkeypatch.setattr("tuner.search.provenance.version", lambda name: "9.9")
    code, out, _ = inside("replay", study, "--trial", 2)
    assert code == 0
    assert "close (at most 1e-06 apart), because " in out and "→ 9.9" in out
    far = tampered(finished, tmp_path, lambda record: record["curves"]["loss"][1].__setitem__(2, 9.0))
    assert inside("replay", far, "--trial", 2)[0] == 1


def test_another_end_is_told(finished, tmp_path):
    study = tampered(finished, tmp_path, lambda record: record.update(state="failed", reason="by hand"))
    code, out, _ = inside("replay", study, "--trial", 2)
    assert code == 1
    assert "it was failed (by hand) and is complete" in out


def test_changed_data_is_refused(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("x,y\n" + "".join(f"{i * 0.1},{'ab'[i % 2]}\n" for i in range(40)))
    study = tmp_path / "study.db"
    space = write_space(tmp_path, dataset={"name": "table", "path": "t.csv", "target": "y"}, search={"trials": 1})
    search(space, study)
    space.unlink()  # the study keeps the text
    assert inside("replay", study, "--trial", 0)[0] == 0
    table.write_text(table.read_text().replace("0.1,", "0.15,", 1))
    code, _, err = inside("replay", study, "--trial", 0)
    assert code == 2
    assert "the data itself" in err


def test_a_wrong_word_is_told(finished):
    for arguments in (("--trial", 99), ("--chain", "outer-9", "--trial", 0), ("--trial", 0, "--name", "other")):
        code, _, err = inside("replay", finished, *arguments)
        assert code == 2
        assert err.startswith("error: ")
