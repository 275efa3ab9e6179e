"""study.db is an ordinary Optuna storage; a file that is not one is refused and left as it is."""

import os
import sqlite3
from contextlib import closing
from dataclasses import replace

import optuna
import pytest
from helpers import inside, search, tables, write_space

from tuner.experiment.records import RefitRecord
from tuner.lock import lock
from tuner.report import load
from tuner.store import Entry, Store, read


def refused(*args):
    """One `error:` line, exit code 4, no report."""
    code, out, err = inside(*args)
    assert code == 4, err
    assert err.count("error:") == 1 and err.startswith("error: ") and "Traceback" not in err
    assert out == "" or args[0] == "search"
    return err


def test_optuna_reads_every_chain_with_equal_parameters_values_and_curves(finished):
    results = load(finished)
    for chain, stored in results.chains.items():
        study = optuna.load_study(study_name=f"tiny/{chain}", storage=f"sqlite:///{finished}")
        assert study.direction == optuna.study.StudyDirection.MAXIMIZE
        assert len(study.trials) == len(stored.trials) == 6
        for theirs, ours in zip(study.trials, stored.trials, strict=True):
            assert (theirs.number, theirs.params, theirs.value) == (ours.number, ours.values, ours.score)
            assert theirs.state == optuna.trial.TrialState.COMPLETE
            assert theirs.intermediate_values == {i + 1: mean for i, mean in enumerate(ours.means)}
            assert len(ours.means) == ours.epochs > 0
        assert study.best_trial.value == max(t.score for t in stored.trials)


def test_optuna_sees_the_ranges_that_were_searched(finished):
    study = optuna.load_study(study_name="tiny/final", storage=f"sqlite:///{finished}")
    rate = study.trials[0].distributions["training.optimizer.learning_rate"]
    assert rate == optuna.distributions.FloatDistribution(0.001, 0.3, log=True)
    assert study.trials[0].distributions["model.hidden_size"] == optuna.distributions.IntDistribution(2, 16, log=True)


def test_optuna_sees_who_was_pruned_and_who_failed(tmp_path):
    """Learning rates up to 100 on a regression: some trials diverge, and the median stops others."""
    optimizer = {"name": "sgd", "learning_rate": {"low": 0.001, "high": 100, "log": True}}
    path = write_space(
        tmp_path,
        dataset={"name": "diabetes"},
        training={"batch_size": 32, "optimizer": optimizer, "early_stopping": None},
        search={"sampler": "random", "trials": 16, "pruner": {"name": "median", "warmup_trials": 2}},
    )
    search(path, tmp_path / "study.db")
    seen = set()
    for chain, stored in load(tmp_path / "study.db").chains.items():
        study = optuna.load_study(study_name=f"tiny/{chain}", storage=f"sqlite:///{tmp_path / 'study.db'}")
        states = [{"FAIL": "failed"}.get(t.state.name, t.state.name.lower()) for t in study.trials]
        assert states == [t.state for t in stored.trials]
        assert [t.params for t in study.trials] == [t.values for t in stored.trials]
        seen |= set(states)
    assert seen == {"complete", "pruned", "failed"}


def test_what_is_written_together_is_written_whole_or_not_at_all(finished, tmp_path):
    study = tmp_path / "study.db"
    study.write_bytes(finished.read_bytes())
    before = tables(study)
    good = RefitRecord(77, 1, 0.1, 0.5)
    store = Store(study)
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.write("tiny", [Entry("outer-1", good), Entry("outer-2", replace(good, score=float("nan")))])
    assert tables(study) == before
    assert all(77 not in chain.refits for chain in read(study)["tiny"].chains.values())
    store.write("tiny", [Entry("outer-1", good), Entry("outer-2", good)])
    store.close()
    assert [chain.refits.get(77) for chain in read(study)["tiny"].chains.values()] == [good, good, None, None]


def test_the_journal_mode_lets_the_file_be_copied_alone(finished, tmp_path):
    copy = tmp_path / "copy.db"
    copy.write_bytes(finished.read_bytes())
    assert tables(copy) == tables(finished)
    assert sorted(p.name for p in finished.parent.iterdir()) == ["space.yaml", "study.db", "study.db.lock"]


@pytest.mark.torture
def test_a_typing_error_creates_nothing(tmp_path):
    said = refused("report", tmp_path / "stduy.db")
    assert "no such file" in said
    refused("report", tmp_path / "no" / "folder" / "study.db")
    assert list(tmp_path.iterdir()) == []


def foreign(path):
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE songs (title TEXT)")
        db.execute("INSERT INTO songs VALUES ('Yesterday')")
        db.commit()


def optunas_own(path):
    optuna.create_study(study_name="mine", storage=f"sqlite:///{path}")


