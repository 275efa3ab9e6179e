"""Budgets: time on a clock that nobody sets, nights with a daylight-saving change, failures, what a limit leaves."""

import time
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from helpers import DIVERGING, inside, search, tables, write_space

from tuner.experiment.sections import Limits
from tuner.report import load
from tuner.search.budget import Budget, until


@pytest.fixture
def berlin(monkeypatch):
    """This process in the time zone of Berlin."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield ZoneInfo("Europe/Berlin")
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("now", "clock", "hours"),
    [
        ("2026-11-20 22:00", "07:00", 9),
        ("2026-11-20 06:59", "07:00", 1 / 60),
        ("2026-11-20 07:00", "07:00", 24),
        ("2026-03-28 22:00", "07:00", 8),  # the clock is put forward in that night
        ("2026-10-24 22:00", "07:00", 10),  # and back
        ("2026-10-25 01:30", "02:15", 0.75),  # an hour that comes twice
        ("2026-12-31 23:30", "0:15", 0.75),
    ],
)
def test_until_is_the_next_such_local_time(berlin, now, clock, hours):
    moment = datetime.fromisoformat(now).replace(tzinfo=berlin)
    assert until(Limits(until=clock), moment) == pytest.approx(hours * 3600)


def test_the_earlier_limit_counts_from_the_beginning_of_the_run():
    assert Budget(Limits(), 0.0).left is None
    assert Budget(Limits(time="2h"), time.monotonic() - 60).left == pytest.approx(7140, abs=1)
    assert Budget(Limits(time="1s", until="07:00"), time.monotonic()).left <= 1
    assert 0 < until(Limits(until="07:00")) <= 25 * 3600 and until(Limits()) == float("inf")


@pytest.mark.parametrize(
    ("option", "value"), [("--timeout", "7x"), ("--until", "25:00"), ("--wait", "soon"), ("--timeout", "0s")]
)
def test_a_wrong_limit_on_the_command_line_is_told_with_an_example(tmp_path, option, value):
    code, _, err = inside("search", write_space(tmp_path), option, value)
    assert code == 2
    assert err.startswith(f"error: {option} must be ") and f"not '{value}'" in err
    assert "such as" in err or value == "0s"


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_night_cut_short_has_an_outer_score_and_the_next_ends_as_if_never_cut(tmp_path, sampler):
    settings = {"training": {"epochs": 20, "batch_size": 8, "early_stopping": None}}
    path = write_space(tmp_path, search={"sampler": sampler, "trials": 5000}, **settings)  # no night is long enough
    cut, whole = tmp_path / "cut.db", tmp_path / "whole.db"
    code, out, err = inside("search", path, "--study", cut, "--workers", 2, "--timeout", "10s")
    assert code == 3, err
    assert err.startswith("stopped: the time limit was reached with work left; what was finished is saved\n")
    assert f"to go on: tuner search {path} --study {cut} --workers 2 --timeout 10s" in err
    partial = load(cut)
    assert not partial.complete and partial.finished() > 0
    assert partial.score is not None, out
    assert "PARTIAL" in out.splitlines()[-1] and "PARTIAL" in inside("report", cut)[1]
    longest = max(len(chain.trials) for chain in partial.chains.values())
    write_space(tmp_path, search={"sampler": sampler, "trials": longest + 2}, **settings)
    search(path, whole, workers=2)
    search(path, cut, workers=2)
    assert tables(cut) == tables(whole)


def test_too_many_failures_in_total(tmp_path):
    path = write_space(tmp_path, **DIVERGING, search={"trials": 50}, limits={"failures": {"total": 5}})
    code, _, err = inside("search", path, "--study", tmp_path / "study.db", "--workers", 0)
    assert code == 5
    assert err.startswith("error: 5 trials failed, the last one: ")
    assert load(tmp_path / "study.db").finished() == 5


def test_the_command_line_goes_before_the_file(tmp_path):
    path = write_space(tmp_path, search={"sampler": "random", "trials": 5000}, limits={"time": "10h"})
    assert inside("search", path, "--study", tmp_path / "s.db", "--workers", 0, "--timeout", "0.5s")[0] == 3


def test_a_clock_that_jumps_changes_nothing(tmp_path, monkeypatch):
    path = write_space(tmp_path, search={"trials": 2}, limits={"time": "1h"})
    past = iter(range(10**9, 0, -(10**6)))
    monkeypatch.setattr(time, "time", lambda: float(next(past)))
    search(path, tmp_path / "jumped.db")
    monkeypatch.undo()
    search(path, tmp_path / "whole.db")
    assert tables(tmp_path / "jumped.db") == tables(tmp_path / "whole.db")
