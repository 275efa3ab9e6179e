"""What the report says beyond the score: edges of ranges, a flat search corrected, what repeats would give."""

import json
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.stats
from helpers import inside, search, write_space

from tuner.experiment.packing import unpack
from tuner.report import load, results
from tuner.report.by_row import OuterFoldScores, bates
from tuner.report.words import edges

ADAM = {"name": "adam"}


def report(study):
    return " ".join(inside("report", study)[1].split())


@pytest.mark.slow
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
    results = SimpleNamespace(
        deployed=SimpleNamespace(values={"a.b": value}), header=SimpleNamespace(ranges={"a.b": bounds})
    )
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
    assert "accuracy 1 (the same in all 3 folds: no interval)" in said and "± 0 " not in said
    assert "expect about" not in said


def rows_of(folder, count, groups=None, noise=None):
    """Numbers to predict from one that tells most of them; `noise` (N,) is the spread of each row."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(count, 1))
    y = 2 * x + rng.normal(size=(count, 1)) * (1 if noise is None else noise[:, None])
    roles = {} if groups is None else {"g": np.arange(count) % groups}
    np.savez(folder / "rows.npz", X=x, y=y.astype(np.float32), **roles)
    return {"name": "arrays", "path": "rows.npz", **({} if groups is None else {"groups": "g"})}


TWICE = {"outer": {"folds": 3, "repeats": 2}}


@pytest.mark.slow
@pytest.mark.parametrize(("groups", "counted"), [(12, 3), (60, 6), (None, 6)])
def test_repeats_of_few_groups_are_counted_as_one_cut(tmp_path, groups, counted):
    dataset = rows_of(tmp_path, 120, groups)
    search(write_space(tmp_path, dataset=dataset, resampling=TWICE, search={"trials": 1}), tmp_path / "study.db")
    found = json.loads(inside("report", tmp_path / "study.db", "--format", "json")[1])
    scores = [fold["outer test"] for fold in found["outer_folds"]]
    assert len(set(scores)) == len(scores) == 6
    error = np.sqrt((1 / counted + 1 / 2) * np.var(scores, ddof=1))
    assert found["score"]["half"] == pytest.approx(scipy.stats.t.ppf(0.975, counted - 1) * error)
    few = "Of 12 groups, fewer than 50, repeats make the mean more stable but add no evidence"
    assert (few in report(tmp_path / "study.db")) == (groups == 12)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "groups", "said"),
    [(60, 3, "The 3 groups can be cut in one way only"), (60, 12, "Of 12 groups, fewer than 50"),
     (40, None, "Of 40 rows, fewer than 50"), (60, None, "with repeats: 5 in resampling.outer, expect about ± "),
     (60, 60, "with repeats: 5 in resampling.outer, expect about ± ")],
)  # fmt: skip
def test_repeats_are_advised_only_where_they_exist_and_help(tmp_path, rows, groups, said):
    search(write_space(tmp_path, dataset=rows_of(tmp_path, rows, groups), search={"trials": 1}), tmp_path / "study.db")
    sentences = report(tmp_path / "study.db")
    assert said in sentences
    assert ("repeats: 5" in sentences) == ("repeats: 5" in said)


def forward(folder, noise, folds=5):
    resampling = {"outer": folds, "kind": "time"}
    dataset = rows_of(folder, len(noise), noise=noise)
    path = write_space(folder, dataset=dataset, metric="rmse", resampling=resampling, search={"trials": 1})
    search(path, folder / "study.db")
    return report(folder / "study.db"), [fold.score for fold in load(folder / "study.db").folds]


def test_a_score_forward_in_time_is_said_to_be_of_the_past_and_getting_worse(tmp_path):
    said, scores = forward(tmp_path, np.exp(np.arange(140) / 30))
    assert scores == sorted(scores)
    assert "the mean over past periods, each predicted from what came before it, when the whole procedure sees" in said
    assert "; not of the future (5 outer folds)" in said
    assert f"Scores in order of time: {', '.join(f'{score:.4g}' for score in scores)}." in said
    assert "Warning: scores get worse over time (Kendall's test, one-sided p = 0.0083)" in said
    assert "expected on new rows" not in said and "If nothing drifts" not in said


@pytest.mark.slow
def test_periods_without_a_trend_say_what_one_more_would_score(tmp_path):
    said, scores = forward(tmp_path, np.tile(np.repeat([1.0, 4.0], 20), 4)[:140])
    half = scipy.stats.t.ppf(0.975, 4) * np.std(scores, ddof=1) * np.sqrt(1.2)
    low, high = max(0, np.mean(scores) - half), np.mean(scores) + half
    p = scipy.stats.kendalltau(range(5), scores, alternative="greater", method="exact").pvalue
    assert f"No trend to the worse is shown (Kendall's test, one-sided p = {p:.2g})" in said
    assert f"If nothing drifts, the next period scores between {low:.4g} and {high:.4g} (95 %)." in said


def test_three_periods_are_too_few_to_tell_a_trend(tmp_path):
    said, _ = forward(tmp_path, np.exp(np.arange(100) / 20), folds=3)
    assert "3 periods are too few to tell a trend." in said and "get worse" not in said


def test_an_interval_of_bates_that_corrects_nothing_says_so():
    rows = [np.array([0.0, 1.0, 0.0, 1.0])] * 5
    plain = bates([OuterFoldScores(each, float(each.mean())) for each in rows], 5, 20)
    assert plain.independent
    assert plain.half == pytest.approx(scipy.stats.norm.ppf(0.975) * np.std(np.concatenate(rows), ddof=1) / np.sqrt(20))
    assert not bates([OuterFoldScores(each, 1.5) for each in rows], 5, 20).independent


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "nothing"), [(60, False), (90, True)])
def test_the_report_says_where_bates_corrects_nothing(tmp_path, rows, nothing):
    changes = {"dataset": rows_of(tmp_path, rows), "training": {"epochs": 12}, "search": {"trials": 2}}
    search(write_space(tmp_path, metric="mae", **changes), tmp_path / "study.db")
    said = " ".join(inside("report", tmp_path / "study.db", "--interval", "bates")[1].split())
    score = results.load(tmp_path / "study.db", kind="bates").score
    truths = [fold.refit.row_scores for fold in load(tmp_path / "study.db").folds]
    scores = np.concatenate([unpack(each) for each in truths])
    plain = scipy.stats.norm.ppf(0.975) * np.std(scores, ddof=1) / np.sqrt(rows)
    assert (score.half == pytest.approx(plain)) == nothing
    assert ("is as narrow as that of independent rows" in said) == nothing
