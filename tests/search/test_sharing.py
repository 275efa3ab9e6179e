"""Trainings that chains share answer exactly what each chain would have trained for itself."""

import itertools
from collections import Counter
from dataclasses import replace
from types import MappingProxyType

import pytest
from helpers import GRID, write_space
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.experiment.records import RefitRecord, TrialRecord
from tuner.search import driver
from tuner.search.chain import Chain
from tuner.search.events import Finished
from tuner.search.group import Group, make_groups
from tuner.search.jobs import TrialJob
from tuner.search.options import SearchOptions
from tuner.search.prepare import prepare
from tuner.search.samplers import Proposer
from tuner.search.sharing import layout, sharing
from tuner.search.trial import Runner
from tuner.store import StoredChain, read

RANDOM = {"search": {"sampler": "random", "trials": 12}}
STOPPING = {"patience": 2}
PRUNER = {"name": "median", "warmup_trials": 2}


def slow(value, name=None):
    """A case left to the slow run: it takes seconds, and shows more of the same."""
    return pytest.param(value, marks=pytest.mark.slow, id=name)


def prepared_with(folder, sampler, outer, stopping=None, pruner=None, **more):
    """A small search of twelve trials; with a pruner in rounds, so that later ones can be stopped."""
    tree = GRID if sampler == "grid" else RANDOM
    training = {"epochs": 5, "batch_size": 64, "early_stopping": stopping, **tree.get("training", {})}
    search = {**tree["search"], "pruner": pruner}
    return prepare(write_space(folder, resampling={"outer": outer}, **{**tree, "training": training, "search": search},
                               **more))  # fmt: skip


def chains_of(prepared, stored):
    total, maximize = prepared.experiment.trials, prepared.metric.maximize
    return [Chain(plan, total, maximize, stored.get(plan.name, StoredChain())) for plan in prepared.plan.chains]


def evaluated(prepared, together, stored=MappingProxyType({})):
    """Every record of the search by chain, and how many lanes were trained; each chain by itself unless `together`."""
    chains, search = chains_of(prepared, stored), prepared.experiment.search
    proposers = {c.name: Proposer(prepared.experiment.space, search.sampler, search.seed, c.name, c.maximize)
                 for c in chains}  # fmt: skip
    if together:
        groups = make_groups(chains, proposers.__getitem__, search, None)
    else:
        groups = [Group([chain], proposers[chain.name], search) for chain in chains]
    runner = Runner(prepared.work, "cpu")
    lanes, written = 0, []
    for group in groups:
        while (job := group.next_job()) is not None:
            lanes += len(job.lanes) if isinstance(job, TrialJob) else 1
            written += group.accept(job, runner.run(job))
        written += group.shared_refits()
    assert all(chain.done for chain in chains)
    records = {chain.name: list(stored[chain.name].trials) if stored else [] for chain in chains}
    for chain, record in written:
        records[chain.name].append(record)
    return {name: timeless(*parted(found)) for name, found in records.items()}, lanes


def parted(records):
    """Trials in order, and refits by number."""
    trials = sorted((r for r in records if isinstance(r, TrialRecord)), key=lambda trial: trial.number)
    return trials, {r.number: r for r in records if isinstance(r, RefitRecord)}


def timeless(trials, refits):
    """Records without the only values that may differ."""
    by_number = {number: replace(refit, seconds=0) for number, refit in refits.items()}
    return [replace(trial, seconds=0, refit=None) for trial in trials], by_number


def states(records):
    return Counter(trial.state for trials, _ in records.values() for trial in trials)


@pytest.mark.slow
@pytest.mark.parametrize("pruner", [None, PRUNER], ids=["to the end", "median"])
@pytest.mark.parametrize("stopping", [slow(None, "all epochs"), pytest.param(STOPPING, id="patience")])
@pytest.mark.parametrize("sampler", ["grid", "random"])
@pytest.mark.parametrize("outer", [3, slow(4), slow(5)])
def test_shared_trainings_equal_separate_ones(tmp_path, outer, sampler, stopping, pruner):
    prepared = prepared_with(tmp_path, sampler, outer, stopping, pruner)
    (shared, fewer), (separate, more) = (evaluated(prepared, together) for together in (True, False))
    assert shared == separate
    assert fewer < 0.75 * more
    assert (states(shared)["pruned"] > 0) == (pruner is not None)
    assert states(shared)["complete"] > 0


