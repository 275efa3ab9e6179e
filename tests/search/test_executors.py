"""Workers that die, stall or are stopped; searches that cannot succeed, or run into a limit."""

import multiprocessing
import os
import re
import signal
import time
from dataclasses import replace

import psutil
import pytest
from helpers import (
    DIVERGING,
    all_gone,
    changed,
    descendants,
    inside,
    read_trials,
    search,
    start,
    stop,
    tables,
    write_space,
)

from tuner.errors import LimitReached
from tuner.report import load
from tuner.report.failures import failures
from tuner.search.executors import Inline, Processes
from tuner.search.prepare import prepare
from tuner.search.timing import first_job
from tuner.training.stack import Stack

ENDLESS = {"epochs": 1_000_000, "early_stopping": None, "batch_size": 1}


def work(executor):
    """The one job that comes back, however long it takes, and the record of its one chain."""
    while not (done := executor.wait(0.2)):
        pass
    ((job, outcome),) = done
    assert tuple(outcome) == job.serves == ("outer-1",)
    return job, outcome["outer-1"]


@pytest.fixture
def endless(tmp_path):
    """An experiment whose trials do not end by themselves, and one worker to try it."""
    prepared = prepare(write_space(tmp_path, training=ENDLESS))
    executor = Processes(prepared.work, ["cpu"], 1)
    yield prepared, executor
    executor.close()


def until_ready(executor, job):
    """The worker has all that a training needs."""
    executor.submit(job)
    assert work(executor)[1].state == "complete"


def until_training(executor):
    while not (executor.running() and executor.running()[0].epoch):
        time.sleep(0.01)


def test_a_job_whose_worker_is_killed_is_tried_once_more_and_then_the_search_stops(endless, tmp_path):
    """Its memory was small: whoever kills workers so is not the trial, which is not recorded."""
    prepared, executor = endless
    (worker,) = multiprocessing.active_children()
    executor.submit(first_job(prepared))
    assert executor.free == 0
    until_training(executor)
    os.kill(worker.pid, signal.SIGKILL)
    assert executor.wait(5) == [] and executor.free == 0  # tried once more, by a fresh worker
    (note,) = executor.notes()
    assert re.fullmatch(r"outer-1: trial 0: the worker process was killed \(SIGKILL\) .*; it is tried once more", note)
    assert executor.notes() == []
    (other,) = multiprocessing.active_children()
    assert other.pid != worker.pid
    until_training(executor)
    os.kill(other.pid, signal.SIGKILL)
    with pytest.raises(LimitReached, match=r"outer-1: trial 0 failed \(the worker process was killed"):
        while True:
            executor.wait(5)


def test_what_uses_up_the_memory_of_the_machine_is_a_failed_trial(endless, tmp_path, monkeypatch):
    """As before, on a machine of which the worker holds most; the next trials go on."""
    prepared, executor = endless
    monkeypatch.setattr("tuner.search.machine.memory", lambda: (1e6, 1e6))
    executor.submit(first_job(prepared))
    for _ in range(2):
        until_training(executor)
        executor.wait(0.01)  # looks at its memory
        (worker,) = multiprocessing.active_children()
        os.kill(worker.pid, signal.SIGKILL)
        done = executor.wait(5)
    ((job, outcome),) = done
    record = outcome["outer-1"]
    assert (record.number, record.state, record.score) == (job.number, "failed", None)
    assert re.fullmatch(r"the worker process was killed \(SIGKILL\) when it held \d.* [kM]B of memory", record.reason)
    assert record.epochs >= 1 and executor.free == 1
    short = first_job(prepare(write_space(tmp_path)))
    executor.submit(short)
    _, after = work(executor)
    inline = Inline(prepared.work, "cpu")
    inline.submit(short)
    _, same = work(inline)
    assert replace(after, seconds=0) == replace(same, seconds=0)
    assert after.state == "complete"


def test_a_worker_killed_while_idle_is_replaced(endless):
    prepared, executor = endless
    (worker,) = multiprocessing.active_children()
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    executor.submit(first_job(prepared))
    until_training(executor)  # in a fresh worker: the job is not to blame


def test_close_ends_workers_in_the_middle_of_a_trial(endless):
    prepared, executor = endless
    (worker,) = multiprocessing.active_children()
    executor.submit(first_job(prepared))
    until_training(executor)
    executor.close()
    assert all_gone({worker.pid})


def test_a_trial_over_its_time_stops_by_itself(endless):
    prepared, executor = endless
    executor.submit(replace(first_job(prepared), time_limit=0.2))
    _, record = work(executor)
    assert record.state == "failed"
    assert "took longer than limits.trial_time (0.2 s), in epoch" in record.reason


