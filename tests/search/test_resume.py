"""The same command goes on to the total; another experiment is never mixed in."""

import json

import pytest
from helpers import GRID, inside, report_json, reworded, search, slow, tables, write_space

from tuner.store import read


def raw(study, *args):
    code, out, err = inside("report", study, *args)
    assert code == 0, err
    return out


def without_raise(report):
    """A report less what it says of a total that was raised when it was complete."""
    return {key: value for key, value in json.loads(report).items() if key != "raised"}


def refused(path, study, *args):
    """The sentence of a refusal, and that the study is untouched by it."""
    before = study.read_bytes()
    code, _, err = inside("search", path, "--study", study, "--workers", 0, *args)
    assert code == 2
    assert err.startswith("error: ")
    assert study.read_bytes() == before
    return err


@pytest.fixture
def begun(tmp_path):
    """An experiment file and its finished search of two trials."""
    path, study = write_space(tmp_path, search={"trials": 2}), tmp_path / "study.db"
    search(path, study)
    return path, study


@pytest.mark.parametrize("sampler", ["random", slow("tpe")])
def test_raising_the_total_equals_asking_for_it_at_once(tmp_path, sampler):
    path = write_space(tmp_path, search={"sampler": sampler, "trials": 4})
    raised, whole = tmp_path / "raised.db", tmp_path / "whole.db"
    search(path, raised)
    search(path, raised, "--trials", 12 if sampler == "tpe" else 6)
    search(path, whole, "--trials", 12 if sampler == "tpe" else 6)
    assert [without_raise(each) for each in tables(raised)] == [without_raise(each) for each in tables(whole)]


def test_another_default_is_another_grid(tmp_path):
    """Its cell comes first, so the other cells would have other numbers."""
    study, grid = tmp_path / "study.db", {**GRID, "search": {**GRID["search"], "trials": 2}}
    search(write_space(tmp_path, **grid), study)
    header = json.loads(raw(study, "--format", "json"))["default"]["values"]
    assert header == {"model.hidden_size": 8, "model.activation": "relu", "training.optimizer.learning_rate": 0.01}
    other = {**grid, "search": {**grid["search"], "default": {"model.hidden_size": 2}}}
    assert "default configuration: {" in refused(write_space(tmp_path, **other), study)


@pytest.mark.slow
def test_the_total_of_the_file_can_be_raised_too(begun, tmp_path):
    _, study = begun
    search(write_space(tmp_path, search={"trials": 3}), study)
    search(write_space(tmp_path, search={"trials": 3}), tmp_path / "whole.db")
    ours, theirs = tables(study), tables(tmp_path / "whole.db")
    assert [without_raise(each) for each in ours] == [without_raise(each) for each in theirs]


@pytest.mark.slow
@pytest.mark.parametrize("total", [1, 2])
def test_a_total_that_is_reached_trains_nothing_and_changes_no_report(begun, total):
    path, study = begun
    before = [raw(study, "--format", form) for form in ("json", "csv", "table")]
    said = search(path, study, "--trials", total)
    assert "final trial " not in said and "refit of trial" not in said
    assert [raw(study, "--format", form) for form in ("json", "csv", "table")] == before


def test_a_changed_file_is_refused_with_the_keys_and_both_ways_out(begun, tmp_path):
    _, study = begun
    changed = write_space(tmp_path, training={"epochs": 5}, search={"trials": 2, "seed": 9})
    said = refused(changed, study)
    for part in ("training.epochs: 4 → 5", "search.seed: 1 → 9", "--name", "--fresh"):
        assert part in said
    assert "hidden_size" not in said


def test_limits_and_name_are_no_change(begun, tmp_path):
    _, study = begun
    before = report_json(study)
    search(write_space(tmp_path, limits={"time": "1h"}, search={"trials": 2}), study)
    assert report_json(study) == before


def test_comments_are_no_change(begun, tmp_path):
    path, study = begun
    path.write_text("# a remark\n" + path.read_text())
    search(path, study)


