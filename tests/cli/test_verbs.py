"""What every verb shows: for people, and as one JSON object for programs; help, plans, narrow terminals."""

import json

import pytest
from helpers import inside, search, tuner, write_space

from tuner.cli import app


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("json")
    path = write_space(
        folder, model={"name": "mlp", "hidden_size": [4, 8]}, training={"epochs": 2}, search={"trials": 3}
    )
    search(path, folder / "study.db")
    (folder / "t.csv").write_text("who,x,y\n" + "".join(f"p{n // 2},{n / 7},{'ab'[n % 2]}\n" for n in range(500)))
    return folder


OBJECTS = {
    "report": (["report", "study.db"], {"score", "ranking", "outer_folds"}),
    "status": (["status", "study.db"], {"complete", "running", "chains"}),
    "studies": (["studies", "study.db"], {"studies"}),
    "importance": (["importance", "study.db"], {"importance", "chain"}),
    "replay": (["replay", "study.db", "--trial", "0"], {"identical", "verdict"}),
    "check": (["check", "space.yaml"], {"parameters", "chains", "warnings", "devices"}),
    "data": (["data", "t.csv", "--target", "y"], {"facts", "features", "warnings", "refused"}),
}


@pytest.mark.parametrize("verb", OBJECTS)
def test_a_verb_prints_one_object_and_else_none(folder, verb, monkeypatch):
    monkeypatch.chdir(folder)
    words, keys = OBJECTS[verb]
    code, out, err = inside(*words, "--json")
    assert code == 0, err
    assert keys <= json.loads(out).keys()
    code, plain, _ = inside(*words)
    assert code == 0 and not plain.startswith("{")


@pytest.mark.slow
def test_the_learning_curve_over_rows_is_an_object_too(folder):
    code, out, err = inside("curve", folder / "study.db", "--json")
    assert code == 0, err
    assert {"curve", "verdict", "metric"} <= json.loads(out).keys()


def test_no_option_of_a_verb_has_the_type_bool_and_h_is_help():
    for verb in app.VERBS:
        name = verb.__name__.rpartition(".")[2].rstrip("_")
        code, out, _ = inside(name, "-h")
        assert code == 0 and "bool" not in out and "--help" in out
        assert (code, out) == inside(name, "--help")[:2]


def test_a_table_with_an_id_is_described_and_its_groups_are_named(folder, monkeypatch):
    monkeypatch.chdir(folder)
    code, out, err = inside("data", "t.csv", "--target", "y")
    assert code == 0, err
    assert out.startswith("dataset: {name: table, path: t.csv, target: y, drop: who}\n")
    assert "groups: who, if the rows of each belong together" in out and " x " in out
    code, out, _ = inside("data", "t.csv", "--target", "y", "--drop", "who")
    assert code == 0 and "left out here" not in out


def test_one_component_can_be_listed():
    code, out, _ = inside("list", "models", "mlp")
    assert code == 0 and "hidden_size" in out and "kernel_size" not in out
    assert "Matthews" in inside("list", "metrics", "mcc")[1]
    code, _, err = inside("list", "models", "mpl")
    assert code == 2 and "did you mean 'mlp'?" in err


def test_the_plan_shows_what_decides_the_search(tmp_path):
    rows = "".join(f"p{n // 4},{n / 7},{'ab'[n % 2]}\n" for n in range(80))
    (tmp_path / "t.csv").write_text("who,x,y\n" + rows)
    path = write_space(
        tmp_path,
        dataset={"name": "table", "path": "t.csv", "target": "y", "groups": "who"},
        model={
            "name": "mlp",
            "num_layers": [1, 2],
            "hidden_size": {"low": 4, "high": 16, "when": "model.num_layers > 1"},
        },
        constraints=["model.num_layers * training.epochs <= 40"],
        search={"trials": 4, "pruner": {"name": "median", "warmup_trials": 1}},
        limits={"time": "7h"},
    )
    code, out, err = inside("check", path)
    assert code == 0, err
    for words in ("each group whole in one fold, by 'who', class shares kept (20 groups)",
                  "only if   model.num_layers * training.epochs",
                  "when model.num_layers > 1", "limits    pruner: median, time: 7h", "device    cpu; "):  # fmt: skip
        assert words in out
    search(path, tmp_path / "s.db")
    title = inside("report", tmp_path / "s.db")[1].splitlines()
    assert ", grouped by who; " in title[0] and title[1].startswith("default configuration (trial 0): ")


@pytest.mark.parametrize("columns", [60, 80])
def test_a_narrow_terminal_says_what_it_leaves_out_and_cuts_no_value(folder, columns):
    done = tuner("report", "study.db", cwd=folder, COLUMNS=str(columns))
    assert f"{columns} columns leave no room for: " in done.stdout
    assert "…" not in "".join(line for line in done.stdout.splitlines() if line.startswith((" outer-", "    1")))
    wide = tuner("report", "study.db", cwd=folder, COLUMNS="140").stdout
    assert "leave no room" not in wide
