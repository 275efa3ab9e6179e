"""Every shipped search space runs: two outer folds, two trials, few rows."""

import pytest
from helpers import inside
from ruamel.yaml import YAML

from tuner import registry
from tuner.cli.spaces import shipped
from tuner.report import load
from tuner.search.contract import SOURCES

SPACES = shipped()


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_a_shipped_space_runs_and_reports(tmp_path, name):
    yaml = YAML(typ="safe")
    tree = yaml.load(SPACES[name].read_text("utf-8"))
    dataset = tree["dataset"] if isinstance(tree["dataset"], dict) else {"name": tree["dataset"]}
    if "rows" in registry.load(SOURCES, dataset["name"]).Settings.model_fields:
        dataset["rows"] = 60
    tree["dataset"], tree["training"]["epochs"] = dataset, 2
    tree["resampling"], tree["search"]["trials"] = {"outer": 2, "inner": {"holdout": 0.4}}, 2
    path, study = tmp_path / "space.yaml", tmp_path / "study.db"
    with path.open("w") as file:
        yaml.dump(tree, file)
    code, _, err = inside("search", path, "--study", study, "--workers", 0)
    assert code == 0, err
    code, out, err = inside("report", study)
    assert (code, err) == (0, "")
    assert load(study).complete and load(study).score is not None
    assert f"{load(study).metric} " in out


def test_every_space_opens_with_the_command_that_runs_it():
    for name, path in SPACES.items():
        assert path.read_text("utf-8").startswith(f"# tuner search {name} ")
