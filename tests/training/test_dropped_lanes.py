"""Lanes that leave their stack, share their training or break change nothing for the lanes beside them."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from toys import SMALL, amounts, assert_same_view, classes, go_on, lanes_of, recipe

from tuner.models import rnn
from tuner.training.fitting import build_stacks
from tuner.training.lanes import Lane
from tuner.training.loop import train
from tuner.training.optimizers import Adam, Sgd
from tuner.training.settings import EarlyStopping

GRU = rnn.Settings(cell="gru", hidden_size=5, num_layers=2)
STAYING, DEFAULT, AT_ONCE = 0.0, 0.75, 1.0


@pytest.fixture
def leaving(monkeypatch):
    """Trains with another idea of when it is worth to let lanes leave; nobody ever does at 0."""

    def run(worth, *how):
        monkeypatch.setattr("tuner.training.stack.SHRINK_THRESHOLD", worth)
        return train(*how)

    return run


def dropping(model, **training):
    """A recipe in which everything that has a state per lane is at work."""
    wish = {"epochs": 12, "batch_size": 8, "early_stopping": EarlyStopping(patience=2)} | training
    return recipe(model.model_copy(update={"dropout": 0.4}), "log_loss", **wish)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "shape", "optimizer"),
    [
        (SMALL, (5,), Adam(learning_rate=0.05)),
        (SMALL, (5,), Sgd(learning_rate=0.3, momentum=0.9)),
        (GRU, (3, 4), Adam(learning_rate=0.05)),
    ],
    ids=["mlp-adam", "mlp-momentum", "gru-adam"],
)
def test_lanes_that_leave_change_no_curve(leaving, model, shape, optimizer):
    tensors = classes(40, shape)
    how = dropping(model, optimizer=optimizer), lanes_of(tensors, [24] * 6), tensors, go_on
    stay = leaving(STAYING, *how)
    ends = np.isfinite(stay.curves.score).sum(axis=1)
    assert len(set(ends)) > 2, "lanes should leave at several epochs, or the test shows nothing"
    assert len(build_stacks(*how[:3])) == 1
    for worth in (DEFAULT, AT_ONCE):
        leave = leaving(worth, *how)
        assert leave.curves.broken == {}, "to end early is not to break"
        np.testing.assert_array_equal(leave.curves.score, stay.curves.score)
        np.testing.assert_array_equal(leave.curves.train_loss, stay.curves.train_loss)


def test_the_judge_can_make_lanes_leave_in_any_order(leaving):
    tensors = classes(40)
    ends = np.array([5, 2, 7, 2, 8, 3, 5, 1])

    def judge(epoch, curves):
        return epoch < ends

    how = dropping(SMALL, early_stopping=None, epochs=8), lanes_of(tensors, [24] * 4, sets=2), tensors, judge
    stay, leave = leaving(STAYING, *how).curves, leaving(AT_ONCE, *how).curves
    assert np.isfinite(leave.score).sum(axis=1).tolist() == ends.tolist()
    assert leave.broken == {}
    for view in range(8):
        assert_same_view(leave, view, stay, view, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("worth", [STAYING, AT_ONCE])
@pytest.mark.parametrize(("model", "shape"), [(SMALL, (5,)), (GRU, (3, 4))], ids=["mlp", "gru"])
def test_several_row_sets_of_a_lane_are_as_many_lanes_with_one_each(leaving, model, shape, worth):
    tensors = classes(40, shape)
    lanes = lanes_of(tensors, [22, 22, 23], sets=3)
    how = dropping(model, optimizer=Adam(learning_rate=0.05))
    shared = leaving(worth, how, lanes, tensors, go_on).curves
    assert shared.lanes.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    ends = np.isfinite(shared.score).sum(axis=1).reshape(3, 3)
    assert any(one != other for row in ends for one, other in pairwise(row)), "sets of a lane should end apart"
    assert np.isfinite(shared.train_loss).sum(axis=1).tolist() == ends.max(axis=1).tolist()
    alone = [Lane(lane.train, (rows,), lane.seed) for lane in lanes for rows in lane.evaluations]
    apart = leaving(worth, how, alone, tensors, go_on).curves
    for view in range(9):
        assert_same_view(shared, view, apart, view, rtol=1e-5)


def with_a_monstrous_row(monster):
    """One row is finite, but no loss on it is; the lanes meet it in training, in one row set, or never."""
    tensors = amounts(40, scale="none")
    tensors.features[monster] = torch.tensor([1e37, -1e37, 3e37, 1e37])
    rows = np.random.default_rng(1).permutation(np.delete(np.arange(40), monster))
    never = Lane(rows[:24], (rows[24:31], rows[31:]), 7)
    trains = Lane(np.r_[monster, rows[:23]], (rows[23:31], rows[31:]), 8)
    validates = Lane(rows[5:29], (np.r_[monster, rows[29:]], rows[:5]), 9)
    return tensors, [never, trains, validates]


@pytest.mark.parametrize("worth", [STAYING, DEFAULT, AT_ONCE])
@pytest.mark.parametrize("patience", [None, 3])
@pytest.mark.parametrize("monster", [11, 0])
def test_a_view_that_breaks_says_why_and_the_others_do_not_notice(leaving, worth, patience, monster):
    tensors, lanes = with_a_monstrous_row(monster)
    stopping = EarlyStopping(patience=patience) if patience else None
    how = recipe(SMALL, "rmse", epochs=6, batch_size=8, early_stopping=stopping, optimizer=Adam(learning_rate=0.02))
    assert len(build_stacks(how, lanes, tensors)) == 1, "all lanes should share a stack, or the test shows nothing"
    curves = leaving(worth, how, lanes, tensors, go_on).curves
    training, validation = (f"the {what} loss is not a finite number in epoch 1" for what in ("training", "validation"))
    assert curves.broken == {2: (1, training), 3: (1, training), 4: (1, validation)}
    assert not np.isfinite(curves.score[[2, 3, 4], 1:]).any()
    for view, lane, rows in ((0, 0, 0), (1, 0, 1), (5, 2, 1)):
        alone = Lane(lanes[lane].train, (lanes[lane].evaluations[rows],), lanes[lane].seed)
        expected = leaving(worth, how, [alone], tensors, go_on).curves
        assert len(expected.score[0]) > 1
        assert_same_view(curves, view, expected, rtol=1e-5)