FILES = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("my notes\n"),
    "latin": lambda path: path.write_bytes(b"\xff\xfe\xe9" * 50),
    "foreign": foreign,
    "Optuna's": optunas_own,
    "magic only": lambda path: path.write_bytes(b"SQLite format 3\0" + b"\x07" * 200),
}


@pytest.mark.torture
# an empty file, such as mktemp makes, becomes a study when searched
@pytest.mark.parametrize(
    ("verb", "kind"), [*(("report", kind) for kind in FILES), *(("search", kind) for kind in FILES if kind != "empty")]
)
def test_a_file_of_something_else_is_refused_and_stays_as_it_is(tmp_path, kind, verb):
    study, path = tmp_path / "other.db", write_space(tmp_path, search={"trials": 1})
    FILES[kind](study)
    before, listing = study.read_bytes(), sorted(tmp_path.iterdir())
    refused(*(["report", study] if verb == "report" else ["search", path, "--study", study, "--workers", 0]))
    assert study.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == listing


@pytest.mark.torture
@pytest.mark.parametrize("verb", ["report", "search"])
def test_a_folder_is_refused(tmp_path, verb):
    study, path = tmp_path / "study.db", write_space(tmp_path)
    study.mkdir()
    refused(*(["report", study] if verb == "report" else ["search", path, "--study", study, "--workers", 0]))
    assert list(study.iterdir()) == []


@pytest.mark.torture
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_a_truncated_file_is_refused(finished, tmp_path, share):
    whole, study = finished.read_bytes(), tmp_path / "study.db"
    study.write_bytes(whole[: int(len(whole) * share)])
    refused("report", study)


@pytest.mark.torture
def test_flipped_bytes_are_refused_or_harmless_but_never_a_bug(finished, tmp_path):
    whole, study = finished.read_bytes(), tmp_path / "study.db"
    codes = []
    for page in range(0, len(whole), 4096):
        damaged = bytearray(whole)
        damaged[page : page + 64] = bytes(byte ^ 0xFF for byte in damaged[page : page + 64])
        study.write_bytes(damaged)
        code, _, err = inside("report", study)
        assert code in (0, 4), (page, err)
        assert (code == 4) == err.startswith("error: "), (page, err)
        codes.append(code)
    assert 4 in codes


@pytest.mark.torture
def test_flipped_bytes_inside_the_records_are_refused_or_harmless(finished, tmp_path):
    whole, study = finished.read_bytes(), tmp_path / "study.db"
    for place in range(whole.index(b"fold_scores"), len(whole), 5003):
        study.write_bytes(whole[:place] + bytes([whole[place] ^ 0x15]) + whole[place + 1 :])
        code, _, err = inside("report", study, "--format", "json")
        assert code in (0, 4), (place, err)


def test_a_record_that_is_not_ours_is_refused(finished, tmp_path):
    study = tmp_path / "study.db"
    study.write_bytes(finished.read_bytes())
    with closing(sqlite3.connect(study)) as db:
        db.execute("UPDATE trial_user_attributes SET value_json = '\"{}\"'")
        db.commit()
    refused("report", study)


def test_a_second_search_meanwhile_exits_75(finished, tmp_path):
    path, study = write_space(tmp_path), tmp_path / "study.db"
    study.write_bytes(finished.read_bytes())
    with lock(study):
        code, _, err = inside("search", path, "--study", study, "--workers", 0)
        assert code == 75
        assert err.startswith("error: ") and f"pid {os.getpid()}" in err
        assert inside("report", study)[0] == 0  # reading needs no lock
    search(path, study)


@pytest.mark.torture
def test_a_place_below_a_file_cannot_be_written(tmp_path):
    path = write_space(tmp_path)
    refused("search", path, "--study", path / "study.db", "--workers", 0)


@pytest.mark.torture
def test_an_empty_file_becomes_a_study(tmp_path):
    study = tmp_path / "study.db"
    study.touch()
    search(write_space(tmp_path, search={"trials": 1}), study)
    assert load(study).complete


@pytest.mark.torture
def test_a_folder_that_does_not_exist_is_not_made(tmp_path):
    refused("search", write_space(tmp_path), "--study", tmp_path / "no" / "study.db", "--workers", 0)
    assert not (tmp_path / "no").exists()


@pytest.mark.slow
@pytest.mark.torture
@pytest.mark.parametrize("odd", ["{a}", "what?", "50%41", "a#b", "two words", "a:b", "é"])
def test_odd_characters_in_the_path(tmp_path, odd):
    folder = tmp_path / odd
    folder.mkdir()
    path, study = write_space(folder, f"{odd}.yaml", search={"trials": 1}), folder / f"{odd}.db"
    said = search(path, study)
    assert load(study).complete
    assert sorted(p.name for p in folder.iterdir()) == sorted([f"{odd}.yaml", f"{odd}.db", f"{odd}.db.lock"])
    assert str(study) in said
