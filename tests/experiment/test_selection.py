"""Which trial a chain chooses: plain rules, against brute force; and what the command says of them."""

import json
import math
import statistics

import numpy as np
import pytest
from helpers import inside, report_json, search, slow, write_space
from hypothesis import given
from hypothesis import strategies as st

from tuner.experiment.configuration import Configuration
from tuner.experiment.records import TrialRecord
from tuner.experiment.selection import Selection, ranked, refit_epochs
from tuner.report import load


def trial(number, score, state="complete", epochs=(3,), **more):
    return TrialRecord(number, state, {}, Configuration({}, {}), 0.1, score=score, best_epochs=tuple(epochs), **more)


SCORES = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=6)


@given(SCORES, st.booleans())
def test_the_first_of_the_best_wins(scores, maximize):
    trials = [trial(n, s) for n, s in enumerate(scores)]
    trials += [trial(90, 99.0, "pruned"), trial(91, -99.0, "pruned"), trial(92, None, "failed")]
    best = max(scores) if maximize else min(scores)
    order = ranked(reversed(trials), maximize)
    assert order[0].number == scores.index(best)
    assert sorted(t.number for t in order) == list(range(len(scores)))


@given(st.lists(st.integers(1, 50), min_size=1, max_size=9))
def test_a_refit_trains_for_the_median_rounded_up(epochs):
    assert refit_epochs(trial(0, 1.0, epochs=epochs)) == math.ceil(statistics.median(epochs))


def test_the_winner_and_the_default_are_refitted_once_each():
    assert [t.number for t in Selection(True).to_refit([trial(0, 0.5), trial(1, 0.9)])] == [1, 0]
    assert [t.number for t in Selection(True).to_refit([trial(0, 0.9), trial(1, 0.5)])] == [0]
    assert [t.number for t in Selection(True).to_refit([trial(0, None, "failed"), trial(1, 0.5)])] == [1]
    assert Selection(True).to_refit([]) == ()


FOLDS = st.lists(st.integers(0, 20).map(lambda n: n / 20), min_size=3, max_size=3)
TRIALS = st.lists(st.tuples(FOLDS, st.integers(1, 4), st.integers(1, 3)), min_size=1, max_size=8)


def trials_of(drawn):
    return [
        trial(number, statistics.fmean(folds), fold_scores=tuple(folds), parameters=100 * size, means=(0.5,) * epochs)
        for number, (folds, size, epochs) in enumerate(drawn)
    ]


@given(TRIALS, st.booleans(), st.sampled_from(["one_se", "lower_bound"]))
def test_the_rules_by_brute_force(drawn, maximize, rule):
    trials, share, sign = trials_of(drawn), 0.5, 1 if maximize else -1
    means = np.array([sign * t.score for t in trials])
    errors = np.array([np.sqrt((1 / 3 + share) * np.var(t.fold_scores, ddof=1)) for t in trials])
    chosen = Selection(maximize, rule, share).chosen(trials)
    if rule == "lower_bound":
        assert means[chosen.number] - errors[chosen.number] == pytest.approx((means - errors).max())
    else:
        best = int(means.argmax())
        near = means >= means[best] - errors[best] - 1e-12
        assert near[chosen.number]
        sizes = [(t.parameters, t.epochs) for t, keep in zip(trials, near, strict=True) if keep]
        assert (chosen.parameters, chosen.epochs) <= min(sizes) or math.isclose(errors[best], 0, abs_tol=1e-9)


def test_one_fold_tells_no_error_and_so_the_best_is_chosen():
    trials = [trial(0, 0.7, fold_scores=(0.7,), parameters=1), trial(1, 0.8, fold_scores=(0.8,), parameters=9)]
    assert {Selection(True, rule, 0.5).chosen(trials).number for rule in ("best", "one_se", "lower_bound")} == {1}


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [slow("random"), "tpe"])
def test_the_smallest_model_within_one_error_is_refitted_shown_and_deployed(tmp_path, sampler):
    search_ = {"sampler": sampler, "trials": 8, "select": "one_se"}
    path, studies = write_space(tmp_path, search=search_), [tmp_path / "a.db", tmp_path / "b.db"]
    for study, workers in zip(studies, (0, 2), strict=True):
        search(path, study, workers=workers)
    assert report_json(studies[0]) == report_json(studies[1])
    results = load(studies[0])
    for fold in results.folds:
        trials = results.chains[fold.name].trials
        best = ranked(trials, True)[0]
        error = math.sqrt((1 / 2 + 1) * statistics.variance(best.fold_scores))  # two folds of half the rows each
        near = [t for t in trials if t.score is not None and t.score >= best.score - error]
        assert fold.winner.parameters == min(t.parameters for t in near)
        assert fold.refit.number == fold.winner.number
    assert results.complete
    said = " ".join(inside("report", studies[0])[1].split())
    assert "select: one_se (the smallest model within one standard error of the best" in said
    deployed = results.deployed
    assert json.loads(report_json(studies[0]))["deploy"]["trial"] == deployed.number
    if deployed.number != results.ranking()[0].number:
        assert f"trial {deployed.number} is the one to deploy" in said


def test_the_rule_is_part_of_the_experiment(finished, tmp_path):
    study = tmp_path / "study.db"
    study.write_bytes(finished.read_bytes())
    path = write_space(tmp_path, search={"select": "lower_bound"})
    code, _, err = inside("search", path, "--study", study, "--workers", 0)
    assert code == 2
    assert "search.select" in err
