"""The report's numbers by hand, every format read back, and terminals of every kind."""

import csv
import io
import json
import math
import re
import shutil
import sqlite3
import statistics
import subprocess
from contextlib import closing

import numpy as np
import pytest
import scipy.stats
from helpers import command, inside, reworded, search, write_space
from helpers import tuner as real

import tuner.report
from tuner.report.plots import band

FORMATS = ("table", "json", "csv", "markdown")


def told(study, *args):
    code, out, err = inside("report", study, *args)
    assert (code, err) == (0, "")
    return out


def stored(study, sql):
    with closing(sqlite3.connect(study)) as db:
        return [(chain, json.loads(text)) for chain, text in db.execute(sql)]


def trials_of(study):
    """Every record as plain JSON, by chain, straight from the file."""
    sql = ("SELECT study_name, value_json FROM studies JOIN trials USING (study_id) JOIN trial_user_attributes "
           "USING (trial_id) WHERE key = 'tuner:record' ORDER BY study_name, number")  # fmt: skip
    found = {}
    for name, raw in stored(study, sql):
        found.setdefault(name.partition("/")[2], []).append(raw)
    return found


def refits_of(study):
    sql = ("SELECT study_name, value_json FROM studies JOIN study_user_attributes USING (study_id) "
           "WHERE key LIKE 'tuner:refit:%'")  # fmt: skip
    return {(name.partition("/")[2], raw["number"]): raw for name, raw in stored(study, sql)}


def winner(trials):
    return max(trials, key=lambda t: (t["score"], -t["number"]))


def nadeau_bengio(values):
    """Three outer folds of 150 rows: 50 test rows for 100 training rows."""
    error = np.sqrt((1 / 3 + 50 / 100) * np.var(values, ddof=1))
    return np.mean(values), scipy.stats.t.ppf(0.975, 2) * error


def clipped(value):
    """An accuracy is never below 0 nor above 1."""
    return min(1.0, max(0.0, value))


def test_the_headline_numbers_by_hand(finished):
    trials, refits = trials_of(finished), refits_of(finished)
    chains = ["outer-1", "outer-2", "outer-3"]
    best = {chain: winner(trials[chain]) for chain in chains}
    scores = [refits[chain, best[chain]["number"]]["score"] for chain in chains]
    defaults = [refits[chain, 0]["score"] for chain in chains]
    seen = np.mean([best[chain]["score"] for chain in chains])
    report = json.loads(told(finished, "--format", "json"))
    mean, half = nadeau_bengio(scores)
    found = report["score"]
    assert (found["mean"], found["half"]) == pytest.approx((mean, half))
    low, high = clipped(mean - half), clipped(mean + half)
    assert (found["low"], found["high"]) == pytest.approx((low, high))
    assert report["inner_best"] == pytest.approx(seen)
    assert report["optimism"] == pytest.approx(seen - mean)
    gain, width = nadeau_bengio(np.subtract(scores, defaults))
    against = report["against_default"]
    assert (against["mean"], against["gain"]["mean"], against["gain"]["half"]) == pytest.approx(
        (np.mean(defaults), gain, width)
    )
    assert against["distinguishable"] == (against["adjusted"] < 0.05)
    assert report["complete"] is True
    first = told(finished).splitlines()[1:]
    assert f"accuracy {mean:.4g}, 95 % interval {low:.4g} to {high:.4g}: expected on new rows when" in " ".join(first)


def test_the_ranking_by_hand(finished):
    trials = sorted(trials_of(finished)["final"], key=lambda t: (-t["score"], t["number"]))
    report = json.loads(told(finished, "--format", "json", "--top", "4"))
    assert [row["trial"] for row in report["ranking"]] == [t["number"] for t in trials[:4]]
    assert [row["rank"] for row in report["ranking"]] == [1, 2, 3, 4]
    for row, trial in zip(report["ranking"], trials, strict=False):
        assert row["accuracy"] == pytest.approx(np.mean(trial["fold_scores"]))
        assert row["spread"] == pytest.approx(np.std(trial["fold_scores"], ddof=1))
        assert row["hidden_size"] == trial["values"]["model.hidden_size"]
    assert report["deploy"]["model"] == trials[0]["configuration"]["model"]


