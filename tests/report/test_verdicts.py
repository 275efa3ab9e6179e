"""What a report concludes: gains that are shown or not, who deploys for how long, and what makes a score flatter."""

import csv
import io
import json
import math
import shutil
import sqlite3
import statistics
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from helpers import execute, inside, report_json, reworded, search, write_space

from tuner.experiment.records import RefitRecord, from_checked_json, to_json
from tuner.report import load
from tuner.report.size_curve import error, fit, points
from tuner.store import read

DEFAULT = "the default configuration (trial 0"


def said(study, *args):
    code, out, err = inside("report", study, *args)
    assert (code, err) == (0, "")
    return out


def in_one_line(study):
    return " ".join(said(study).split())


def as_json(study):
    return json.loads(said(study, "--format", "json"))


def with_scores(study, copy, tuned, default):
    """A copy of a finished study whose winners and defaults score so in the outer folds, one after another."""
    shutil.copy(study, copy)
    scores = {}
    for fold, of_winner, of_default in zip(load(study).folds, tuned, default, strict=True):
        scores |= {(fold.name, fold.winner.number): of_winner, (fold.name, 0): of_default}
    assert len(scores) == 2 * len(tuned), "a default that has won cannot score two things"
    key = "SELECT a.study_user_attribute_id, a.value_json FROM studies JOIN study_user_attributes a USING (study_id) "
    with closing(sqlite3.connect(copy)) as db:
        for (chain, number), score in scores.items():
            query = key + "WHERE study_name = ? AND key = ?"
            (row, text) = db.execute(query, (f"tiny/{chain}", f"tuner:refit:{number}")).fetchone()
            changed = to_json(replace(from_checked_json(text, RefitRecord, f"{chain}/{number}"), score=score), chain)
            db.execute("UPDATE study_user_attributes SET value_json = ? WHERE study_user_attribute_id = ?",
                       (changed, row))  # fmt: skip
        db.commit()
    return copy


def corrected(differences):
    """Half width and p-value of the corrected resampled t-test on 3 folds of 50 test and 100 training rows."""
    scale = np.sqrt((1 / 3 + 50 / 100) * np.var(differences, ddof=1))
    p = 2 * scipy.stats.t.sf(abs(np.mean(differences)) / scale, 2)
    return scipy.stats.t.ppf(0.975, 2) * scale, p


TUNED = [0.90, 0.94, 0.92]


@pytest.mark.parametrize(
    ("default", "did", "folds"),
    [([0.95, 0.96, 0.93], "worse than {} (", "better in 0 of 3 outer folds"),
     ([0.95, 0.96, 0.90], "worse than {} (", "better in 1 of 3 outer folds"),
     ([0.40, 0.93, 0.95], "better than {} (", "better in 2 of 3 outer folds")],
)  # fmt: skip
def test_a_search_that_gained_nothing_says_so_with_the_defaults_own_score(finished, tmp_path, default, did, folds):
    study = with_scores(finished, tmp_path / "study.db", TUNED, default)
    half, _ = corrected(default)
    low, high = max(0, np.mean(default) - half), min(1, np.mean(default) + half)
    score = (
        f"The default configuration (trial 0): accuracy {np.mean(default):.4g}, 95 % interval {low:.4g} to {high:.4g}."
    )
    number = load(study).deployed.number
    text = in_one_line(study)
    gain = np.mean(TUNED) - np.mean(default)
    other = f"the default configuration (trial 0; {np.mean(default):.4g})"
    assert f"No gain shown: {abs(gain):.2g} {did.format(other)}" in text and f"; {folds})." in text and score in text
    assert f"The configuration to deploy stays trial {number}, which the final chain chose: " in text
    assert "Deploy trial" not in text
    assert as_json(study)["default"]["score"]["mean"] == pytest.approx(np.mean(default))
    assert as_json(study)["deploy"]["trial"] == number, "advice, never a choice"


def test_a_search_that_chose_the_default_everywhere(tmp_path):
    search(write_space(tmp_path, search={"trials": 1}), tmp_path / "study.db")
    text = in_one_line(tmp_path / "study.db")
    assert f"No gain shown: the same as {DEFAULT}; " in text
    assert "in each of 3 outer folds; identical differences allow no test." in text
    assert "The final chain chose the default configuration itself: deploy trial 0: hidden_size=16" in text


