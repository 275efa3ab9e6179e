"""A group proposes in rounds, writes in order and refits once searched; test rows are in no lane of its jobs."""

import itertools
import statistics
from dataclasses import replace

import numpy as np
import pytest
from helpers import GRID, record, write_space
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.experiment.records import RefitRecord
from tuner.experiment.sections import Median, NoPruner, Search
from tuner.search.chain import Chain
from tuner.search.group import Group, make_groups
from tuner.search.jobs import RefitJob, TrialJob
from tuner.search.prepare import prepare
from tuner.search.samplers import Proposer
from tuner.store import StoredChain


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepare(write_space(tmp_path_factory.mktemp("group")))


def make(prepared, indices=(0,), total=6, sampler="tpe", stored=(), **search):
    """One group of the chains at `indices`; `stored` are the trials that each of them has."""
    plans = [prepared.plan.chains[index] for index in indices]
    chains = [Chain(plan, total, True, StoredChain(tuple(stored))) for plan in plans]
    proposer = Proposer(prepared.experiment.space, sampler, 0, plans[0].name, True)
    return Group(chains, proposer, Search(sampler=sampler, **search))


def outcome(job, score, best_epochs=(1, 2)):
    """What a worker would answer; every chain gets the same."""
    if isinstance(job, RefitJob):
        return {job.chain: RefitRecord(job.number, job.epochs, 0.1, 0.5)}
    made = record(job.number, job.values, score, best_epochs=best_epochs)
    return dict.fromkeys(job.serves, replace(made, configuration=job.configuration))


def jobs_until_none(group):
    return list(itertools.takewhile(lambda job: job is not None, iter(group.next_job, object())))


def run(group, scores):
    """Every job of the group, run in order; trial n gets scores[n]."""
    jobs = []
    while (job := group.next_job()) is not None:
        jobs.append(job)
        group.accept(job, outcome(job, scores[job.number]))
    return jobs


@pytest.mark.parametrize("batch", [None, 1, 2, 4])
def test_a_learner_waits_for_the_round_before(prepared, batch):
    group = make(prepared, total=8, batch=batch)
    jobs, size = jobs_until_none(group), batch or 1
    assert [job.number for job in jobs] == list(range(size))
    for job in jobs[:-1]:
        group.accept(job, outcome(job, 0.5))
    assert group.next_job() is None
    group.accept(jobs[-1], outcome(jobs[-1], 0.5))
    assert [job.number for job in jobs_until_none(group)] == list(range(size, 2 * size))


@pytest.mark.parametrize(
    ("pruner", "batch", "count"), [(NoPruner(), None, 20), (NoPruner(), 3, 20), (Median(), None, 8), (Median(), 3, 3)]
)
def test_random_waits_only_where_a_pruner_learns(prepared, pruner, batch, count):
    group = make(prepared, total=20, sampler="random", pruner=pruner, batch=batch)
    assert [job.number for job in jobs_until_none(group)] == list(range(count))


@settings(deadline=None, max_examples=20)
@given(st.permutations(range(6)))
def test_whatever_finishes_is_written_at_once_and_counts_once_there_is_no_gap(prepared, order):
    group = make(prepared, (0, 1), sampler="random")
    jobs = jobs_until_none(group)
    for count, number in enumerate(order, 1):
        ready = group.accept(jobs[number], outcome(jobs[number], 0.1 * number))
        assert [(record.number, chain.name) for chain, record in ready] == [(number, "outer-1"), (number, "outer-2")]
        gapless = list(itertools.takewhile(lambda n, arrived=order[:count]: n in arrived, range(6)))
        assert all([t.number for t in chain.trials] == gapless for chain in group.chains)


@settings(deadline=None, max_examples=15)
@given(st.sets(st.integers(0, 11)))
def test_going_on_from_trials_with_gaps_asks_only_for_the_others(prepared, kept):
    everything = [job.number for job in jobs_until_none(make(prepared, total=12, sampler="random"))]
    stored = [record(number, {}, 0.5) for number in sorted(kept)]
    asked = jobs_until_none(make(prepared, (0, 1), total=12, sampler="random", stored=stored))
    trials = [job.number for job in asked if isinstance(job, TrialJob)]
    assert trials == [number for number in everything if number not in kept]


@settings(deadline=None, max_examples=5)
@given(st.permutations(range(4)))
def test_proposals_do_not_depend_on_the_order_of_arrival(prepared, order):
    usual, mixed = (make(prepared, total=16, batch=4) for _ in range(2))
    for _ in range(4):
        first, second = jobs_until_none(usual), jobs_until_none(mixed)
        assert [j.values for j in first] == [j.values for j in second]
        for job in first:
            usual.accept(job, outcome(job, job.number / 20))
        for place in order:
            mixed.accept(second[place], outcome(second[place], second[place].number / 20))


