"""`tuner importance`: what was planted is found, and few trials are warned of."""

import optuna
import pytest
from helpers import inside, search, write_space

from tuner.errors import UsageError
from tuner.report import load
from tuner.report.importance import importances


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A search in which the learning rate decides everything and the activation nothing."""
    folder = tmp_path_factory.mktemp("importance")
    optimizer = {"name": "adam", "learning_rate": {"low": 1e-6, "high": 0.1, "log": True}}
    path = write_space(folder, model={"hidden_size": 8}, training={"optimizer": optimizer, "epochs": 8},
                       search={"sampler": "random", "trials": 30})  # fmt: skip
    search(path, folder / "study.db")
    return folder / "study.db"


@pytest.mark.slow
def test_what_decides_is_found(searched):
    before = searched.read_bytes()
    first, *rest = importances(load(searched), "final")
    assert first.parameter == "training.optimizer.learning_rate"
    assert first.ped_anova > 0.5 and first.fanova > 0.5
    assert [row.parameter for row in rest] == ["model.activation"]
    assert searched.read_bytes() == before


def test_they_are_optunas_own(searched):
    study = optuna.load_study(study_name="tiny/final", storage=f"sqlite:///{searched}")
    expected = optuna.importance.get_param_importances(study, evaluator=optuna.importance.PedAnovaImportanceEvaluator())
    assert {row.parameter: row.ped_anova for row in importances(load(searched), "final")} == pytest.approx(expected)


def test_the_command_says_it_and_warns_of_few_trials(searched, finished):
    code, out, err = inside("importance", searched)
    assert (code, err) == (0, "")
    assert "PED-ANOVA" in out and "learning_rate" in out and "warning" not in out
    code, out, _ = inside("importance", finished, "--chain", "outer-1")
    assert code == 0
    assert "warning: 6 complete trials; below 20" in out


def test_one_trial_is_too_few(tmp_path):
    study = tmp_path / "study.db"
    search(write_space(tmp_path, search={"trials": 1}), study)
    with pytest.raises(UsageError, match="1 complete trials, too few"):
        importances(load(study), "final")
    assert inside("importance", study)[0] == 2
