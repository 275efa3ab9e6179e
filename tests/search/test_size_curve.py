"""`tuner curve`: shares of the training rows, what is stored, and what the words rest on."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import inside, search, write_space
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.experiment.header import SizeCurve
from tuner.experiment.records import SizePoint
from tuner.report import load
from tuner.report.size_curve import Point, extrapolate, fit, points, verdict
from tuner.search.header import as_stored
from tuner.search.size_curve import SHARES, size_curve

ROWS = [10, 20, 40, 80, 160]


@pytest.fixture(scope="module")
def curved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("curve")
    training = {"epochs": 6, "schedule": "cosine", "warmup": 1, "early_stopping": {"patience": 2}}
    search(write_space(folder, search={"trials": 2}, training=training), folder / "study.db")
    before = inside("report", folder / "study.db", "--format", "json")[1]
    code, out, err = inside("curve", folder / "study.db")
    assert (code, err) == (0, "")
    assert inside("report", folder / "study.db", "--format", "json")[1] == before
    return folder / "study.db", out


@pytest.mark.slow
def test_it_is_stored_shown_and_not_trained_again(curved, monkeypatch):
    study, out = curved
    assert "Learning curve over training size" in out and "accuracy over training rows" in out
    assert [point.rows for point in points(load(study))] == [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
    monkeypatch.setattr("tuner.search.size_curve.size_curve", None)
    assert inside("curve", study)[1] == out


@pytest.mark.slow
def test_the_same_again_to_the_bit(curved):
    study, _ = curved
    stored = load(study).study
    again = size_curve(as_stored(stored), load(study).deployed, "cpu")
    assert tuple(again) == stored.curve.points


def test_the_last_share_is_the_configuration_on_all_training_rows(curved):
    """As a plain training of one fold would have it, with the same seed."""
    from tuner.experiment.selection import refit_epochs
    from tuner.search.jobs import RefitJob
    from tuner.search.trial import Runner
    from tuner.seeds import seed_of
    from tuner.training.lanes import Lane

    study, _ = curved
    results = load(study)
    prepared, chosen = as_stored(results.study), results.deployed
    fold = prepared.plan.chains[-1].folds[0]
    lane = Lane(fold.train, (fold.validation,), seed_of(prepared.experiment.search.seed, chosen.number, fold.train))
    training = {**chosen.configuration.training, "early_stopping": None}
    configuration = replace(chosen.configuration, training=training)
    assert refit_epochs(chosen) < chosen.configuration.epochs  # which the schedule still counts on
    job = RefitJob("final", chosen.number, configuration, lane, refit_epochs(chosen))
    (record,) = Runner(prepared.work, "cpu").run(job).values()
    assert SHARES[-1] == 1.0
    assert results.study.curve.points[-1].validation[0] == pytest.approx(record.score)


@settings(deadline=None, max_examples=30)
@given(st.floats(0, 0.5), st.floats(0.1, 5), st.floats(0.2, 1.5))
def test_a_power_law_is_found_again(floor, scale, exponent):
    law = fit(ROWS, [floor + scale * n**-exponent for n in ROWS])
    for rows in (*ROWS, 320):
        assert law.at(rows) == pytest.approx(floor + scale * rows**-exponent, abs=0.02 + 0.02 * scale)


def curve_of(validation, training):
    """A curve of four folds with these errors, a little apart."""
    shifts = np.array([-0.004, -0.001, 0.001, 0.004])
    return [
        Point(n, tuple(1 - v + shifts), tuple(1 - t + shifts))
        for n, v, t in zip(ROWS, validation, training, strict=True)
    ]


WORDS = {
    "more data would help": ([n**-0.5 for n in ROWS], [0.9 * n**-0.5 for n in ROWS]),
    "high variance": ([0.3] * 5, [0.01] * 5),
    "high bias": ([0.3] * 5, [0.29] * 5),
    "enough": ([0.3] * 5, [0.2] * 5),
}


@pytest.mark.parametrize("word", WORDS)
def test_the_words_follow_from_the_errors(finished, word):
    said = verdict(load(finished), curve_of(*WORDS[word]))
    first, *more = [line.split(":")[0] for line in said]
    assert first == word and more == (["enough data"] if word == "high variance" else [])


def test_the_outlook_holds_the_law(finished):
    curve = curve_of([0.05 + n**-0.5 for n in ROWS], [0.0] * 5)
    ahead = extrapolate(load(finished), curve)
    assert ahead.now == pytest.approx(0.05 + 160**-0.5, abs=0.005)
    assert ahead.gain == pytest.approx(160**-0.5 - 320**-0.5, abs=0.005)
    assert ahead.low <= ahead.gain <= ahead.high


def test_folds_that_differ_hide_no_gain(finished):
    """Every fold follows one law, far apart from each other: more data helps each of them."""
    curve = [Point(n, tuple(1 - (0.1 + n**-0.5 + off) for off in (-0.05, 0.0, 0.05)), (0.9,) * 3) for n in ROWS]
    assert any(line.startswith("more data would help") for line in verdict(load(finished), curve))


def test_a_fold_that_broke_once_is_left_out_everywhere():
    sizes = tuple(SizePoint(n, (None if n == 10 else 9.0, 0.5, 0.6), (0.9, 0.7, 0.8)) for n in ROWS)
    results = SimpleNamespace(study=SimpleNamespace(curve=SizeCurve(0, sizes)))
    assert points(results) == [Point(n, (0.5, 0.6), (0.7, 0.8)) for n in ROWS]


def test_where_nothing_is_chosen_yet(tmp_path):
    assert inside("curve", tmp_path / "no.db")[0] == 4
