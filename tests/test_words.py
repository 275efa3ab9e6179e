"""What the report says beyond the score: edges of ranges, a flat search corrected, what repeats would give."""

import json
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import inside, search, write_space

from tuner.report import load
from tuner.report.words import edges

ADAM = {"name": "adam"}


def report(study):
    return " ".join(inside("report", study)[1].split())


@pytest.mark.parametrize(("low", "high", "side"), [(1e-4, 1e-2, "upper"), (0.3, 30.0, "lower")])
def test_a_winner_at_the_edge_of_its_range_is_told(tmp_path, low, high, side):
    """All learning rates of one range are too small, of the other too large: the best is at an edge."""
    optimizer = {**ADAM, "learning_rate": {"low": low, "high": high, "log": True, "points": 4}}
    path = write_space(
        tmp_path, metric="log_loss", model={"hidden_size": 8, "activation": "relu"},
        training={"optimizer": optimizer, "epochs": 12, "early_stopping": None},
        search={"sampler": "grid", "trials": None},
    )  # fmt: skip
    search(path, tmp_path / "study.db")
    results = load(tmp_path / "study.db")
    (line,) = edges(results)
    value = results.deployed.values["training.optimizer.learning_rate"]
    assert value == (high if side == "upper" else low)
    assert f"sits at the {side} edge of {low:g} … {high:g}: widen it" in line
    assert line in report(tmp_path / "study.db")


@pytest.mark.parametrize(
    ("bounds", "value", "side"),
    [([1e-4, 1e-1, True], 1e-3, None), ([1e-4, 1e-1, True], 1.1e-4, "lower"), ([1e-4, 1e-1, True], 9e-2, "upper"),
     ([0.0, 1.0, False], 0.5, None), ([0.0, 1.0, False], 0.0, None), ([1, 3, False], 3, None),
     ([1, 9, False], 9, "upper"), ([16, 256, True], 16, "lower"), ([2, 2, False], 2, None)],
)  # fmt: skip
def test_where_a_value_is_called_an_edge(bounds, value, side):
    """Not at 0, below which there is nothing, and not among a few whole numbers, which are all edges."""
    results = SimpleNamespace(deployed=SimpleNamespace(values={"a.b": value}), header={"ranges": {"a.b": bounds}})
    said = edges(results)
    assert len(said) == (side is not None)
    assert side is None or f"the {side} edge" in said[0]


def test_a_flat_search_is_corrected_downwards(tmp_path):
    path = write_space(tmp_path, resampling={"outer": "none"}, search={"sampler": "random", "trials": 12})
    search(path, tmp_path / "study.db")
    results = load(tmp_path / "study.db")
    best = results.ranking()[0]
    scores = np.array([trial.fold_scores for trial in results.ranking()])
    assert results.corrected == pytest.approx(best.score - np.mean(scores.max(axis=0) - scores[0]))
    assert results.corrected <= best.score
    told, found = report(tmp_path / "study.db"), results.bootstrapped
    assert f"Corrected, not nested: {results.corrected:.4g}" in told
    assert f"Corrected, not nested: {found.mean:.4g} (95 % {found.low:.4g} … {found.high:.4g}; BBC-CV" in told
    as_json = json.loads(inside("report", tmp_path / "study.db", "--format", "json")[1])["corrected"]
    assert as_json == {"tibshirani": results.corrected, "bbc": asdict(found)}


def test_one_cut_says_what_repeats_would_give(finished, tmp_path):
    assert "with repeats: 5 in resampling.outer, expect about ± " in report(finished)
    path = write_space(tmp_path, resampling={"outer": {"folds": 3, "repeats": 2}}, search={"trials": 1})
    search(path, tmp_path / "study.db")
    assert "repeats: 5" not in report(tmp_path / "study.db")


def test_forward_in_time_there_is_nothing_to_repeat(tmp_path):
    path = write_space(tmp_path, resampling={"kind": "time", "stratify": False}, search={"trials": 1})
    search(path, tmp_path / "study.db")
    assert "repeats: 5" not in report(tmp_path / "study.db")


def test_equal_folds_are_told_not_to_be_sure(tmp_path):
    features = np.repeat([[-1.0], [1.0]], 30, axis=0)
    np.savez(tmp_path / "two.npz", X=features, y=np.repeat([0, 1], 30))
    training = {"epochs": 20, "early_stopping": None, "optimizer": {**ADAM, "learning_rate": 0.1}}
    path = write_space(tmp_path, dataset={"name": "arrays", "path": "two.npz"}, training=training, search={"trials": 1})
    search(path, tmp_path / "study.db")
    said = report(tmp_path / "study.db")
    assert "accuracy 1 ± 0 (95 % interval 1 … 1)" in said
    assert "All outer folds have the same score: how sure that is, this interval cannot say." in said
    assert "expect about" not in said