# other shapes of stack, dropout, sequences, a regression, repeats that share nothing across, and trials that diverge
OTHERS = {
    "dropout": {"model": {"num_layers": 2, "dropout": [0.0, 0.4]}},
    "regression": {"dataset": {"name": "diabetes"}},
    "diverging": {
        "dataset": {"name": "diabetes"},
        "training": {"optimizer": {"name": "sgd", "learning_rate": {"low": 0.01, "high": 100, "log": True}}},
    },
    "repeats": {"resampling": {"outer": {"folds": 3, "repeats": 2}}},
    "rnn": {"dataset": {"name": "digits", "layout": "rows"}, "model": {"name": "rnn", "cell": ["gru", "lstm"]}},
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [slow(k) if k in ("diverging", "dropout", "repeats", "rnn") else k for k in OTHERS])
def test_whatever_is_trained_sharing_changes_nothing(tmp_path, kind):
    more = OTHERS[kind]
    training = {"epochs": 5, "batch_size": 32, "early_stopping": STOPPING, **more.get("training", {})}
    tree = {"search": {"sampler": "random", "trials": 3 if kind == "rnn" else 10}, **more, "training": training}
    model = {"activation": None, **more["model"]} if kind == "rnn" else more.get("model", {})
    prepared = prepare(write_space(tmp_path, **{**tree, "model": model}))
    (shared, fewer), (separate, more) = (evaluated(prepared, together) for together in (True, False))
    assert shared == separate
    assert fewer < more
    assert states(shared)["complete"] > 0
    assert (states(shared)["failed"] > 0) == (kind == "diverging")


