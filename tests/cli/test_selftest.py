"""`tuner selftest`: passes as it stands, and fails where the pipe is made to lie."""

import dataclasses

import numpy as np
import pytest
from helpers import inside, tuner

from tuner.cli import selftest
from tuner.data import resampling


@pytest.mark.slow
def test_it_passes_as_a_user_runs_it(tmp_path):
    done = tuner("selftest", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    lines = done.stdout.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["pass"] * 5
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_it_fails_where_test_rows_are_trained_on(monkeypatch):
    """Every fold trains on its test rows, and the check for that is switched off."""
    honest = resampling.plan

    def leaking(wish, dataset):
        def open_(chain):
            return dataclasses.replace(chain, rows=np.arange(len(dataset))) if len(chain.test) else chain

        return resampling.NestedPlan(tuple(open_(chain) for chain in honest(wish, dataset).chains))

    monkeypatch.setattr("tuner.search.prepare.plan", leaking)
    monkeypatch.setattr("tuner.training.lanes.Lane.check", lambda lane: None)
    monkeypatch.setattr(selftest, "checks", lambda all_=selftest.checks: [dataclasses.replace(all_()[0], sets=1)])
    code, out, _ = inside("selftest")
    assert code == 1
    assert out.startswith("FAIL  noise labels")


def test_the_data_are_what_they_say():
    rng = np.random.default_rng(0)
    leak = selftest.leak(rng)
    assert (leak["X"][:, -1] == leak["y"]).all()
    groups = selftest.copies(rng, grouped=True)
    for group in range(5):
        rows = groups["X"][groups["group"] == group]
        assert len(rows) == selftest.COPIES and (rows == rows[0]).all()
        assert len(set(groups["y"][groups["group"] == group])) == 1
    x = selftest.planted(rng)
    right = (x["X"] @ np.arange(1, selftest.FEATURES + 1) > 0) == x["y"]
    assert right.mean() == pytest.approx(1 - selftest.FLIPPED, abs=0.03)
