"""Batches: every row once an epoch, nearly equal batches, weights that leave padding out, one stream per lane."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.training.lanes import Batches, Lane, batch_plan
from tuner.training.row_sets import stacks_of

CPU = torch.device("cpu")
ROWS = st.integers(1, 90)
BATCH = st.one_of(st.integers(1, 40), st.just("full"))


def lane(rows, seed=0, start=0):
    train = np.arange(start, start + rows)
    return Lane(train, (np.array([start + rows]),), seed)


def real_rows(batches):
    """The rows that count, per step, of the first lane."""
    return [rows[0][weights[0] > 0].tolist() for rows, weights in zip(batches.epoch(), batches.weights, strict=True)]


@settings(deadline=None, max_examples=60)
@given(rows=ROWS, batch=BATCH, epochs=st.integers(1, 3))
def test_every_row_is_seen_exactly_once_an_epoch(rows, batch, epochs):
    batches = Batches([lane(rows, start=7)], batch, CPU)
    for _ in range(epochs):
        seen = [row for step in real_rows(batches) for row in step]
        assert sorted(seen) == list(range(7, 7 + rows))


@settings(deadline=None, max_examples=60)
@given(rows=ROWS, batch=BATCH)
def test_batches_are_nearly_equal_and_as_many_as_the_size_asks_for(rows, batch):
    batches = Batches([lane(rows)], batch, CPU)
    sizes = [len(step) for step in real_rows(batches)]
    assert max(sizes) - min(sizes) <= 1
    size = rows if batch == "full" else batch
    assert len(sizes) == math.ceil(rows / size)
    assert max(sizes) <= size


@settings(deadline=None, max_examples=100)
@given(rows=ROWS, batch=BATCH)
def test_weights_are_the_mean_of_a_batch_and_shares_make_the_mean_of_the_epoch(rows, batch):
    batches = Batches([lane(rows)], batch, CPU)
    torch.testing.assert_close(batches.weights.sum(dim=2), torch.ones(batches.steps, 1))
    values = torch.randn(rows, dtype=torch.double)
    mean = 0.0
    for taken, weights, share in zip(batches.epoch(), batches.weights, batches.shares, strict=True):
        mean += float((values[taken[0]] * weights[0]).sum() * share[0])
    assert mean == pytest.approx(values.mean().item(), rel=1e-4, abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(sizes=st.lists(ROWS, min_size=1, max_size=8), batch=BATCH)
def test_stacks_hold_every_lane_once_and_only_lanes_with_the_same_steps(sizes, batch):
    lanes = [lane(n) for n in sizes]
    groups = stacks_of(lanes, batch, 4)
    assert sorted(i for group in groups for i in group) == list(range(len(sizes)))
    for group in groups:
        assert len({batch_plan(sizes[i], batch) for i in group}) == 1
        together = Batches([lanes[i] for i in group], batch, CPU)
        for position, i in enumerate(group):
            used = together.weights[:, position] > 0
            seen = together.epoch()[:, position][used]
            assert sorted(seen.tolist()) == list(range(sizes[i]))


@pytest.mark.parametrize("batch", [16, 32, "full"])
def test_folds_that_differ_by_a_row_share_a_stack(batch):
    assert stacks_of([lane(120), lane(119), lane(120)], batch, 4) == [[0, 1, 2]]


def test_a_lanes_order_is_its_own_whoever_stands_beside_it():
    one, two, three = lane(20, seed=1), lane(20, seed=2), lane(19, seed=3)
    alone = Batches([two], 8, CPU)
    together = Batches([one, two, three], 8, CPU)
    turned = Batches([three, two], 8, CPU)
    for _ in range(3):
        mine, all_three, both = alone.epoch(), together.epoch(), turned.epoch()
        assert torch.equal(mine[:, 0], all_three[:, 1])
        assert torch.equal(mine[:, 0], both[:, 1])
    assert torch.equal(alone.weights[:, 0], together.weights[:, 1])


def test_each_epoch_and_each_seed_shuffles_anew():
    batches = Batches([lane(50, seed=1), lane(50, seed=2)], 10, CPU)
    first, second = batches.epoch(), batches.epoch()
    assert not torch.equal(first, second)
    assert not torch.equal(first[:, 0], first[:, 1])
    again = Batches([lane(50, seed=1), lane(50, seed=2)], 10, CPU)
    assert torch.equal(again.epoch(), first)


def test_shuffling_puts_every_row_in_every_batch_equally_often():
    batches = Batches([lane(6)], 2, CPU)
    counts = np.zeros((6, 3))
    for _ in range(3000):
        for step, rows in enumerate(real_rows(batches)):
            counts[rows, step] += 1
    assert np.abs(counts - 1000).max() < 5 * math.sqrt(3000 * 2 / 9)


def test_a_lane_that_evaluates_a_training_row_is_refused():
    leaking = Lane(np.array([0, 1, 2]), (np.array([3]), np.array([2, 4])), 0)
    with pytest.raises(RuntimeError, match="rows of training, validation and test overlap"):
        leaking.check()
    lane(5).check()


def test_lanes_that_go_on_are_shuffled_and_weighed_as_before():
    lanes = [lane(21, seed=1), lane(20, seed=2, start=50), lane(22, seed=3, start=90)]
    stay, leave = Batches(lanes, 8, CPU), Batches(lanes, 8, CPU)
    stay.epoch(), leave.epoch()
    leave.select(torch.tensor([0, 2]))
    leave.select(torch.tensor([1]))
    assert torch.equal(leave.epoch(), stay.epoch()[:, [2]])
    assert torch.equal(leave.weights, stay.weights[:, [2]])
    assert torch.equal(leave.shares, stay.shares[:, [2]])