def test_a_gain_that_is_shown_deploys(finished, tmp_path):
    default = [0.51, 0.54, 0.53]
    study = with_scores(finished, tmp_path / "study.db", TUNED, default)
    gains = np.subtract(TUNED, default)
    (half, p), found = corrected(gains), as_json(study)
    (_, other), against = corrected(np.array(TUNED) - found["against_dummy"]["mean"]), found["against_default"]
    adjusted = min(1, 2 * p if p < other else max(p, 2 * other))  # Holm (1979), of two
    assert (against["gain"]["half"], against["p"], against["adjusted"]) == pytest.approx((half, p, adjusted))
    assert against["distinguishable"] is True
    text = in_one_line(study)
    gained = f"Tuning gained {np.mean(gains):.2g} (± {half:.2g}, p = {adjusted:.2g}) against {DEFAULT}; "
    assert gained + f"{np.mean(default):.4g})." in text
    assert "These p-values are adjusted for 2 comparisons (Holm)." in text
    assert "Deploy trial" in text and "No gain shown" not in text


def test_two_comparisons_count_as_two(finished, tmp_path):
    """A p-value of 0.03 alone is 0.06 among two, so the interval excludes 0 and no gain is shown."""
    tuned, gains = np.array([0.30, 0.94, 0.92]), np.array([0.09, 0.11, 0.135])
    half, p = corrected(gains)
    assert 0.025 < p < 0.05
    study = with_scores(finished, tmp_path / "study.db", tuned.tolist(), (tuned - gains).tolist())
    found = as_json(study)
    default, dummy = found["against_default"], found["against_dummy"]
    assert p < dummy["p"] == pytest.approx(corrected(tuned - [fold.dummy.score for fold in load(study).folds])[1])
    assert (default["p"], default["adjusted"]) == pytest.approx((p, 2 * p))
    assert dummy["adjusted"] == max(default["adjusted"], dummy["p"])
    assert default["gain"]["low"] > 0 and not default["distinguishable"]
    how = f"(± {half:.2g}, p = {2 * p:.2g}; better in 3 of 3 outer folds)."
    said = in_one_line(study)
    assert f"No gain shown: {np.mean(gains):.2g} better than {DEFAULT}; " in said and how in said


@pytest.mark.parametrize(("gain", "words"), [(0.25, "Tuning scored 0.25 better than"),
                                             (-0.03, "No gain shown: 0.03 worse than"),
                                             (0.0, "No gain shown: the same as")])  # fmt: skip
def test_equal_gains_in_all_folds_are_no_certainty(finished, tmp_path, gain, words):
    study = with_scores(finished, tmp_path / "study.db", TUNED, [score - gain for score in TUNED])
    against = as_json(study)["against_default"]
    assert against["gain"]["mean"] == pytest.approx(gain)
    assert [against[key] for key in ("p", "adjusted")] == [None, None]
    assert [against["gain"][key] for key in ("half", "low", "high")] == [None] * 3
    assert against["distinguishable"] is False
    text = in_one_line(study)
    assert f"{words} {DEFAULT}; {np.mean(TUNED) - gain:.4g}) in each of 3 outer folds; " in text
    assert "identical differences allow no test" in text
    assert ("The default configuration (trial 0): accuracy" in text) == (gain <= 0)
    assert "± 0 " not in text


def test_two_studies_with_equal_differences_are_not_compared_for_sure(finished, tmp_path):
    """As 0.9 − 0.4 and 0.8 − 0.3, which differ in the last bit."""
    better, worse = tmp_path / "better.db", tmp_path / "worse.db"
    with_scores(finished, better, [0.9, 0.8, 0.7], [0.1, 0.1, 0.2])
    with_scores(finished, worse, [0.4, 0.3, 0.2], [0.1, 0.1, 0.2])
    (match,) = json.loads(inside("compare", better, worse, "--json")[1])["pairs"]
    assert (match["p"], match["adjusted"], match["equivalence"], match["gain"]["low"]) == (None,) * 4
    assert match["gain"]["mean"] == pytest.approx(0.5)
    out = " ".join(inside("compare", better, worse)[1].split())
    assert "+0.5 in each of 3 outer folds; identical differences allow no test" in out
    assert "probability" not in out


def test_the_best_of_several_studies_is_said_to_be_optimistic(finished, tmp_path):
    others = [with_scores(finished, tmp_path / f"{n}.db", [n, 0.5, 0.6], [0.1, 0.1, 0.2]) for n in (0.3, 0.9)]
    out = " ".join(inside("compare", finished, *others)[1].split())
    best = max(np.mean([fold.score for fold in load(study).folds]) for study in (finished, *others))
    assert f"{best:.4g}, is optimistic if it is quoted as the best of 3: the same outer folds chose it" in out


@pytest.fixture
def unscored(finished, tmp_path):
    """As a search leaves it whose trials are finished and whose refits are not."""
    study = tmp_path / "unscored.db"
    shutil.copy(finished, study)
    execute(study, "DELETE FROM study_user_attributes WHERE key LIKE 'tuner:refit:%'")
    return study