def test_another_order_of_what_is_searched_is_a_change(tmp_path):
    study, branches = tmp_path / "study.db", {"adam": {}, "sgd": {}}
    for names in (list(branches), list(reversed(branches))):
        optimizer = {"choose": {name: branches[name] for name in names}}
        path = write_space(tmp_path, training={"optimizer": optimizer}, search={"trials": 1})
        if names[0] == "adam":
            search(path, study)
    assert "order of the searched settings" in refused(path, study)


@pytest.mark.slow
def test_fresh_takes_a_name_to_the_letter(begun):
    path, study = begun
    for name in ("my-run", "My_Run"):
        search(path, study, "--name", name)
    before = report_json(study, "--name", "my-run")
    search(path, study, "--name", "my_run", "--fresh", "--yes")
    assert report_json(study, "--name", "my-run") == before
    report_json(study, "--name", "My_Run")


@pytest.mark.slow
def test_another_name_keeps_both(begun, tmp_path):
    _, study = begun
    before = report_json(study)
    changed = write_space(tmp_path, "changed.yaml", training={"epochs": 5}, search={"trials": 2})
    search(changed, study, "--name", "other")
    code, _, err = inside("report", study)
    assert code == 0
    assert "holds 2 studies; this is the one that ran last, other; else --name tiny" in err
    assert report_json(study, "--name", "tiny") == before
    search(changed, tmp_path / "alone.db", "--name", "other")
    assert tables(study, "--name", "other") == tables(tmp_path / "alone.db")


@pytest.mark.slow
def test_fresh_deletes_that_study_only_and_equals_a_new_file(begun, tmp_path):
    path, study = begun
    search(path, study, "--name", "other")
    other = report_json(study, "--name", "other")
    changed = write_space(tmp_path, training={"epochs": 5}, search={"trials": 2})
    search(changed, study, "--fresh", "--yes")
    search(changed, tmp_path / "new.db")
    assert tables(study, "--name", "tiny") == tables(tmp_path / "new.db")
    assert report_json(study, "--name", "other") == other


def test_a_changed_data_file_is_refused(tmp_path):
    data, study = tmp_path / "data.csv", tmp_path / "study.db"
    rows = [f"{i % 7},{i % 3},{'ab'[i % 2]}" for i in range(60)]
    data.write_text("\n".join(["x,y,label", *rows]))
    path = write_space(tmp_path, dataset={"name": "table", "path": "data.csv", "target": "label"}, search={"trials": 1})
    search(path, study)
    data.write_text("\n".join(["x,y,label", *rows[:-1], "6.5,2,b"]))
    said = refused(path, study)
    assert "data" in said and "--name" in said and "--fresh" in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "before"),
    [
        ("training.batch_size", 7),  # stated in the file
        ("training.weight_decay", 0.5),  # defaults of training, of the model, of the data, of the cut, of the search
        ("model.dropout", 0.5),
        ("dataset.layout", "other"),
        ("resampling.kind", "other"),
        ("search.select", "other"),
        ("metric", "log_loss"),
        ("meaning of the settings", 0),
    ],
)
def test_other_defaults_do_not_go_on_with_an_old_study(tmp_path, key, before):
    """As of an older version, whose defaults were others, or meant something else."""
    path, study = (
        write_space(tmp_path, dataset={"name": "digits"}, search={"trials": 1}, metric=None),
        tmp_path / "s.db",
    )
    search(path, study)
    known = read(study)["tiny"].header.identity
    assert key in known
    reworded(study, "tuner:header", lambda header: header["identity"].update({key: before}))
    assert f"{key}: {before} → " in refused(path, study)


@pytest.mark.slow
def test_a_default_may_be_written_out(begun):
    path, study = begun
    tree = json.loads(path.read_text())
    tree["training"]["weight_decay"] = 0.0
    path.write_text(json.dumps(tree))
    search(path, study)