def test_what_is_exported_is_all_and_what_is_shown_is_the_best(tmp_path):
    path, study = write_space(tmp_path, search={"sampler": "random", "trials": 12}), tmp_path / "study.db"
    search(path, study, workers=0)
    of = {form: told(study, "--format", form) for form in FORMATS}
    complete = json.loads(told(study, "--format", "json", "--top", "99"))["ranking"]
    assert len(complete) == 12
    assert of["markdown"].partition("## Ranking")[2].count("\n|") == 2 + 10  # names, a line, the ten best
    assert json.loads(of["json"])["ranking"] == complete
    assert len(of["csv"].splitlines()) == 1 + len(complete)


@pytest.mark.parametrize("chain", ["final", "outer-2"])
def test_csv_and_markdown_hold_the_ranking(finished, chain):
    rows = json.loads(told(finished, "--format", "json", "--chain", chain))["ranking"]
    read = list(csv.DictReader(io.StringIO(told(finished, "--format", "csv", "--chain", chain))))
    assert [{k: "" if v is None else str(v) for k, v in row.items()} for row in rows] == read
    lines = (
        told(finished, "--format", "markdown", "--chain", chain).partition(f"## Ranking of the {chain}")[2].splitlines()
    )
    body = [[c.strip() for c in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert body[0] == list(rows[0])
    assert [line[:2] for line in body[2:]] == [[str(row["rank"]), str(row["trial"])] for row in rows]


def test_a_searched_setting_called_like_a_column_keeps_both(tmp_path):
    path = write_space(tmp_path, training={"epochs": [2, 5], "early_stopping": None}, search={"trials": 3})
    search(path, tmp_path / "study.db")
    table = told(tmp_path / "study.db", "--format", "csv").splitlines()[0].split(",")
    assert len(table) == len(set(table))
    frame = tuner.report.outer_folds(tmp_path / "study.db")
    assert frame.columns.is_unique


@pytest.mark.parametrize("form", FORMATS)
def test_output_writes_what_the_terminal_shows(finished, tmp_path, form):
    said = told(finished, "--format", form, "--output", tmp_path / "report")
    assert said == ""
    assert (tmp_path / "report").read_text("utf-8") == told(finished, "--format", form)


def test_output_where_nothing_can_be_written(finished, tmp_path):
    code, _, err = inside("report", finished, "--output", tmp_path / "no" / "report")
    assert code == 4
    assert err.startswith("error: ") and "--output" in err


def test_one_trial_and_another_chain(finished):
    out = told(finished, "--chain", "outer-2", "--trial", "3")
    assert "Learning curves of trial 3 of outer-2" in out
    assert "Ranking of the outer-2 chain" in out


def test_json_has_the_curves_of_the_trial_asked_for(finished):
    found = json.loads(told(finished, "--chain", "outer-2", "--trial", "3", "--format", "json"))["curves"]
    raw = trials_of(finished)["outer-2"][3]["curves"]
    assert (found["chain"], found["trial"]) == ("outer-2", 3)
    assert raw.pop("checksum")
    assert {key: found[key] for key in raw} == raw


@pytest.mark.slow
@pytest.mark.parametrize("columns", [60, 80, 100, 140])
def test_a_narrow_terminal_still_shows_every_searched_value(finished, columns):
    done = real("report", finished, cwd=finished.parent, COLUMNS=str(columns))
    best = winner(trials_of(finished)["final"])
    shown = done.stdout.partition("Ranking")[2].partition("Learning curves")[0]
    assert f"{best['score']:#.4g}" in shown and "…" not in shown
    for path, value in best["values"].items():
        assert (value if isinstance(value, str) else f"{value:.4g}") in shown, path


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("--chain", "outer-9"), "did you mean 'outer-"),
        (("--chain", "finl"), "did you mean 'final'?"),
        (("--name", "tinny"), "did you mean 'tiny'?"),
        (("--trial", "6"), "lists those up to 5"),
    ],
)
def test_unknown_names_give_near_misses(finished, arguments, hint):
    code, out, err = inside("report", finished, *arguments)
    assert (code, out) == (2, "")
    assert hint in err