@pytest.mark.parametrize("kept", [0, 1, 5, 8, 11])
def test_going_on_from_any_prefix_gives_the_same_jobs(prepared, kept):
    scores = [0.1 * (n % 7) for n in range(12)]
    whole = make(prepared, total=12, batch=4)
    jobs = run(whole, scores)
    rest = run(make(prepared, total=12, batch=4, stored=whole.chains[0].trials[:kept]), scores)
    told = [(type(job), job.number, job.configuration) for job in rest]
    assert told == [(type(job), job.number, job.configuration) for job in jobs[kept:]]


def test_refits_are_given_out_once_and_only_when_all_is_searched(prepared):
    group = make(prepared, total=3, sampler="random")
    jobs = jobs_until_none(group)
    assert all(isinstance(job, TrialJob) for job in jobs)
    for job in jobs:
        group.accept(job, outcome(job, job.number / 10))
    refits = jobs_until_none(group)
    assert [(type(job), job.number) for job in refits] == [(RefitJob, 2), (RefitJob, 0)]
    assert [job.configuration for job in refits] == [jobs[2].configuration, jobs[0].configuration]
    written = [pair for job in refits for pair in group.accept(job, outcome(job, None))]
    assert [(chain.name, record.number) for chain, record in written] == [("outer-1", 2), ("outer-1", 0)]
    assert group.chains[0].done


def test_the_final_chain_has_no_test_rows_and_no_refit(prepared):
    group = make(prepared, (-1,), total=2)
    assert all(isinstance(job, TrialJob) for job in run(group, [0.1, 0.2]))
    assert group.chains[0].done


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=9))
def test_a_refit_lasts_the_median_best_epoch_rounded_up(prepared, best):
    group = make(prepared, total=1)
    job = group.next_job()
    group.accept(job, outcome(job, 0.5, tuple(best)))
    assert group.next_job().epochs == int(np.ceil(statistics.median(best)))


PLANS = {
    "shared": {"outer": 4},
    "folds": {"outer": 3, "inner": 2},
    "repeats": {"outer": {"folds": 2, "repeats": 2}, "inner": {"folds": 2, "repeats": 2}},
    "holdout": {"outer": 3, "inner": {"holdout": 0.3}},
    "grid": {"outer": 3},
}


@pytest.mark.parametrize("kind", PLANS)
def test_held_out_rows_are_in_no_lane_of_any_job(tmp_path, kind):
    extra = GRID if kind == "grid" else {"search": {"sampler": "random", "trials": 2}}
    prepared = prepare(write_space(tmp_path, resampling=PLANS[kind], **extra))
    everything, tested = set(range(150)), []
    for index, plan in enumerate(prepared.plan.chains):
        test = set(plan.test.tolist())
        tested += sorted(test)
        jobs = run(make(prepared, (index,), total=2, sampler=prepared.experiment.search.sampler), [0.1, 0.2])
        assert sum(isinstance(job, RefitJob) for job in jobs) == (2 if test else 0)
        for job in jobs:
            check_rows(job, everything, test)
    assert sorted(tested) == sorted([*everything] * (2 if kind == "repeats" else 1))


def check_rows(job, everything, test):
    """Trials touch only the rest; a refit trains on the whole rest and is scored on exactly the test rows."""
    if isinstance(job, RefitJob):
        assert set(job.lane.train.tolist()) == everything - test
        assert [set(rows.tolist()) for rows in job.lane.evaluations] == [test]
        return
    (view,) = job.chains
    assert set(view.held_out.tolist()) == test
    for lane in job.lanes:
        train, *validations = (set(rows.tolist()) for rows in (lane.train, *lane.evaluations))
        assert train and validations and all(validations)
        assert not train & test
        assert all(not rows & (test | train) for rows in validations)
        assert train.union(*validations) == everything - test


def test_the_same_rows_under_the_same_trial_are_the_same_training(prepared):
    """In the shared partition, outer-1's refit and one inner fold of the final chain are one and the same lane."""
    outer, final = (make(prepared, (index,), total=1, sampler="random") for index in (0, -1))
    refit = run(outer, [0.5])[-1].lane
    folds = final.next_job().lanes
    same = [lane for lane in folds if set(lane.train.tolist()) == set(refit.train.tolist())]
    assert [lane.seed for lane in same] == [refit.seed]
    assert len({lane.seed for lane in folds}) == len(folds)


@pytest.mark.parametrize(
    ("sampler", "inner", "sizes"),
    [("tpe", "shared", [1, 1, 1, 1]), ("random", "shared", [4]), ("random", 2, [1, 1, 1, 1])],
)
def test_who_stands_in_a_group(tmp_path, sampler, inner, sizes):
    """Learners search alone, and so do chains that share no training."""
    prepared = prepare(write_space(tmp_path, resampling={"inner": inner}, search={"sampler": sampler}))
    chains = [Chain(plan, 1, True, StoredChain()) for plan in prepared.plan.chains]
    proposers = {c.name: Proposer(prepared.experiment.space, sampler, 0, c.name, True) for c in chains}
    groups = make_groups(chains, proposers.__getitem__, prepared.experiment.search, None)
    assert [len(group.chains) for group in groups] == sizes
    assert [chain for group in groups for chain in group.chains] == chains
