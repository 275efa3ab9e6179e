"""Torture: processes that are killed, stopped, started at once, or never end."""

import json
import os
import random
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers import (
    GRID,
    SUPPORT,
    all_gone,
    command,
    descendants,
    heed_signals,
    read_trials,
    search,
    start,
    tables,
    tuner,
    write_space,
)
from survival import survived

from tuner.lock import lock
from tuner.report import load

pytestmark = [pytest.mark.torture, pytest.mark.slow]

LONG = {"epochs": 80, "batch_size": 4, "early_stopping": None}
SHORT = {**LONG, "epochs": 60, "batch_size": 8}
SAMPLERS = {
    "grid": {**GRID, "training": {**LONG, **GRID["training"]}},
    "tpe": {"search": {"sampler": "tpe", "trials": 10}, "training": LONG},
}
EARLY, LATE = 1, 2  # kills before and while it trains; `python -m benchmarks torture` has more
USER_CODE = f"{SUPPORT}/user_code"


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_killed_at_random_moments_it_ends_as_if_never_killed(tmp_path, sampler):
    path, moments = write_space(tmp_path, **SAMPLERS[sampler]), random.Random(sampler)
    killed, whole, orphans = tmp_path / "killed.db", tmp_path / "whole.db", set()
    for training in moments.sample([False] * EARLY + [True] * LATE, EARLY + LATE):
        process = start(path, killed)
        if training:
            assert process.stdout.readline()
        time.sleep(moments.uniform(0.0, 0.6 if training else 1.6))
        orphans |= descendants(process.pid)
        process.kill()
        with process:  # the next one may start while what this one started is still on its way out
            process.stdout.close()
            process.stderr.close()
    assert all_gone(orphans)
    at_work = not killed.exists() or not load(killed).complete  # a slow machine may not have come to write it
    assert at_work, "it should still have been at work, or the test shows nothing"
    again = tuner("search", path, "--study", killed, "--workers", "2", cwd=tmp_path)
    survived(again.returncode, again.stdout, again.stderr, expected=0)
    search(path, whole, workers=2)
    assert load(killed).complete
    assert tables(killed) == tables(whole)


def test_eight_first_starts_at_once(tmp_path):
    path = write_space(tmp_path, search={"trials": 2})

    def one(number):
        return tuner("search", path, "--study", tmp_path / "study.db", "--workers", "0", cwd=tmp_path)

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(one, range(8)))
    for each in done:
        survived(each.returncode, each.stdout, each.stderr, expected=each.returncode)
    assert {each.returncode for each in done} <= {0, 75}
    search(path, tmp_path / "whole.db")
    assert tables(tmp_path / "study.db") == tables(tmp_path / "whole.db")


def test_a_second_run_waits_for_the_first(tmp_path):
    path, study = write_space(tmp_path, search={"trials": 1}), tmp_path / "study.db"
    with lock(study):
        refused = tuner("search", path, "--study", study, "--wait", "0.3s", cwd=tmp_path)
        survived(refused.returncode, refused.stdout, refused.stderr, expected=75)
        assert f"pid {os.getpid()}" in refused.stderr
        waiting = subprocess.Popen(command("search", path, "--study", study, "--wait", "10m"), stdout=-1, stderr=-1)
        time.sleep(4)
        assert waiting.poll() is None
    out, err = (text.decode() for text in waiting.communicate(timeout=60))
    survived(waiting.returncode, out, err, expected=0)


def stopped_and_continued(process):
    for _ in range(3):
        os.killpg(process.pid, signal.SIGSTOP)
        time.sleep(0.7)
        os.killpg(process.pid, signal.SIGCONT)
        time.sleep(0.3)


def a_worker_killed(process):
    os.kill(max(descendants(process.pid)), signal.SIGKILL)


def the_server_that_forks_workers_killed(process):
    (server,) = (pid for pid in descendants(process.pid) if descendants(pid))
    os.kill(server, signal.SIGKILL)