def test_nothing_is_deployed_before_an_outer_score_exists(unscored):
    text, number = in_one_line(unscored), load(unscored).deployed.number
    assert f"The final chain leads with trial {number}: " in text
    assert "No outer score says yet how good it is." in text
    assert "eploy" not in text
    assert as_json(unscored)["deploy"] is None


def test_what_is_partial_is_said_first(unscored, finished):
    assert said(unscored).splitlines()[2].startswith("PARTIAL: 24 of 24 trials, 0 of 3 outer folds scored")
    assert said(unscored, "--format", "markdown").splitlines()[6].startswith("* PARTIAL: ")
    assert "PARTIAL" not in said(finished)


def test_a_partial_comparison_says_so_first(finished, tmp_path):
    cut = tmp_path / "cut.db"
    shutil.copy(finished, cut)
    reworded(cut, "tuner:header", lambda header: header.update(trials=9))
    assert inside("compare", finished, cut)[1].splitlines()[0].startswith("PARTIAL: ")


@pytest.mark.slow
def test_one_length_of_training_everywhere(tmp_path):
    """The median best epoch of the inner folds, rounded up: in both tables, in what deploys, and in what is trained."""
    training = {"epochs": 12, "early_stopping": {"patience": 2}, "schedule": "cosine"}
    study = tmp_path / "study.db"
    search(write_space(tmp_path, training=training), study)
    results, found = load(study), as_json(study)
    lengths = {t.number: math.ceil(statistics.median(t.best_epochs)) for t in results.final.trials}
    assert any(lengths[t.number] < t.epochs for t in results.final.trials), "or nothing is told apart"
    assert {row["trial"]: row["epochs"] for row in found["ranking"]} == lengths
    for fold, row in zip(results.folds, found["outer_folds"], strict=True):
        length = math.ceil(statistics.median(fold.winner.best_epochs))
        assert row["epochs"] == fold.refit.epochs == len(fold.refit.train_loss) == length
    deploy, number = found["deploy"], results.deployed.number
    assert (deploy["trial"], deploy["epochs"], deploy["horizon"]) == (number, lengths[number], 12)
    assert not {"early_stopping", "epochs"} & {*deploy["training"]}
    assert "a learning-rate schedule is that of 12 epochs, cut there" in deploy["how"]
    rest = {k: v for k, v in results.deployed.configuration.training.items() if k not in ("epochs", "early_stopping")}
    assert (deploy["model"], deploy["training"]) == (results.deployed.configuration.model, rest)
    length = f"{lengths[number]} epoch{'s' * (lengths[number] != 1)}"
    assert f"; train it for {length} (median best epoch of its inner folds)." in in_one_line(study)
    assert f"{length} ({results.deployed.epochs} trained)" in " ".join(said(study, "--trial", number).split())


@pytest.mark.slow
def test_a_total_raised_when_it_was_complete_is_told(tmp_path):
    study = tmp_path / "study.db"
    path = write_space(tmp_path, search={"sampler": "random", "trials": 2})
    search(path, study)
    search(path, study)
    assert "optional stopping" not in said(study), "the same total again is no new look"
    for total, words in ((3, "(2, now 3 trials)"), (5, "(2, then 3, now 5 trials)")):
        search(path, study, "--trials", total)
        assert f"Its total was raised when it was complete {words}: if the score was the reason" in in_one_line(study)
    assert as_json(study)["raised"] == [2, 3]


def test_a_total_raised_before_it_was_reached_is_no_optional_stopping(tmp_path):
    study = tmp_path / "study.db"
    path = write_space(tmp_path, search={"sampler": "random", "trials": 4000}, limits={"time": "0.3s"})
    for total in ((), ("--trials", 5000)):
        assert inside("search", path, "--study", study, "--workers", 0, *total)[0] == 3
    (stored,) = read(study).values()
    assert stored.header.trials == 5000 and not stored.header.raised
    assert as_json(study)["raised"] == []


def test_optimism_says_on_how_many_rows_each_score_was_trained(finished):
    """Three outer parts: inner folds train on one of them, outer folds on two."""
    assert "Inner folds train on 33% of the rows, outer folds on 67%: more rows usually score better" in (
        in_one_line(finished)
    )


@pytest.mark.slow
def test_a_curve_over_training_size_takes_its_part_off_the_optimism(finished, tmp_path):
    study = tmp_path / "study.db"
    shutil.copy(finished, study)
    assert inside("curve", study)[0] == 0
    results = load(study)
    curve = points(results)
    errors = [np.mean([error(results, score) for score in point.validation]) for point in curve]
    law = fit([point.rows for point in curve], errors)
    more = law.at(50) - law.at(100)
    assert f"scores {more:.2g} better: without that, the selection bias is {results.optimism + more:.2g}." in (
        in_one_line(study)
    )