def test_a_partial_study_says_so(tmp_path):
    path = write_space(tmp_path, search={"sampler": "random", "trials": 5000}, limits={"time": "0.3s"})
    assert inside("search", path, "--study", tmp_path / "study.db", "--workers", 0)[0] == 3
    out = " ".join(told(tmp_path / "study.db").split())
    assert re.search(r"PARTIAL: \d+ of 20,000 trials, [0-3] of 3 outer folds scored", out)
    assert json.loads(told(tmp_path / "study.db", "--format", "json"))["complete"] is False


def test_the_default_is_never_taken_for_the_winner(finished, tmp_path):
    """As a night leaves it that was cut when only the refits of the default were done."""
    study = tmp_path / "study.db"
    shutil.copy(finished, study)
    results = tuner.report.load(study)
    fold = next(fold for fold in results.folds if fold.winner.number != 0)
    reworded(study, "tuner:header", lambda header: header.update(trials=9))
    with closing(sqlite3.connect(study)) as db:
        assert (
            next(f for f in tuner.report.load(study).folds if f.name == fold.name).winner == fold.winner
        )  # the last one stands
        db.execute("DELETE FROM study_user_attributes WHERE key = ?", (f"tuner:refit:{fold.winner.number}",))
        db.commit()
    left = next(f for f in tuner.report.load(study).folds if f.name == fold.name)
    assert (left.winner, left.score) == (None, None)
    assert left.default == fold.default


def test_a_flat_search_is_called_optimistic(tmp_path):
    path = write_space(tmp_path, resampling={"outer": "none", "inner": 3}, search={"trials": 2})
    search(path, tmp_path / "study.db")
    assert "optimistic" in told(tmp_path / "study.db")


def test_data_frames(finished):
    raw = trials_of(finished)
    trials, curves = tuner.report.trials(finished), tuner.report.curves(finished)
    assert len(trials) == 24
    for (chain, number), row in trials.set_index(["chain", "trial"]).iterrows():
        assert row["score"] == raw[chain][number]["score"]
        assert row["model.activation"] == raw[chain][number]["values"]["model.activation"]
        assert row["epochs"] == math.ceil(statistics.median(raw[chain][number]["best_epochs"]))
        assert row["trained"] == len(raw[chain][number]["means"])
    expected = [
        (chain, t["number"], fold, epoch, score)
        for chain in raw
        for t in raw[chain]
        for fold, scores in enumerate(t["curves"]["score"], 1)
        for epoch, score in enumerate(scores, 1)
        if score is not None
    ]
    columns = ["chain", "trial", "fold", "epoch", "validation_score"]
    assert sorted(curves[columns].itertuples(index=False, name=None)) == sorted(expected)
    folds = tuner.report.outer_folds(finished)
    assert list(folds["chain"]) == ["outer-1", "outer-2", "outer-3"]
    assert folds["outer_test"].mean() == pytest.approx(tuner.report.load(finished).score.mean)
    searched = [column for column in folds if "." in column]
    joined = folds.merge(tuner.report.trials(finished), on=["chain", "trial", *searched])
    assert searched and len(joined) == 3 and (joined["inner"] == joined["score"]).all()


def test_the_band_is_over_the_folds_still_training():
    folds = [(1.0, 2.0, None, None), (3.0, 5.0, 7.0, None), (2.0, 2.0, 9.0, None)]
    low, mean, high = band(folds)
    assert (low, high) == ([1.0, 2.0, 7.0], [3.0, 5.0, 9.0])
    assert mean == [statistics.mean([1, 3, 2]), statistics.mean([2, 5, 2]), 8.0]


TERMINALS = [
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
    {"COLUMNS": "10"},
    {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "0"},
]


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("surroundings", TERMINALS[:1])
def test_any_encoding_shows_every_format(finished, form, surroundings):
    done = real("report", finished, "--format", form, cwd=finished.parent, **surroundings)
    assert (done.returncode, done.stderr) == (0, "")
    assert "accuracy" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("surroundings", TERMINALS[1:])
def test_any_terminal_shows_the_report(finished, surroundings):
    done = real("report", finished, cwd=finished.parent, **surroundings)
    assert (done.returncode, done.stderr) == (0, "")
    assert "accuracy" in done.stdout and "\x1b" not in done.stdout


@pytest.mark.parametrize("form", ["table", "json"])
def test_a_reader_that_has_seen_enough(finished, form):
    line = " ".join(command("report", finished, "--format", form))
    done = subprocess.run(
        [shutil.which("bash"), "-o", "pipefail", "-c", f"{line} | true"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