@pytest.mark.slow
def test_a_trial_that_does_not_stop_by_itself_is_killed(endless):
    prepared, executor = endless
    (worker,) = multiprocessing.active_children()
    executor.submit(replace(first_job(prepared), time_limit=0.5))
    until_training(executor)
    os.kill(worker.pid, signal.SIGSTOP)
    _, record = work(executor)
    assert record.reason == "took longer than limits.trial_time (0.5 s), and was killed"
    assert executor.free == 1


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_a_search_whose_every_trial_fails_exits_5_with_the_reasons(tmp_path, workers):
    path, study = write_space(tmp_path, **DIVERGING, search={"trials": 2}), tmp_path / "study.db"
    code, _, err = inside("search", path, "--study", study, "--workers", workers)
    assert code == 5
    assert err.startswith("error: every trial of outer-1, outer-2, outer-3, final failed: ")
    found = failures(load(study))
    assert found
    assert all(failure.reason.split(" in epoch")[0] in err for failure in found)
    code, out, err = inside("report", study)
    assert (code, err) == (0, "")
    assert "Failures" in out


def test_too_many_failures_in_a_row_give_up(tmp_path):
    path = write_space(tmp_path, **DIVERGING, search={"trials": 50}, limits={"failures": 3})
    code, _, err = inside("search", path, "--study", tmp_path / "study.db", "--workers", 0)
    assert code == 5
    assert "3 trials of outer-1 failed in a row" in err
    assert 3 <= load(tmp_path / "study.db").finished() <= 12


def test_a_time_limit_exits_3_and_the_same_command_goes_on(tmp_path):
    path, study = (
        write_space(tmp_path, search={"sampler": "random", "trials": 5000}, limits={"time": "0.5s"}),
        tmp_path / "s.db",
    )
    counts = []
    for _ in range(2):
        code, _, err = inside("search", path, "--study", study, "--workers", 0)
        assert code == 3
        assert err.startswith("stopped: the time limit was reached") and "to go on: tuner search" in err
        counts.append(load(study).finished())
    assert 0 < counts[0] < counts[1] < 20_000
    assert "PARTIAL" in inside("report", study)[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "group"),
    [
        (signal.SIGINT, 130, False),
        (signal.SIGTERM, 143, True),
    ],
)
def test_a_signal_saves_says_so_and_the_same_command_goes_on(tmp_path, number, code, group):
    path = write_space(tmp_path, training={"epochs": 60, "batch_size": 8, "early_stopping": None}, search={"trials": 2})
    stopped, whole = tmp_path / "stopped.db", tmp_path / "whole.db"
    process = start(path, stopped)
    read_trials(process, 3)
    below = descendants(process.pid)
    if group:  # Ctrl-C at a terminal reaches the workers as well
        os.killpg(process.pid, number)
        _, err = process.communicate(timeout=60)
    else:
        _, err = stop(process, number)
    assert process.returncode == code
    again = f"tuner search {path} --study {stopped} --workers 2"
    assert err == f"interrupted by {number.name}; what was finished is saved\n  = to go on: {again}\n"
    assert all_gone(below)
    assert 3 <= load(stopped).finished() < 8
    search(path, stopped)
    search(path, whole)
    assert tables(stopped) == tables(whole)


def test_no_memory_is_tried_once_more_with_all_of_it(endless, tmp_path):
    _, executor = endless
    job = first_job(prepare(write_space(tmp_path)))
    large = changed(job.configuration, hidden_size=8000, num_layers=3)
    (child,) = multiprocessing.active_children()
    worker = psutil.Process(child.pid)
    until_ready(executor, job)
    room = worker.memory_info().vms + 300_000_000  # the weights of a lane take half a gigabyte
    worker.rlimit(psutil.RLIMIT_AS, (room, room))
    executor.submit(replace(job, configuration=large))
    with pytest.raises(LimitReached, match=r"failed \(out of memory\) though it took less than half"):
        while True:
            executor.wait(1)


def test_what_fails_keeps_its_last_epoch_and_traceback(endless, monkeypatch):
    prepared, _ = endless

    def broken(self):
        if len(seen) == 3:
            raise RuntimeError("broken on purpose")
        seen.append(self)
        return original(self)

    seen, original = [], Stack.train_epoch
    monkeypatch.setattr(Stack, "train_epoch", broken)
    inline = Inline(prepared.work, "cpu")
    inline.submit(first_job(prepared))
    _, record = work(inline)
    assert (record.state, record.reason, record.epochs) == ("failed", "RuntimeError: broken on purpose", 3)
    assert "in broken" in record.details


@pytest.mark.slow
def test_memory_is_returned_between_trials(endless, tmp_path):
    _, executor = endless
    small = first_job(prepare(write_space(tmp_path)))
    large = changed(small.configuration, hidden_size=3000, num_layers=2)
    process = psutil.Process(multiprocessing.active_children()[0].pid)

    def resident(job):
        executor.submit(job)
        _, record = work(executor)
        assert record.state == "complete", record.reason
        return process.memory_info().rss / 1e6

    before = resident(small)
    after = [(resident(replace(small, configuration=large)), resident(small))[1] for _ in range(2)]
    assert max(after) < before + 100  # the large one takes ten times that
