"""A study that version 0.1.0 made, packed next to this file: it can be reported, and nothing else."""

import gzip
import json
import shutil
from pathlib import Path

import pytest
from helpers import inside, write_space

from tuner.report.results import load
from tuner.store import version3

FIXTURE = Path(__file__).with_name("version3.db.gz")
# as version 0.1.0 reported them
OUTER = [0.9, 1.0, 0.966666667, 0.966666667, 0.833333333]
SCORE = {"mean": 0.9333333333333333, "low": 0.8092}


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "old.db"
    with gzip.open(FIXTURE) as packed, path.open("wb") as file:
        shutil.copyfileobj(packed, file)
    return path


def test_its_report_is_that_of_its_own_version(old):
    before = old.read_bytes()
    results = load(old)
    assert [fold.score for fold in results.folds] == pytest.approx(OUTER)
    assert results.score.mean == pytest.approx(SCORE["mean"]) and round(results.score.low, 4) == SCORE["low"]
    assert [chain.trained for chain in results.header.outer] == [90] * 5
    assert len(results.whole("final", results.trial("final", 1)).curves.loss) == 5
    for verb in (("report", old), ("status", old), ("studies", old), ("report", old, "--format", "csv")):
        assert inside(*verb)[0] == 0, verb
    code, out, _ = inside("report", old, "--format", "json")
    assert code == 0 and json.loads(out)["score"]["mean"] == pytest.approx(SCORE["mean"])
    assert "a dummy that ignores the features" in inside("report", old)[1]
    assert old.read_bytes() == before


def test_it_is_neither_continued_nor_replayed_nor_changed(old, tmp_path):
    before = old.read_bytes()
    for verb in (
        ("search", write_space(tmp_path), "--study", old),
        ("replay", old, "--trial", 1),
        ("studies", old, "--rename", "quick", "other"),
        ("curve", old),
    ):
        code, _, err = inside(*verb)
        assert code in (2, 4) and version3.SENTENCE in err and version3.HINT in err, verb
    assert old.read_bytes() == before


def test_a_changed_record_is_told(old):
    import sqlite3

    with sqlite3.connect(old) as db:
        db.execute(
            "UPDATE trial_user_attributes SET value_json = replace(value_json, '\"score\":0.9', '\"score\":0.8')"
        )
    db.close()
    code, _, err = inside("report", old)
    assert code == 4 and "a record is damaged" in err
