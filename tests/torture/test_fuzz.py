"""A seeded part of the campaigns: `python -m benchmarks torture fuzz` are the large ones."""

import pytest

from benchmarks import fuzz, torture

pytestmark = [pytest.mark.torture, pytest.mark.slow]


@pytest.mark.parametrize("kind", fuzz.KINDS)
def test_nothing_that_is_fed_to_a_command_is_a_bug_a_hang_or_a_gigabyte(kind):
    count, wrong = fuzz.campaign(kind, seed=1, seconds=8)
    assert count > 15
    assert not wrong, "\n".join(wrong)


def test_a_bug_is_found(monkeypatch, tmp_path):
    """The campaign reports a command that fails: otherwise a clean result would mean nothing."""
    monkeypatch.setattr(fuzz, "run", lambda words: print("error: a bug in tuner: \x1b[2J") or 1)
    monkeypatch.setattr(fuzz, "KINDS", {"names": lambda draw, folder: ["list"]})
    _, wrong = fuzz.case("names", 0)
    assert wrong.startswith("a bug, exit 1") and "an escape on the terminal" in wrong


def test_searches_that_are_harmed_end_with_the_tables_of_those_that_are_not():
    seen = torture.campaign(kills=15, seed=1, searches=("tpe", "random, own model"))
    assert sum(seen.kills.values()) >= 15 and seen.searches >= 1
    assert not seen.wrong, "\n".join(seen.wrong)
