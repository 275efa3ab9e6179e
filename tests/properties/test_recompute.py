"""Every number of a report is what other code makes of the raw records (`python -m benchmarks recompute`)."""

import pytest

from benchmarks.recompute import STUDIES, differences

CURVES, DRAWN = "fold score, from its curve", "BBC-CV (two sets of draws)"  # nine digits; a Monte-Carlo mean


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_the_report_is_recomputed_from_raw_records(name):
    found = differences(name)
    assert len(found) >= 6
    for kind, (count, largest) in found.items():
        assert count and largest < {CURVES: 1e-7, DRAWN: 0.01}.get(kind, 1e-9), kind
