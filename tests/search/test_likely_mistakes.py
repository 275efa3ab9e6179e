"""Warnings about settings that are valid and probably a mistake: each for its own reason, and none without."""

import numpy as np
import pytest
from helpers import inside, write_space

PRUNED = "no trial can be stopped early: "
WARNED = [  # sections of the file, and the warning
    ({"search": {"trials": 4, "pruner": {"name": "median", "warmup_trials": 50}}},
     PRUNED + "there are 4 trials, and warmup_trials is 50"),
    ({"search": {"trials": 4, "pruner": {"name": "percentile", "warmup_trials": 1, "warmup_epochs": 5}}},
     PRUNED + "a trial has 5 epochs, and warmup_epochs is 5"),
    ({"search": {"trials": 4, "pruner": {"name": "halving", "first": 9}}},
     PRUNED + "a trial has 5 epochs, and the first comparison is after 9"),
    ({"resampling": {"kind": "time"}}, "no column has times, so the rows are taken in the order of the data"),
    ({"dataset": {"groups": "g"}, "resampling": {"kind": "random"}},
     "dataset.groups is not used, as resampling.kind is random: rows of one group can train and test"),
    ({"dataset": {"time": "t"}, "resampling": {"kind": "random"}},
     "dataset.time is not used, as resampling.kind is random: later rows train for earlier ones"),
]  # fmt: skip
RIGHT = [
    {"search": {"trials": 4, "pruner": {"name": "median", "warmup_trials": 3, "warmup_epochs": 4}}},
    {"search": {"trials": 4, "pruner": {"name": "halving", "first": 1}}},
    {"dataset": {"groups": "g"}},
    {"dataset": {"time": "t"}, "resampling": {"kind": "time"}},
]


def checked(folder, sections):
    """What `tuner check` prints of this file, with a small table."""
    rows = "".join(f"{i},{i % 7},{np.sin(i):.3f},{'ab'[i % 2]}\n" for i in range(60))
    (folder / "t.csv").write_text("t,g,x,y\n" + rows)
    dataset = {"name": "table", "path": "t.csv", "target": "y", **sections.get("dataset", {})}
    dataset["drop"] = [each for each in ("t", "g") if each not in dataset.values()]
    model = {"name": "mlp", "hidden_size": {"low": 2, "high": 8}}
    path = write_space(folder, **{**sections, "dataset": dataset, "model": model, "training": {"epochs": 5}})
    code, out, err = inside("check", path)
    assert code == 0, err
    return out + err


@pytest.mark.parametrize(("sections", "warning"), WARNED)
def test_a_likely_mistake_is_told_at_its_place(tmp_path, sections, warning):
    assert f"warning: {warning}\n" in checked(tmp_path, sections)


@pytest.mark.parametrize("sections", RIGHT)
def test_a_sensible_file_is_not_warned_about(tmp_path, sections):
    assert "warning" not in checked(tmp_path, sections)


def test_what_the_data_is_suspected_of_is_told_by_check_search_and_report(tmp_path):
    rows = "".join(f"{i + 7},{['Yes', 'No'][i % 2]},{np.sin(i):.3f},{'ab'[i % 2]}\n" for i in range(40))
    (tmp_path / "t.csv").write_text("nr,copy,x,y\n" + rows)
    dataset = {"name": "table", "path": "t.csv", "target": "y"}
    training = {"epochs": 1}
    search = {"sampler": "random", "trials": 1}
    path = write_space(
        tmp_path, dataset=dataset, model="mlp", training=training, search=search, resampling={"outer": 3}
    )
    told = ("column 'nr' numbers the rows: it cannot help", "column 'copy' determines the target in every row")
    study = tmp_path / "s.db"
    for words in (("check", path), ("search", path, "--study", study, "--workers", 0), ("report", study)):
        code, out, err = inside(*words)
        assert code == 0, err
        assert all(text in out + err for text in told)
