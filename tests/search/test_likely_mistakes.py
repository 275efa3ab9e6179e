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
    ({"model": {"name": "mlp", "hidden_size": [2, 4]}, "search": {"sampler": "random", "trials": 5}},
     "the space has only 4 configurations, so 5 trials train some again, from other seeds"),
    ({"resampling": {"kind": "time"}}, "no column has times, so the rows are taken in the order of the data"),
    ({"dataset": {"groups": "g"}, "resampling": {"kind": "random"}},
     "dataset.groups is not used, as resampling.kind is random: rows of one group can train and test"),
    ({"dataset": {"time": "t"}, "resampling": {"kind": "random"}},
     "dataset.time is not used, as resampling.kind is random: later rows train for earlier ones"),
]  # fmt: skip
RIGHT = [
    {"search": {"trials": 4, "pruner": {"name": "median", "warmup_trials": 3, "warmup_epochs": 4}}},
    {"search": {"trials": 4, "pruner": {"name": "halving", "first": 1}}},
    {"model": {"name": "mlp", "hidden_size": [2, 4]}, "search": {"sampler": "random", "trials": 4}},
    {"model": {"name": "mlp", "hidden_size": [2, 4]}, "search": {"sampler": "grid"}},
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
    path = write_space(
        folder, **{"model": model, **sections, "dataset": dataset, "training": {"epochs": 5, "optimizer": "adam"}}
    )
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


@pytest.mark.parametrize(("share", "warned"), [(0.9, True), (0.1, False)])
def test_a_score_of_one_of_two_classes_names_it(tmp_path, share, warned):
    """Average precision is that of the second class, also where that is the commoner one."""
    rows = "".join(f"{np.sin(i):.3f},{'no' if i < share * 60 else 'a'}\n" for i in range(60))
    (tmp_path / "t.csv").write_text("x,y\n" + rows)
    dataset = {"name": "table", "path": "t.csv", "target": "y"}
    path = write_space(
        tmp_path, dataset=dataset, model="mlp", training={"epochs": 1}, metric="average_precision",
        search={"trials": 1, "sampler": "random"}, resampling={"outer": 3},
    )  # fmt: skip
    code, out, err = inside("check", path)
    assert code == 0 and "metric    average_precision of class 'no', higher is better\n" in out
    told = "average_precision is that of the second class in the order of names, 'no', which 90% have"
    assert (told in out + err) is warned
    assert inside("search", path, "--study", tmp_path / "s.db", "--workers", 0)[0] == 0
    assert "average_precision of class 'no' (higher is better)" in inside("report", tmp_path / "s.db")[1]


@pytest.mark.parametrize(("rows", "warned"), [(3, True), (20, False)])
def test_texts_that_may_name_cases_are_told(tmp_path, rows, warned):
    lines = "".join(f"k{i // rows:03d},{np.sin(i):.3f},{'ab'[i % 2]}\n" for i in range(30 * rows))
    (tmp_path / "t.csv").write_text("who,x,y\n" + lines)
    dataset = {"name": "table", "path": "t.csv", "target": "y"}
    for more, told in (({}, warned), ({"groups": "who"}, False)):
        code, out, err = inside("check", write_space(tmp_path, dataset={**dataset, **more}, model="mlp"))
        assert code == 0
        text = f"column 'who' has 30 different texts in {30 * rows} rows: if they name cases, such as patients"
        assert (f"{text}, set groups: who" in out + err) is told


def test_a_score_of_pixels_of_one_class_is_weighed_by_pixels(tmp_path):
    (tmp_path / "t.yaml").write_text(
        "dataset: {name: strokes, rows: 12}\nmodel: {name: unet, depth: 1}\ntraining: {epochs: 1}\n"
        "metric: average_precision\nresampling: {outer: 3}\n"
    )
    code, out, err = inside("check", tmp_path / "t.yaml")
    assert code == 0 and "metric    average_precision" in out, err
