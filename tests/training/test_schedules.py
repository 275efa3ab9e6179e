"""Schedules equal torch's, step by step; warm-up comes in front of any; a plateau is each lane's own."""

import warnings

import pytest
import torch
from torch.optim import lr_scheduler as theirs
from toys import classes, lanes_of, recipe

from tuner.models import mlp
from tuner.training.fitting import build_stacks
from tuner.training.optimizers import Sgd
from tuner.training.schedules import (
    Constant,
    Cosine,
    Exponential,
    LearningRateSchedule,
    OneCycle,
    ReduceOnPlateau,
    Step,
)

STEPS, EPOCHS = 4, 12
CPU = torch.device("cpu")
CASES = {
    "constant": (Constant(), lambda o: theirs.ConstantLR(o, 1.0), False),
    "step": (Step(step_size=3, gamma=0.3), lambda o: theirs.StepLR(o, 3, 0.3), False),
    "exponential": (Exponential(gamma=0.8), lambda o: theirs.ExponentialLR(o, 0.8), False),
    "cosine": (Cosine(), lambda o: theirs.CosineAnnealingLR(o, EPOCHS), False),
    "one cycle": (OneCycle(), lambda o: theirs.OneCycleLR(o, 1.0, STEPS * EPOCHS, cycle_momentum=False), True),
    "another cycle": (
        OneCycle(pct_start=0.5, div_factor=4.0, final_div_factor=100.0),
        lambda o: theirs.OneCycleLR(o, 1.0, STEPS * EPOCHS, pct_start=0.5, cycle_momentum=False, div_factor=4.0,
                                    final_div_factor=100.0),
        True,
    ),
}  # fmt: skip


def paced(schedule, warmup=0, epochs=EPOCHS, losses=None, lanes=1):
    """The factors of every step."""
    pace, found = LearningRateSchedule(schedule, warmup, epochs, lanes, CPU), []
    for epoch in range(epochs):
        found += [pace.factor(step, STEPS) for step in range(STEPS)]
        pace.ended(torch.zeros(lanes, dtype=torch.double) if losses is None else losses[epoch])
    return found


def of_torch(build, by_step, epochs=EPOCHS):
    """torch's learning rates of every step."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        schedule, found = build(optimizer), []
        for _ in range(epochs):
            for _ in range(STEPS):
                found.append(optimizer.param_groups[0]["lr"])
                optimizer.step()
                if by_step:
                    schedule.step()
            if not by_step:
                schedule.step()
    return found


@pytest.mark.parametrize("case", CASES)
def test_a_schedule_is_torchs(case):
    ours, build, by_step = CASES[case]
    assert paced(ours) == pytest.approx(of_torch(build, by_step), abs=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_warm_up_rises_to_where_the_schedule_begins_and_leaves_it_the_rest(case):
    ours, *_ = CASES[case]
    warm, plain = paced(ours, warmup=3, epochs=EPOCHS + 3), paced(ours)
    assert warm[3 * STEPS :] == pytest.approx(plain)
    assert warm[: 3 * STEPS] == pytest.approx([plain[0] * (i + 1) / (3 * STEPS + 1) for i in range(3 * STEPS)])


@pytest.mark.parametrize(("rows", "together", "moves"), [(64, 4, 2), (60, 3, 3), (64, 99, 1)])
def test_where_batches_are_put_together_a_schedule_counts_what_moves_the_weights(rows, together, moves):
    tensors, epochs = classes(rows + 8, (3,)), 3
    cycle = {"accumulate": together, "schedule": OneCycle(), "optimizer": Sgd(learning_rate=1.0), "batch_size": 8}
    how = recipe(mlp.Settings(), "log_loss", epochs=epochs, **cycle)
    (stack,), found = build_stacks(how, lanes_of(tensors, [rows]), tensors), []
    step = stack._optimizer.step
    stack._optimizer.step = lambda weights, gradients, factor: (found.append(factor), step(weights, gradients, factor))
    for _ in range(epochs):
        stack.train_epoch()
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 1.0)
    cycle, expected = theirs.OneCycleLR(optimizer, 1.0, moves * epochs, cycle_momentum=False), []
    for _ in range(moves * epochs):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        cycle.step()
    assert found == pytest.approx(expected)


def test_a_plateau_is_torchs_in_every_lane_and_lanes_may_leave():
    torch.manual_seed(3)
    losses = torch.rand(EPOCHS, 3, dtype=torch.double).cumsum(0).flip(0) * torch.tensor([1.0, 0.0, 0.01]) + 1
    losses[:, 2] += torch.rand(EPOCHS)
    settings = ReduceOnPlateau(factor=0.5, patience=1, threshold=0.01)
    ours = paced(settings, losses=losses, lanes=3)
    for lane in range(3):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 1.0)
        schedule = theirs.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, threshold=0.01)
        for epoch in range(EPOCHS):
            assert ours[epoch * STEPS][lane].item() == pytest.approx(optimizer.param_groups[0]["lr"])
            schedule.step(losses[epoch, lane].item())
    assert len({factor[1].item() for factor in ours}) > 2, "the flat lane has dropped more than once"
    pace = LearningRateSchedule(settings, 0, EPOCHS, 3, CPU)
    for epoch in range(EPOCHS):
        if epoch == 5:
            pace.select(torch.tensor([2, 1]))
        assert torch.equal(pace.factor(0, STEPS), ours[epoch * STEPS] if epoch < 5 else ours[epoch * STEPS][[2, 1]])
        pace.ended(losses[epoch] if epoch < 5 else losses[epoch][[2, 1]])
