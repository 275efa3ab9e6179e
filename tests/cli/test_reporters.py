"""Who is told of a search, and how: lines, JSON, nothing, a log; and the last line."""

import json
import math
import re
import statistics

import pytest
from helpers import DIVERGING, inside, search, tuner, write_space

from tuner.report import load

SHORT = {"search": {"trials": 2}}


def events(out):
    return [json.loads(line) for line in out.splitlines()]


def test_json_tells_every_event_in_an_object(tmp_path):
    study = tmp_path / "study.db"
    said = events(search(write_space(tmp_path, **SHORT), study, "--json"))
    results = load(study)
    chains = list(results.chains)
    first, *middle, last = said
    assert all({"event", "time"} <= set(each) for each in said)
    assert (first["event"], first["name"], first["trials"], first["chains"]) == ("started", "tiny", 2, chains)
    trials = [each for each in middle if each["event"] == "trial"]
    stored = {(name, t.number): t for name, chain in results.chains.items() for t in chain.trials}
    assert {
        (each["chain"], each["trial"]): (each["state"], each["score"], each["trained"], each["values"])
        for each in trials
    } == {key: (t.state, t.score, t.epochs, t.values) for key, t in stored.items()}
    lengths = {(each["chain"], each["trial"]): each["epochs"] for each in trials}
    assert lengths == {key: math.ceil(statistics.median(t.best_epochs)) for key, t in stored.items()}
    refits = {(each["chain"], each["trial"]): each["score"] for each in middle if each["event"] == "refit"}
    assert refits == {(n, r.number): r.score for n, chain in results.chains.items() for r in chain.refits.values()}
    assert sorted(each["chain"] for each in middle if each["event"] == "chain") == sorted(chains)
    assert (last["event"], last["code"], last["complete"], last["reason"]) == ("stopped", 0, True, None)
    assert last["score"]["mean"] == results.score.mean


def test_json_tells_of_an_end_in_failure(tmp_path):
    path = write_space(tmp_path, **DIVERGING, **SHORT)
    code, out, err = inside("search", path, "--study", tmp_path / "s.db", "--workers", 0, "--json")
    last = events(out)[-1]
    assert (code, last["code"], last["score"]) == (5, 5, None)
    assert last["reason"] in err
    assert {each["state"] for each in events(out) if each["event"] == "trial"} == {"failed"}


def test_quiet_prints_nothing_where_nothing_is_wrong(tmp_path):
    path = write_space(tmp_path, **SHORT)
    assert inside("search", path, "--study", tmp_path / "s.db", "--workers", 0, "--quiet") == (0, "", "")
    many = write_space(tmp_path, search={"sampler": "random", "trials": 5000})
    arguments = ("--study", tmp_path / "t.db", "--workers", 0, "--quiet", "--timeout", "0.3s")
    assert inside("search", many, *arguments) == (3, "", "")


def test_quiet_says_what_is_wrong(tmp_path):
    path = write_space(tmp_path, **DIVERGING, **SHORT)
    code, out, err = inside("search", path, "--study", tmp_path / "s.db", "--workers", 0, "--quiet")
    assert (code, out) == (5, "")
    assert err.startswith("error: ")


def test_quiet_and_json_exclude_each_other(tmp_path):
    code, _, err = inside("search", write_space(tmp_path), "--quiet", "--json")
    assert code == 2
    assert "--quiet and --json" in err


def test_a_log_is_appended_and_holds_errors_too(tmp_path):
    path, log = write_space(tmp_path, **SHORT), tmp_path / "night.log"
    arguments = ("--study", tmp_path / "s.db", "--workers", 0, "--quiet", "--log", log)
    for file in (path, path, tmp_path / "no.yaml"):
        inside("search", file, *arguments)
    lines = log.read_text().splitlines()
    assert sum(bool(re.search(r"(final|outer-\d) trial 0:", line)) for line in lines) == 4
    assert sum("tuner report" in line for line in lines) == 2
    assert "ERROR" in lines[-2] and "no such file" in lines[-2]
    stamp = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \[\d+\] (INFO|ERROR) ")
    assert all(stamp.match(line) for line in lines if not line.startswith("  = "))


def test_a_log_is_rotated_by_size(tmp_path, monkeypatch):
    monkeypatch.setattr("tuner.cli.reporters.LOG_BYTES", 300)
    log = tmp_path / "night.log"
    inside("search", write_space(tmp_path, **SHORT), "--study", tmp_path / "s.db", "--workers", 0, "--log", log)
    assert (tmp_path / "night.log.1").exists()
    assert log.stat().st_size <= 300


def test_a_log_that_takes_no_more_is_told_at_the_end(tmp_path):
    path, study = write_space(tmp_path, **SHORT), tmp_path / "s.db"
    code, out, err = inside("search", path, "--study", study, "--workers", 0, "--quiet", "--log", "/dev/full")
    assert (code, out) == (4, "")
    assert "error: /dev/full cannot be written: No space left" in err
    assert load(study).complete


def test_a_log_that_cannot_be_written_is_told(tmp_path):
    code, _, err = inside("search", write_space(tmp_path), "--log", tmp_path / "no" / "night.log")
    assert code == 4
    assert "night.log cannot be written" in err


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_the_last_line_is_the_result(tmp_path, flags):
    study = tmp_path / "study.db"
    last = search(write_space(tmp_path, **SHORT), study, *flags).splitlines()[-1]
    line = json.loads(last)["line"] if flags else last
    score = load(study).score
    assert line == f"tiny: accuracy {score.mean:.4g} ± {score.half:.2g}; 8 trials; tuner report {study}"


@pytest.mark.slow
def test_a_quiet_run_tells_its_log_alone(tmp_path):
    path = write_space(tmp_path, search={"trials": 1})
    done = tuner("search", path, "--quiet", "--log", "night.log", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "accuracy" in (tmp_path / "night.log").read_text()
