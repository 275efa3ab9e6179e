"""Pruners decide as Optuna's do on the same histories; what is pruned is never selected and disturbs no other chain."""

import numpy as np
import optuna
import pytest
from helpers import write_space
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState
from toys import classes, lanes_of

from tuner.experiment.configuration import Configuration
from tuner.experiment.experiment import load
from tuner.experiment.records import TrialRecord
from tuner.experiment.sections import Halving, Median, NoPruner, Percentile
from tuner.experiment.selection import Selection, ranked
from tuner.search.catalogue import catalogue
from tuner.search.jobs import ChainView, TrialJob, Work
from tuner.search.own_kinds import CodeHere
from tuner.search.stopping import Thresholds, thresholds
from tuner.search.trial import Runner

optuna.logging.set_verbosity(optuna.logging.WARNING)
SOME = settings(deadline=None, max_examples=60)
STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
MEANS = st.lists(st.integers(-6, 6).map(lambda tenths: tenths / 10), min_size=1, max_size=10)  # few, so there are ties
HISTORY = st.lists(st.tuples(st.sampled_from(["complete", "complete", *STATES]), MEANS), max_size=9)


def trial(number, state, means):
    score = None if state == "failed" else means[-1]
    return TrialRecord(
        number, state, {}, Configuration({}, {}), 0.1, score=score, means=tuple(means), best_epochs=(len(means),)
    )


def decisions(pruner, history, curve, maximize):
    """Whether the trial would be stopped, epoch by epoch."""
    trials = [trial(number, *entry) for number, entry in enumerate(history)]
    limits = thresholds(pruner, trials, len(curve), maximize)
    return [limits is not None and limits.prunes(curve[:epoch], maximize) for epoch in range(1, len(curve) + 1)]


def a_study(pruner, maximize):
    return optuna.create_study(direction="maximize" if maximize else "minimize", pruner=pruner)


def optunas(pruner, history, curve, maximize):
    """The same, as Optuna decides; it counts steps from 0."""
    study = a_study(pruner, maximize)
    for state, means in history:
        value = means[-1] if state == "complete" else None
        steps = dict(enumerate(means))
        study.add_trial(optuna.trial.create_trial(state=STATES[state], value=value, intermediate_values=steps))
    asked = study.ask()
    said = []
    for step, mean in enumerate(curve):
        asked.report(mean, step)
        said.append(asked.should_prune())
    return said


WARMUP = (st.integers(0, 4), st.integers(0, 5))  # epochs, trials


@SOME
@given(HISTORY, MEANS, st.booleans(), *WARMUP)
def test_median_decides_as_optunas_does(history, curve, maximize, warmup_epochs, warmup_trials):
    pruner = Median(warmup_epochs=warmup_epochs, warmup_trials=warmup_trials)
    theirs = optuna.pruners.MedianPruner(warmup_trials, warmup_epochs)
    assert decisions(pruner, history, curve, maximize) == optunas(theirs, history, curve, maximize)


@SOME
@given(HISTORY, MEANS, st.booleans(), st.sampled_from([0.5, 10, 25.0, 33.3, 50, 80, 99]), *WARMUP)
def test_percentile_decides_as_optunas_does(history, curve, maximize, percentile, warmup_epochs, warmup_trials):
    pruner = Percentile(percentile=percentile, warmup_epochs=warmup_epochs, warmup_trials=warmup_trials)
    theirs = optuna.pruners.PercentilePruner(percentile, warmup_trials, warmup_epochs)
    assert decisions(pruner, history, curve, maximize) == optunas(theirs, history, curve, maximize)


def test_the_best_per_cent_go_on():
    history = [("complete", [score / 10]) for score in range(1, 10)]
    scores = [score / 100 for score in range(0, 101, 4)]
    for maximize in (True, False):
        going = [s for s in scores if not decisions(Percentile(percentile=25), history, [s], maximize)[0]]
        assert going == [s for s in scores if (s >= 0.7 if maximize else s <= 0.3)]