def test_folds_of_unequal_size_give_the_mean_over_rows_too(tmp_path):
    """By the predictions of the winners, row by row."""
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1, 2], [90, 30, 12])
    rows = [f"{a},{b},{g},{'yes' if a + rng.normal() > 0 else 'no'}" for (a, b), g in
            zip(rng.normal(size=(132, 2)), groups, strict=True)]  # fmt: skip
    (tmp_path / "rows.csv").write_text("\n".join(["a,b,who,answer", *rows]))
    dataset = {"name": "table", "path": "rows.csv", "target": "answer", "groups": "who"}
    search(write_space(tmp_path, dataset=dataset, search={"trials": 1}), tmp_path / "study.db")
    found = list(csv.DictReader(io.StringIO(said(tmp_path / "study.db", "--format", "csv", "--predictions"))))
    right = np.mean([row["truth"] == row["prediction"] for row in found])
    words = f"It is a mean over folds, which have 12 … 90 test rows; over rows it is {right:.4g}."
    assert words in in_one_line(tmp_path / "study.db")


def test_folds_of_equal_size_need_no_such_words(finished):
    assert "mean over folds" not in said(finished)


LISTS = {
    "model": {"hidden_size": [4, 8], "activation": ["gelu", "tanh"], "dropout": [0.1, 0.3]},
    "training": {"optimizer": {"choose": {"sgd": {"learning_rate": [0.1, 0.3]}, "adam": {"learning_rate": [0.02]}}}},
}


def backwards(tree):
    """The same choices in the opposite order."""
    if isinstance(tree, dict):
        return {key: backwards(value) for key, value in reversed(tree.items())}
    return tree[::-1] if isinstance(tree, list) else tree


@pytest.mark.slow
@pytest.mark.parametrize("search_", [{"sampler": "grid", "trials": 7}, {"sampler": "tpe", "trials": 1}])
def test_lists_written_backwards_change_nothing(tmp_path, search_):
    """Neither the default configuration nor, of a grid, any cell."""
    found = []
    for file, changes in (("a", LISTS), ("b", backwards(LISTS))):
        search(write_space(tmp_path, f"{file}.yaml", search=search_, **changes), tmp_path / f"{file}.db")
        found.append(json.loads(report_json(tmp_path / f"{file}.db")))
    assert found[0] == found[1]
    values = found[0]["default"]["values"]
    assert values == {
        "model.hidden_size": 8, "model.activation": "tanh", "model.dropout": 0.1,
        "training.optimizer": "adam", "training.optimizer.adam.learning_rate": 0.02,
    }  # fmt: skip


def test_a_default_that_the_file_states_is_trial_0_and_named(tmp_path):
    stated = {"training.optimizer": "sgd", "training.optimizer.sgd.learning_rate": 0.3, "model.hidden_size": 4}
    path = write_space(tmp_path, search={"trials": 2, "default": stated}, **LISTS)
    search(path, tmp_path / "study.db")
    values = as_json(tmp_path / "study.db")["default"]["values"]
    assert values == {**stated, "model.activation": "tanh", "model.dropout": 0.1}
    sets = "hidden_size=4 activation=tanh dropout=0.1 optimizer=sgd learning_rate=0.3"
    assert f"default configuration (trial 0): {sets}" in in_one_line(tmp_path / "study.db")
    other = write_space(tmp_path, search={"trials": 3, "default": {"model.hidden_size": 4}}, **LISTS)
    code, _, err = inside("search", other, "--study", tmp_path / "study.db", "--workers", 0)
    assert code == 2 and "search.default.training.optimizer: sgd → (absent)" in err


@pytest.mark.slow
@pytest.mark.parametrize("unit", [1.0, 1e-12, 1e9])
def test_gains_and_optimism_are_told_in_any_unit(tmp_path, unit):
    """Targets in units of 1e-12 gain what the same targets gain in others: nothing is rounded to 0."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 3))
    np.savez(tmp_path / "d.npz", X=x, y=unit * (x[:, 0] + 0.3 * rng.normal(size=90)))
    data = {"name": "arrays", "path": "d.npz", "task": "regression"}
    search(write_space(tmp_path, dataset=data, metric="rmse", search={"trials": 3}), tmp_path / "study.db")
    text, found = in_one_line(tmp_path / "study.db"), as_json(tmp_path / "study.db")
    assert f"{abs(found['optimism']):.2g} {'more' if found['optimism'] >= 0 else 'less'} than the outer folds" in text
    for name in ("against_default", "against_dummy"):
        assert f"{abs(found[name]['gain']['mean']):.2g} " in text
        assert abs(found[name]["gain"]["mean"]) > 1e-3 * unit