@pytest.mark.parametrize("disturb", [stopped_and_continued, a_worker_killed, the_server_that_forks_workers_killed])
def test_disturbed_it_ends_as_if_never_disturbed(tmp_path, disturb):
    path = write_space(tmp_path, training=SHORT, search={"trials": 4})
    process = start(path, tmp_path / "disturbed.db")
    read_trials(process, 2)
    disturb(process)
    out, err = process.communicate(timeout=120)
    survived(process.returncode, out, err, expected=0)
    search(path, tmp_path / "whole.db")
    assert tables(tmp_path / "disturbed.db") == tables(tmp_path / "whole.db")


def test_a_worker_that_stands_still_is_killed_at_its_time(tmp_path):
    path = write_space(tmp_path, training=SHORT, search={"trials": 3}, limits={"trial_time": "3s"})
    process = start(path, tmp_path / "study.db")
    read_trials(process, 2)
    worker = max(descendants(process.pid))
    os.kill(worker, signal.SIGSTOP)
    out, err = process.communicate(timeout=120)
    survived(process.returncode, out, err, expected=0)
    assert load(tmp_path / "study.db").complete
    assert all_gone({worker})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_at_any_moment_ends_it_with_its_code_and_leaves_nobody(tmp_path, number):
    path, moments = write_space(tmp_path, training=LONG), random.Random(int(number))
    for _ in range(3):
        process = subprocess.Popen(command("search", path, "--study", tmp_path / "study.db"), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True, preexec_fn=heed_signals)  # fmt: skip
        time.sleep(moments.uniform(0.5, 5.0))
        below = descendants(process.pid)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        assert process.returncode in (128 + number, -number), err  # before it can hear, it simply dies of it
        assert "Traceback" not in err
        assert all_gone(below)


def test_models_that_misbehave_are_failed_trials_and_the_search_goes_on(tmp_path):
    manners = ["polite", "prints", "raises", "exits", "segfaults", "no memory", "nan"]
    path = write_space(
        tmp_path,
        model={"name": "rude", "manner": manners, "hidden_size": None, "activation": None},
        training={"optimizer": {"name": "adam", "learning_rate": 0.01}},
        resampling={"outer": 3},
        search=GRID["search"],
    )
    done = tuner("search", path, "--json", "--workers", "2", cwd=tmp_path, PYTHONPATH=USER_CODE)
    survived(done.returncode, done.stdout, done.stderr, expected=0)
    events = [json.loads(line) for line in done.stdout.splitlines()]  # nothing that a model printed is among them
    assert events[-1]["complete"]
    trials = load(tmp_path / "study.db").chains["final"].trials
    reasons = {trial.values["model.manner"]: trial.reason for trial in trials}
    assert reasons == {
        "polite": None,
        "prints": None,
        "raises": "ValueError: a mistake in the model",
        "exits": "SystemExit: enough",
        "segfaults": "the worker process ended (SIGSEGV)",
        "no memory": "out of memory",
        "nan": reasons["nan"],
    }
    assert "loss" in reasons["nan"]


def test_a_second_signal_ends_it_at_once(tmp_path):
    path = write_space(tmp_path, training=LONG)
    process = start(path, tmp_path / "study.db")
    read_trials(process, 1)
    below = descendants(process.pid)
    for _ in range(2):
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT)
    assert "Traceback" not in err
    assert all_gone(below)
    assert load(tmp_path / "study.db").finished() >= 1


def test_a_trial_that_never_ends_is_a_failed_trial(tmp_path):
    path = write_space(tmp_path, training={**LONG, "epochs": 1_000_000, "batch_size": 1}, search={"trials": 1},
                       limits={"trial_time": "1s"})  # fmt: skip
    done = tuner("search", path, cwd=tmp_path)
    survived(done.returncode, done.stdout, done.stderr, expected=5)
    assert "took longer than limits.trial_time (1 s)" in done.stderr