@SOME
@given(HISTORY, MEANS, st.booleans(), st.integers(1, 4), st.integers(2, 4))
def test_halving_lets_the_best_of_a_rung_go_on(history, curve, maximize, first, factor):
    rungs = {first * factor**power for power in range(5)}
    expected = []
    for epoch, mean in enumerate(curve, start=1):
        there = [means[epoch - 1] for _, means in history if len(means) >= epoch]
        better = sum(other > mean if maximize else other < mean for other in there)
        places = max(1, (len(there) + 1) // factor)
        expected.append(epoch in rungs and better >= places)
    assert decisions(Halving(first=first, factor=factor), history, curve, maximize) == expected


@pytest.mark.parametrize(("first", "factor"), [(1, 2), (1, 3), (3, 4), (7, 10), (5, 100)])
def test_the_rungs_of_a_long_training(first, factor):
    limits = thresholds(Halving(first=first, factor=factor), [trial(0, "complete", [0.5] * 3000)], 3000, True)
    asked = {epoch for epoch, value in enumerate(limits.values, start=1) if value is not None}
    assert asked == {rung for rung in (first * factor**power for power in range(12)) if rung <= 3000}


def finish(trials, number, curve, stopped, fails):
    """The record of a trial that was stopped after so many epochs, or ran to its end or its failure."""
    state = "pruned" if stopped else "failed" if fails else "complete"
    trials.append(trial(number, state, curve[: stopped or len(curve)]))
    return state


@SOME
@given(st.lists(st.tuples(MEANS, st.booleans()), max_size=10), st.booleans(), st.integers(1, 3), st.integers(2, 4))
def test_a_search_with_halving_stops_the_trials_that_optunas_stops(curves, maximize, first, factor):
    study = a_study(optuna.pruners.SuccessiveHalvingPruner(first, factor, 0), maximize)
    trials = []
    for number, (curve, fails) in enumerate(curves):
        limits = thresholds(Halving(first=first, factor=factor), trials, len(curve), maximize)
        epochs = range(1, len(curve) + 1)
        stopped = next((epoch for epoch in epochs if limits.prunes(curve[:epoch], maximize)), None)
        asked = study.ask()
        for epoch in epochs:
            asked.report(curve[epoch - 1], epoch)
            if asked.should_prune():
                assert stopped == epoch
                break
        else:
            assert stopped is None
        state = finish(trials, number, curve, stopped, fails)
        study.tell(asked, curve[-1] if state == "complete" else None, state=STATES[state])


def test_without_a_pruner_or_before_enough_trials_nothing_is_asked():
    trials = [trial(n, "complete", [0.5]) for n in range(4)] + [trial(4, "pruned", [0.1])]
    assert thresholds(NoPruner(), trials, 3, True) is None
    assert thresholds(Median(), trials, 3, True) is None
    assert thresholds(Median(warmup_trials=4), trials, 3, True) == Thresholds((0.5, None, None), True)


@SOME
@given(st.lists(st.tuples(st.sampled_from(list(STATES)), st.integers(-5, 5))), st.booleans())
def test_a_pruned_trial_is_never_selected(entries, maximize):
    best = 99.0 if maximize else -99.0  # whatever a pruned trial has reached does not help it
    trials = [trial(n, s, [float(v) if s == "complete" else best]) for n, (s, v) in enumerate(entries)]
    complete = {t.number for t in trials if t.state == "complete"}
    assert {t.number for t in ranked(trials, maximize)} == complete
    chosen = [t.number for t in Selection(maximize).to_refit(trials)]
    assert set(chosen) <= complete
    assert bool(chosen) == bool(complete)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (None, NoPruner()),
        ("none", NoPruner()),
        ("median", Median()),
        ("halving", Halving(first=1, factor=3)),
        ({"name": "percentile", "percentile": 10, "warmup_epochs": 2}, Percentile(percentile=10, warmup_epochs=2)),
        ({"name": "halving", "first": 2, "factor": 4}, Halving(first=2, factor=4)),
    ],
)
def test_a_pruner_in_a_file(tmp_path, written, meant):
    assert load(write_space(tmp_path, search={"pruner": written}), catalogue(CodeHere(tmp_path))).search.pruner == meant


EPOCHS, REACHED = 8, 3
CONFIGURATION = Configuration(
    {"name": "mlp", "hidden_size": 6, "dropout": 0.3},
    {"epochs": EPOCHS, "batch_size": 8, "early_stopping": {"patience": EPOCHS}},
)
NOBODY = np.array([], dtype=np.int64)


def run(tensors, lanes, **limits):
    """One trial of two chains, each on one of the two row sets of every lane; limits by chain."""
    views = {"a": (0, 2, 4), "b": (1, 3, 5)}
    chains = tuple(ChainView(name, views[name], NOBODY, limit) for name, limit in limits.items())
    return Runner(Work(tensors.dataset, "log_loss"), "cpu").run(TrialJob(0, {}, CONFIGURATION, lanes, chains))


def test_a_trial_stops_for_the_chain_that_prunes_it_and_goes_on_for_the_other():
    tensors = classes(40)
    lanes = tuple(lanes_of(tensors, [24] * 3, sets=2))
    impossible = Thresholds((None,) * (REACHED - 1) + (-1.0,) * (EPOCHS - REACHED + 1), True)
    free = run(tensors, lanes, a=None, b=None)
    half = run(tensors, lanes, a=impossible, b=None)
    both = run(tensors, lanes, a=impossible, b=impossible)

    assert half["b"].state == "complete"
    assert half["b"].fold_scores == pytest.approx(free["b"].fold_scores, rel=1e-5)
    assert half["b"].means == pytest.approx(free["b"].means, rel=1e-5)
    for pruned, whole in ((half["a"], free["a"]), (both["a"], free["a"]), (both["b"], free["b"])):
        assert (pruned.state, pruned.score, pruned.fold_scores, pruned.epochs) == ("pruned", None, (), REACHED)
        assert pruned.means == pytest.approx(whole.means[:REACHED], rel=1e-5)
        np.testing.assert_allclose(pruned.curves.score, [fold[:REACHED] for fold in whole.curves.score], rtol=1e-5)
        assert ranked([pruned], maximize=False) == []
