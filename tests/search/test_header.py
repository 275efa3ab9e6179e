"""What makes an experiment another one than the study that is to be continued."""

from dataclasses import replace

import pytest
from helpers import write_space

from tuner.search.header import changes, header
from tuner.search.prepare import prepare


def prepared(folder, **dataset):
    """A small table as an experiment."""
    (folder / "t.csv").write_text("x,y\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(30)))
    data = {"name": "table", "path": "t.csv", "target": "y", **dataset}
    return prepare(write_space(folder, dataset=data, model="mlp", training={"epochs": 1}))


def older(study, *settings):
    """The header as a version without these settings has stored it."""
    return replace(study, identity={k: v for k, v in study.identity.items() if k not in settings})


@pytest.mark.parametrize("setting", ["dataset.decimal", "dataset.scale", "resampling.kind", "model.dropout"])
def test_a_setting_that_was_added_later_does_not_end_a_study(tmp_path, setting):
    now = prepared(tmp_path)
    study = header(now, "a")
    assert setting in study.identity
    assert changes(older(study, setting), study, now.experiment) == []


def test_an_added_setting_that_the_file_names_is_a_difference(tmp_path):
    before = header(prepared(tmp_path), "a")
    now = prepared(tmp_path, scale="none")
    assert changes(older(before, "dataset.scale"), header(now, "a"), now.experiment) == [
        "dataset.scale: (absent) → none"
    ]


def test_another_default_is_a_difference(tmp_path):
    now = prepared(tmp_path)
    study = header(now, "a")
    other = replace(study, identity={**study.identity, "dataset.scale": "none"})
    assert changes(other, study, now.experiment) == ["dataset.scale: none → standard"]


def test_a_setting_that_is_no_more_is_a_difference(tmp_path):
    now = prepared(tmp_path)
    study = header(now, "a")
    other = replace(study, identity={**study.identity, "dataset.gone": 3})
    assert changes(other, study, now.experiment) == ["dataset.gone: 3 → (absent)"]
