"""A chain proposes in rounds, writes in order, and refits its winner and the default; test rows are in no lane."""

import itertools
import statistics

import numpy as np
import pytest
from helpers import GRID, record, write_space
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.search.chain import Chain
from tuner.search.plan import prepare
from tuner.search.samplers import Proposer
from tuner.search.trial import RefitJob, TrialJob
from tuner.spec.records import RefitRecord
from tuner.store import StoredChain


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepare(write_space(tmp_path_factory.mktemp("chain")))


def make(prepared, index=0, total=6, batch=1, sampler="tpe", stored=None):
    plan = prepared.plan.chains[index]
    proposer = Proposer(prepared.experiment.space, sampler, 0, plan.name, True)
    return Chain(plan, proposer, total, 0, batch, stored or StoredChain())


def trial(job, score, best_epochs=(1, 2)):
    return record(job.number, job.values, score, best_epochs=best_epochs)


def jobs_until_none(chain):
    return list(itertools.takewhile(lambda job: job is not None, iter(chain.next_job, object())))


def run(chain, scores):
    """Every job of the chain, run in order; trial n gets scores[n]."""
    jobs = []
    while (job := chain.next_job()) is not None:
        jobs.append(job)
        made = trial(job, scores[job.number]) if isinstance(job, TrialJob) else RefitRecord(job.number, 1, 0.1, 0.5)
        chain.accept(made)
    return jobs


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_a_learner_waits_for_the_round_before(prepared, batch):
    chain = make(prepared, total=8, batch=batch)
    jobs = jobs_until_none(chain)
    assert [job.number for job in jobs] == list(range(batch))
    for job in jobs[:-1]:
        chain.accept(trial(job, 0.5))
    assert chain.next_job() is None
    chain.accept(trial(jobs[-1], 0.5))
    assert [job.number for job in jobs_until_none(chain)] == list(range(batch, 2 * batch))


def test_random_does_not_wait(prepared):
    assert [job.number for job in jobs_until_none(make(prepared, sampler="random"))] == list(range(6))


@settings(deadline=None, max_examples=25)
@given(st.permutations(range(6)))
def test_whatever_finishes_first_is_written_in_order(prepared, order):
    chain = make(prepared, sampler="random")
    jobs = jobs_until_none(chain)
    written, arrived = [], set()
    for number in order:
        written += [r.number for r in chain.accept(trial(jobs[number], 0.1 * number))]
        arrived.add(number)
        gapless = list(itertools.takewhile(lambda n: n in arrived, range(6)))
        assert written == gapless == [t.number for t in chain.trials]


@settings(deadline=None, max_examples=10)
@given(st.permutations(range(4)))
def test_proposals_do_not_depend_on_the_order_of_arrival(prepared, order):
    usual, mixed = (make(prepared, total=20, batch=4) for _ in range(2))
    for _ in range(4):
        first, second = jobs_until_none(usual), jobs_until_none(mixed)
        assert [j.values for j in first] == [j.values for j in second]
        for job in first:
            usual.accept(trial(job, job.number / 20))
        for place in order:
            mixed.accept(trial(second[place], second[place].number / 20))


@pytest.mark.parametrize("kept", [0, 1, 5, 8, 11])
def test_going_on_from_any_prefix_gives_the_same_jobs(prepared, kept):
    whole = make(prepared, total=12, batch=4)
    jobs = run(whole, [0.1 * (n % 7) for n in range(12)])
    chain = make(prepared, total=12, batch=4, stored=StoredChain(tuple(whole.trials[:kept])))
    rest = run(chain, [0.1 * (n % 7) for n in range(12)])
    assert [(type(j), j.number, j.configuration) for j in rest] == [
        (type(j), j.number, j.configuration) for j in jobs[kept:]
    ]


def test_the_winner_and_the_default_are_refitted(prepared):
    scores = [0.5, 0.6, 0.9, 0.9, 0.2, 0.8]
    chain = make(prepared)
    refits = [job for job in run(chain, scores) if isinstance(job, RefitJob)]
    assert [job.number for job in refits] == [2, 0]  # of equals, the earlier one
    assert refits[0].configuration == chain.trials[2].configuration or refits[0].configuration
    assert chain.done


@pytest.mark.parametrize(
    ("scores", "numbers"),
    [
        ([0.9, 0.5, 0.1], [0]),  # the default wins: one refit
        ([None, 0.5, 0.7], [2]),  # the default failed: nothing to compare with
        ([None, None, None], []),
    ],
)
def test_who_is_refitted(prepared, scores, numbers):
    jobs = run(make(prepared, total=3), scores)
    assert [job.number for job in jobs if isinstance(job, RefitJob)] == numbers


def test_the_final_chain_has_no_test_rows_and_no_refit(prepared):
    chain = make(prepared, index=-1, total=2)
    assert all(isinstance(job, TrialJob) for job in run(chain, [0.1, 0.2]))
    assert chain.done


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=9))
def test_a_refit_lasts_the_median_best_epoch_rounded_up(prepared, best):
    chain = make(prepared, total=1)
    chain.accept(trial(chain.next_job(), 0.5, tuple(best)))
    ordered = sorted(best)
    middle = ordered[(len(best) - 1) // 2] + ordered[len(best) // 2]
    assert chain.next_job().epochs == (middle + 1) // 2
    assert (middle + 1) // 2 == int(np.ceil(statistics.median(best)))


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
    everything = set(range(150))
    tested = []
    for index, plan in enumerate(prepared.plan.chains):
        test = set(plan.test.tolist())
        tested += [test] if test else []
        jobs = run(make(prepared, index, total=2, sampler=prepared.experiment.search.sampler), [0.1, 0.2])
        assert sum(isinstance(job, RefitJob) for job in jobs) == (2 if test else 0)
        for job in jobs:
            check_rows(job, everything, test)
    repeats = 2 if kind == "repeats" else 1
    assert sorted(row for test in tested for row in test) == sorted([*everything] * repeats)


def check_rows(job, everything, test):
    """Trials touch only the rest; a refit trains on the whole rest and is scored on exactly the test rows."""
    if isinstance(job, RefitJob):
        assert set(job.lane.train.tolist()) == everything - test
        assert [set(rows.tolist()) for rows in job.lane.evaluations] == [test]
        return
    assert set(job.held_out.tolist()) == test
    for lane in job.lanes:
        train, *validations = (set(rows.tolist()) for rows in (lane.train, *lane.evaluations))
        assert train and all(validations)
        assert not train & test
        assert all(not rows & (test | train) for rows in validations)
        assert train.union(*validations) == everything - test


def test_the_same_rows_under_the_same_trial_are_the_same_training(prepared):
    """In the shared partition, outer-1's refit and one inner fold of the final chain are one and the same lane."""
    outer, final = make(prepared, 0, total=1, sampler="random"), make(prepared, -1, total=1, sampler="random")
    refit = run(outer, [0.5])[-1].lane
    folds = final.next_job().lanes
    same = [lane for lane in folds if set(lane.train.tolist()) == set(refit.train.tolist())]
    assert [lane.seed for lane in same] == [refit.seed]
    assert len({lane.seed for lane in folds}) == len(folds)
