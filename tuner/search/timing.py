"""Estimates the duration of a search from one timed trial."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from tuner.errors import NoResultError
from tuner.experiment.records import TrialRecord
from tuner.search.chain import Chain
from tuner.search.executors import Processes, outcome_of
from tuner.search.group import Group
from tuner.search.jobs import TrialJob
from tuner.search.prepare import Prepared
from tuner.store import StoredChain


@dataclass(frozen=True)
class Estimate:
    """Seconds of one trial of one chain, and of the whole search in one process."""

    trial: float
    search: float


def first_job(prepared: Prepared) -> TrialJob:
    """The first trial of the first chain."""
    plan = prepared.plan.chains[0]
    chain = Chain(plan, 1, prepared.metric.maximize, StoredChain())
    job = Group([chain], prepared.proposer(plan.name), prepared.experiment.search).next_job()
    assert isinstance(job, TrialJob)
    return job


def time_one_trial(prepared: Prepared, device: str) -> Estimate:
    """Train the first trial of the first chain twice (the first time warms up), and multiply by the number of lanes.
    Raises `NoResultError`."""
    job = first_job(prepared)
    with closing(Processes(prepared.work, [device], 1)) as executor:
        record = [outcome_of(executor, job) for _ in range(2)][-1][job.serves[0]]
    assert isinstance(record, TrialRecord)
    if record.state == "failed":
        raise NoResultError(f"the first trial failed: {record.reason}", "try another default, or tuner list models")
    lanes = prepared.trials() * prepared.lanes
    return Estimate(record.seconds, record.seconds / len(job.lanes) * lanes)
