"""Labels of pure noise score as noise: no choice has seen an outer test row."""

import numpy as np
import optuna
import pytest
from helpers import search, write_space

from tuner.report import load


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """A search with nets that can learn 240 rows by heart, on 300 rows whose labels are coin flips."""
    folder, rng = tmp_path_factory.mktemp("noise"), np.random.default_rng(5)
    features, labels = rng.normal(size=(300, 8)), rng.permutation(np.repeat(["head", "tail"], 150))
    lines = [",".join([*map(str, row), label]) for row, label in zip(features, labels, strict=True)]
    (folder / "noise.csv").write_text("\n".join([",".join([*"abcdefgh", "side"]), *lines]))
    path = write_space(
        folder,
        name="noise",
        dataset={"name": "table", "path": "noise.csv", "target": "side"},
        model={"hidden_size": [32, 64]},
        training={"epochs": 20, "batch_size": 60, "early_stopping": {"patience": 20}},
        resampling={"outer": 5},
        search={"trials": 10},
    )
    search(path, folder / "study.db")
    return folder / "study.db"


@pytest.mark.slow
def test_the_nested_interval_covers_one_half(noise):
    results = load(noise)
    assert results.score.low < 0.5 < results.score.high
    assert abs(results.score.mean - 0.5) < 0.08
    assert not results.against_dummy.distinguishable


@pytest.mark.slow
def test_what_the_search_itself_saw_flatters(noise):
    results = load(noise)
    assert results.inner_best > 0.5
    assert results.optimism == pytest.approx(results.inner_best - results.score.mean)
    assert results.optimism > 0


@pytest.mark.slow
def test_one_optuna_study_per_outer_fold_and_one_for_the_final_chain(noise):
    names = optuna.get_all_study_names(f"sqlite:///{noise}")
    assert sorted(names) == sorted([*(f"noise/outer-{i}" for i in range(1, 6)), "noise/final"])
