"""The tables do not depend on how many workers train, nor on being killed in the middle."""

import pytest
from helpers import (
    GRID,
    all_gone,
    descendants,
    read_trials,
    search,
    start,
    stop,
    tables,
    tuner,
    write_space,
)

from tuner.report import load

LONG = {"training": {"epochs": 10, "batch_size": 16, "early_stopping": None}}  # long enough to be killed in the middle


def changes(sampler):
    """Settings for a sampler: learners learn after ten trials, so they get more."""
    return GRID if sampler == "grid" else {"search": {"sampler": sampler, "trials": 4 if sampler == "random" else 12}}


@pytest.mark.parametrize(
    ("sampler", "counts"),
    [
        pytest.param("grid", (0, 2), marks=pytest.mark.slow),
        pytest.param("random", (0, 1), marks=pytest.mark.slow),
        ("tpe", (0, 2)),
        pytest.param("tpe", (0, 1, 3), marks=pytest.mark.slow),
        pytest.param("gp", (0, 2), marks=pytest.mark.slow),
    ],
)
def test_any_number_of_workers_gives_the_same_tables(tmp_path, sampler, counts):
    path = write_space(tmp_path, **changes(sampler))
    for workers in counts:
        search(path, tmp_path / f"{workers}.db", workers=workers)
    assert len({tuple(tables(tmp_path / f"{workers}.db")) for workers in counts}) == 1


@pytest.mark.slow
def test_batches_keep_the_tables_independent_of_workers(tmp_path):
    path = write_space(tmp_path, search={"trials": 4, "batch": 3})
    for workers in (0, 2):
        search(path, tmp_path / f"{workers}.db", workers=workers)
    assert tables(tmp_path / "0.db") == tables(tmp_path / "2.db")


def test_another_seed_gives_other_tables(tmp_path, finished):
    search(write_space(tmp_path, search={"seed": 2}), tmp_path / "study.db")
    assert tables(tmp_path / "study.db") != tables(finished)


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["gp"])  # the others: twenty times each, in test_torture_processes
def test_killed_and_started_again_is_as_if_never_killed(tmp_path, sampler):
    settings = changes(sampler)
    settings = {**settings, "training": {**LONG["training"], **settings.get("training", {})}}
    path = write_space(tmp_path, **settings)
    killed, whole = tmp_path / "killed.db", tmp_path / "whole.db"
    process = start(path, killed)
    read_trials(process, 5)
    below = descendants(process.pid)
    assert len(below) >= 3  # the server and two workers
    stop(process)
    assert all_gone(below)
    assert not load(killed).complete
    again = tuner("search", path, "--study", killed, "--workers", "2", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    search(path, whole)
    assert load(killed).complete
    assert tables(killed) == tables(whole)
