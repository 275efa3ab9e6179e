"""Every executor, found by itself: jobs go in, the same outcomes come out, and nothing is left running."""

import inspect
import os
from contextlib import closing
from dataclasses import replace
from typing import Any

import psutil
import pytest
from helpers import changed, write_space
from pages import ROOT, blocks

from tuner.search import executors
from tuner.search.executors import Executor, Inline, Processes
from tuner.search.prepare import prepare
from tuner.search.timing import first_job
from tuner.search.trial import Runner

NEEDED = {name for name in vars(Executor) if not name.startswith("_")}
FOUND = {name for name, cls in inspect.getmembers(executors, inspect.isclass) if {*dir(cls)} >= NEEDED} - {"Executor"}
EXAMPLE: dict[str, Any] = {}
exec(next(each.text for each in blocks(ROOT / "docs" / "extending.md") if each.title == "threads.py"), EXAMPLE)
MAKE = {
    "Threads": lambda work: EXAMPLE["Threads"](work, "cpu", 2),
    "Inline": lambda work: Inline(work, "cpu"),
    "Processes": lambda work: Processes(work, ["cpu"], 2),
}


@pytest.fixture(scope="module")
def three_jobs(tmp_path_factory):
    """What is worked on, three jobs, and their outcomes as the function that runs them returns them."""
    prepared = prepare(write_space(tmp_path_factory.mktemp("jobs"), training={"epochs": 3}))
    first = first_job(prepared)
    others = (replace(first, configuration=changed(first.configuration, hidden_size=size)) for size in (2, 3))
    jobs = [first, *others]
    runner = Runner(prepared.work, "cpu")
    return prepared.work, jobs, [untimed(runner.run(job)) for job in jobs]


def untimed(outcome):
    return {chain: replace(record, seconds=0) for chain, record in outcome.items()}


def test_every_executor_is_tried():
    assert set(MAKE) == FOUND | {"Threads"}


@pytest.mark.parametrize("name", MAKE)
def test_outcomes_are_those_of_the_function_that_runs_a_job(name, three_jobs):
    work, jobs, expected = three_jobs
    with closing(MAKE[name](work)) as executor:
        waiting, done = list(jobs), []
        while len(done) < len(jobs):
            while waiting and executor.free:
                executor.submit(waiting.pop())
            done += executor.wait(0.2)
        assert [job for job, _ in done if job not in jobs] == []
        found = {jobs.index(job): untimed(outcome) for job, outcome in done}
        assert [found[place] for place in range(3)] == expected
        assert executor.notes() == []


@pytest.mark.parametrize("name", MAKE)
def test_it_takes_as_many_jobs_as_it_says_and_forgets_what_is_abandoned(name, three_jobs):
    work, jobs, expected = three_jobs
    with closing(MAKE[name](work)) as executor:
        free = executor.free
        assert free >= 1 and executor.wait(0) == [] and executor.running() == []
        executor.submit(jobs[0])
        assert executor.free == free - 1
        executor.abandon(jobs[0])
        assert executor.free == free and executor.wait(0) == []
        executor.submit(jobs[1])
        while not (done := executor.wait(0.2)):
            pass
        ((job, outcome),) = done
        assert job is jobs[1] and untimed(outcome) == expected[1]


def workers():
    """The processes that the fork server, a child of this process, has started."""
    return [child for child in psutil.Process().children(recursive=True) if child.ppid() != os.getpid()]


@pytest.mark.parametrize("name", MAKE)
def test_a_closed_executor_leaves_no_process(name, three_jobs):
    work, jobs, _ = three_jobs
    before = set(workers())
    with closing(MAKE[name](work)) as executor:
        executor.submit(jobs[0])
        begun = set(workers()) - before
        assert bool(begun) == (name == "Processes")
    _, alive = psutil.wait_procs(begun, timeout=10)
    assert not alive and set(workers()) <= before
