"""Every sampler, found by itself: what it proposes depends on seed, number, history and chain, and on nothing else."""

import pytest
from helpers import space_of
from proposals import changes, proposer, searched

from tuner.experiment.sections import SAMPLERS

SAMPLER = pytest.mark.parametrize(
    "sampler", [pytest.param(name, marks=pytest.mark.slow) if name == "gp" else name for name in SAMPLERS]
)


@SAMPLER
def test_after_replaying_the_history_the_next_proposals_are_the_same(tmp_path, sampler):
    space = space_of(tmp_path, **changes(sampler))
    count = 5 if sampler == "grid" else 12  # learners begin to learn after ten trials
    first, records = searched(space, sampler, count)
    again = proposer(space, sampler)
    for trial in records:
        again.learn(trial)
    assert again.propose(count) == first.propose(count) == first.propose(count)


@SAMPLER
def test_every_proposal_is_in_the_space_and_the_first_is_the_default(tmp_path, sampler):
    space = space_of(tmp_path, **changes(sampler))
    _, records = searched(space, sampler, 5)
    for trial in records:
        assert set(trial.values) == {parameter.path for parameter in space.parameters}
        for parameter in space.parameters:
            domain, value = parameter.domain, trial.values[parameter.path]
            assert value in domain.options if hasattr(domain, "options") else domain.low <= value <= domain.high
    if sampler != "grid":
        assert records[0].values == space.default()


@pytest.mark.parametrize("sampler", ["random", "grid"])
def test_the_nth_configuration_is_the_same_in_every_chain(tmp_path, sampler):
    space = space_of(tmp_path, **changes(sampler))
    one, other = (proposer(space, sampler, chain) for chain in ("outer-1", "final"))
    numbers = range(6)
    assert [one.propose(n) for n in numbers] == [other.propose(n) for n in reversed(numbers)][::-1]