def test_without_stopping_every_refit_comes_from_a_shared_training(tmp_path):
    """K(K−1)/2 + K lanes a trial are all that is trained: the refits are folds of the final chain."""
    prepared = prepared_with(tmp_path, "random", 4)
    records, lanes = evaluated(prepared, together=True)
    assert lanes == 12 * (4 * 3 // 2 + 4)
    assert all(refits for name, (_, refits) in records.items() if name != "final")


@settings(deadline=None, max_examples=8)
@given(outer=st.integers(3, 9), repeats=st.integers(1, 2))
def test_the_trainings_of_a_plan_of_k_parts(tmp_path_factory, outer, repeats):
    """Brute force on sets: one training for each pair of parts and each single part that it leaves out."""
    folds = {"outer": {"folds": outer, "repeats": repeats}}
    plans = prepare(write_space(tmp_path_factory.mktemp("plan"), resampling=folds)).plan.chains
    everything = set(range(150))
    first = [set(plan.test.tolist()) for plan in plans[:outer]]
    found = layout([*plans[:outer], plans[-1]])
    expected = [everything - a - b for a, b in itertools.combinations(first, 2)] + [everything - a for a in first]
    trained = [set(lane.train.tolist()) for lane in found.lanes]
    assert len(trained) == outer * (outer - 1) // 2 + outer
    assert sorted(map(sorted, trained)) == sorted(map(sorted, expected))
    everywhere = layout(plans)
    assert len(everywhere.lanes) == repeats * outer * (outer - 1) // 2 + outer
    check_views(plans, everywhere)


PLANS = {
    "shared": {"outer": 4},
    "folds": {"outer": 3, "inner": 3},
    "repeats": {"outer": 3, "inner": {"folds": 2, "repeats": 2}},
    "holdout": {"outer": 3, "inner": {"holdout": 0.3, "repeats": 2}},
    "flat": {"outer": "none", "inner": 4},
}


@pytest.mark.parametrize("kind", PLANS)
def test_the_views_of_any_plan(tmp_path, kind):
    plans = prepare(write_space(tmp_path, resampling=PLANS[kind])).plan.chains
    check_views(plans, layout(plans))


def check_views(plans, found):
    """Each fold's view is its rows; no held-out row is in a training that the chain uses, and none is in vain."""
    views = [(set(lane.train.tolist()), set(rows.tolist())) for lane in found.lanes for rows in lane.evaluations]
    used = set()
    for plan in plans:
        test = set(plan.test.tolist())
        places = found.views[plan.name]
        assert len(places) == len(plan.folds)
        for place, fold in zip(places, plan.folds, strict=True):
            train, validation = views[place]
            assert (train, validation) == (set(fold.train.tolist()), set(fold.validation.tolist()))
            assert not (train & validation or (train | validation) & test)
        used |= set(places)
    assert used == set(range(len(views)))
    trained = [lane.train.tobytes() for lane in found.lanes]
    assert len(set(trained)) == len(trained)


@pytest.mark.parametrize(("kind", "sizes"), [("shared", [5]), ("folds", [1] * 4), ("flat", [1])])
def test_chains_that_share_a_training_stand_together(tmp_path, kind, sizes):
    plans = prepare(write_space(tmp_path, resampling=PLANS[kind])).plan.chains
    together = sharing(plans)
    assert [len(members) for members in together] == sizes
    assert [plan.name for members in together for plan in members] == [plan.name for plan in plans]


class Killed(BaseException):
    """Ends a search between two writes, as a kill does."""


def killed_after(writes):
    """A listener that lets `writes` records be written and then ends the search."""
    count = itertools.count(1)

    def listener(event):
        if isinstance(event, Finished) and next(count) == writes:
            raise Killed

    return listener


def search(prepared, study, listener=lambda event: None):
    driver.search(prepared, SearchOptions(study, workers=0), listener)


def written(study):
    chains = read(study)["tiny"].chains
    return {name: timeless(chain.trials, chain.refits) for name, chain in chains.items()}


@pytest.mark.parametrize("writes", [2, slow(47), slow(53)])
def test_killed_after_any_write_it_goes_on_identically(tmp_path, writes):
    """A trial that several chains share is written for all of them or for none."""
    prepared = prepared_with(tmp_path, "random", 3, STOPPING, PRUNER)
    search(prepared, tmp_path / "whole.db")
    study = tmp_path / "killed.db"
    with pytest.raises(Killed):
        search(prepared, study, killed_after(writes))
    assert len({len(trials) for trials, _ in written(study).values()}) == 1
    search(prepared, study)
    assert written(study) == written(tmp_path / "whole.db")


@pytest.mark.slow
def test_killed_again_and_again_it_goes_on_identically(tmp_path):
    prepared = prepared_with(tmp_path, "grid", 3, STOPPING)
    search(prepared, tmp_path / "whole.db")
    kills = 0
    while True:
        try:
            search(prepared, tmp_path / "killed.db", killed_after(5))
            break
        except Killed:
            kills += 1
    assert kills >= 5
    assert written(tmp_path / "killed.db") == written(tmp_path / "whole.db")


@pytest.mark.slow
@pytest.mark.parametrize("finished", [{1, 2, 5}, {0, 1, 2, 3, 4, 5, 6, 7, 9, 11}], ids=["first round", "second round"])
def test_trials_with_gaps_go_on_to_the_same_records(tmp_path, finished):
    """After a kill a trial may be there and one before it not: several workers finish in any order."""
    prepared = prepared_with(tmp_path, "random", 3, STOPPING, PRUNER)
    whole, _ = evaluated(prepared, together=True)
    stored = {
        name: StoredChain(tuple(t for t in trials if t.number in finished)) for name, (trials, _) in whole.items()
    }
    assert evaluated(prepared, together=True, stored=stored)[0] == whole


def test_chains_whose_validation_rows_overlap_share_a_training(tmp_path):
    """Inner folds of one or two rows: some chains train on the same rows and validate on others."""
    path = write_space(tmp_path, dataset={"name": "linnerud"}, resampling={"outer": 20, "inner": 19},
                       training={"epochs": 1}, search={"sampler": "random", "trials": 1}, metric="rmse")  # fmt: skip
    prepared = prepare(path)
    chains = [Chain(plan, 1, False, StoredChain(), default=prepared.default) for plan in prepared.plan.chains]
    (group, *_) = make_groups(chains, prepared.proposer, prepared.experiment.search, None)
    job = group.next_job()
    runner = Runner(prepared.work, "cpu")
    assert {record.state for record in runner.run(job).values()} == {"complete"}
