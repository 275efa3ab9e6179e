"""The user's own losses, optimizers and schedules against tuner's: written as torch's, they train the same."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from toys import SMALL, amounts, assert_same_view, classes, go_on, lanes_of, recipe

from tuner.errors import UsageError
from tuner.experiment.settings import Settings
from tuner.models.layers import Copies, Lanes
from tuner.models.layers.groups import groups_of
from tuner.training import own
from tuner.training.flat import FlatWeights
from tuner.training.group_rates import GroupRates
from tuner.training.loop import train
from tuner.training.own import LOSS, OPTIMIZER, SCHEDULE, OwnSchedule
from tuner.training.own_loss import OwnLoss
from tuner.training.own_optimizer import OwnOptimizer
from tuner.training.recipe import OwnParts
from tuner.training.schedules import ScheduleStep

PARTS = """
import math
import torch
import torch.nn.functional as F
from torch import nn

def mean_loss(outputs, targets): return F.cross_entropy(outputs, targets)
def row_loss(outputs, targets): return F.cross_entropy(outputs, targets, reduction="none")
def squares(outputs, targets): return (outputs - targets) ** 2
def mean_square(outputs, targets): return ((outputs - targets) ** 2).mean()
class Smooth(nn.CrossEntropyLoss): pass
def in_place(outputs, targets):
    outputs[torch.arange(len(targets)), targets] -= 3.0
    return F.cross_entropy(outputs, targets, reduction="none")
def cloned(outputs, targets):
    outputs = outputs.clone()
    outputs[torch.arange(len(targets)), targets] -= 3.0
    return F.cross_entropy(outputs, targets, reduction="none")
def sometimes(outputs, targets):
    if (targets == 0).sum() > 4: return torch.zeros(())
    return F.cross_entropy(outputs, targets)
def positive(outputs, targets):
    if (outputs == outputs[:1]).all(): raise ValueError("no constants")
    return F.cross_entropy(outputs, targets, reduction="none")
def keras(y_true, y_pred): return (y_true - y_pred) ** 2
class Random(nn.Module):
    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.5)
    def forward(self, outputs, targets): return F.cross_entropy(self.drop(outputs), targets, reduction="none")
class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))
    def forward(self, outputs, targets):
        losses = F.cross_entropy(outputs, targets, reduction="none")
        if self.training: self.mean = 0.9 * self.mean + 0.1 * losses.detach().mean()
        return losses * (1 + self.mean)
def text(outputs, targets): return "0.3"
def codes(outputs, targets): return targets
def columns(outputs, targets): return outputs
class Weighted(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
def cosine(epoch, epochs): return (1 + math.cos(math.pi * epoch / epochs)) / 2
def nothing(epoch): return None
def below(step): return -1.0
class NoDecay(torch.optim.Optimizer):
    def __init__(self, params, lr: float = 0.1): super().__init__(params, {"lr": lr})
class Rate(torch.optim.Optimizer):
    def __init__(self, params, rate: float = 0.1): super().__init__(params, {"rate": rate})
class Closure(torch.optim.SGD):
    def step(self, closure): closure()
class Rebind(torch.optim.Optimizer):
    def __init__(self, params, lr: float = 0.1): super().__init__(params, {"lr": lr})
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]: p.data = p.data - group["lr"] * p.grad
class Split(torch.optim.SGD):
    def __init__(self, params, lr: float = 0.1):
        params = list(params)
        vectors, others = ([p for p in params if (p.ndim == 1) == one] for one in (True, False))
        super().__init__([{"params": vectors}, {"params": others}], lr)
class Unit(torch.optim.Optimizer):
    def __init__(self, params, lr: float = 0.1): super().__init__(params, {"lr": lr})
    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            norm = torch.stack([p.grad.norm() for p in group["params"]]).norm()
            for p in group["params"]: p -= group["lr"] * p.grad / norm
"""


@pytest.fixture
def part(tmp_path):
    (tmp_path / "parts.py").write_text(PARTS)
    return lambda kind, name: own.load(kind, Settings, name if "." in name else f"parts.py:{name}", tmp_path)


def curves(tensors, parts=None, sizes=(31, 40, 36), **training):
    how = recipe(SMALL, "accuracy" if tensors.dataset.classes else "rmse", epochs=4, batch_size=8, **training)
    found = replace(how, own=parts) if parts else how
    return train(found, lanes_of(tensors, sizes), tensors, go_on).curves


def assert_alike(ours, theirs):
    for view in range(len(ours.lanes)):
        assert_same_view(ours, view, theirs, view)


@pytest.mark.parametrize("name", ["mean_loss", "row_loss", "Smooth"])
def test_a_loss_of_classes_trains_as_torchs(part, name):
    """The batches of the lanes differ in size, so that some end with padding, which no mean may count."""
    loss = OwnLoss(part(LOSS, name), {"name": f"parts.py:{name}"}, weighted=False)
    assert_alike(curves(classes(), OwnParts(loss=loss)), curves(classes()))


@pytest.mark.parametrize("name", ["squares", "mean_square"])
def test_a_loss_of_numbers_trains_as_torchs(part, name):
    loss = OwnLoss(part(LOSS, name), {"name": f"parts.py:{name}"}, weighted=False)
    found = curves(amounts(), OwnParts(loss=loss), (25, 30, 28))
    assert_alike(found, curves(amounts(), sizes=(25, 30, 28)))


def test_a_loss_may_change_its_arguments(part):
    one, other = (
        curves(classes(), OwnParts(loss=OwnLoss(part(LOSS, name), {"name": f"parts.py:{name}"}, weighted=False)))
        for name in ("in_place", "cloned")
    )
    np.testing.assert_array_equal(one.score, other.score)
    np.testing.assert_array_equal(one.loss, other.loss)


def test_a_loss_may_be_zero_for_a_batch_or_refuse_constant_outputs(part):
    for name in ("sometimes", "positive"):
        loss = OwnLoss(part(LOSS, name), {"name": f"parts.py:{name}"}, weighted=False)
        assert np.isfinite(curves(classes(), OwnParts(loss=loss)).loss).all()


def test_a_loss_that_takes_the_targets_first_is_refused(part):
    loss = OwnLoss(part(LOSS, "keras"), {"name": "parts.py:keras"}, weighted=False)
    with pytest.raises(UsageError, match="takes y_true before y_pred, and a loss gets the outputs first"):
        loss.build(Lanes((1,)))


def test_a_loss_of_pixels_reads_what_torchs_reads(part):
    """Classes in dimension 1, and -100 where a pixel has no label."""
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(2, 3, 4, 5, 6, generator=generator)  # (K, B, H, W, C)
    targets = torch.randint(-1, 6, (2, 3, 4, 5), generator=generator)
    expected = torch.nn.functional.cross_entropy(
        outputs[1].permute(0, 3, 1, 2), targets[1].masked_fill(targets[1] < 0, -100), reduction="none"
    )
    loss = OwnLoss(part(LOSS, "row_loss"), {"name": "parts.py:row_loss"}, weighted=True).build(Lanes((1, 2)))
    torch.testing.assert_close(loss(outputs, targets)[1], expected)


def test_a_lane_of_padding_alone_loses_nothing(part):
    loss = OwnLoss(part(LOSS, "mean_loss"), {"name": "parts.py:mean_loss"}, weighted=False).build(Lanes((1, 2)))
    loss.read(torch.tensor([[True, True], [False, False]]), training=True)
    found = loss(torch.zeros(2, 2, 3), torch.zeros(2, 2, dtype=torch.long))
    torch.testing.assert_close(found, torch.tensor([[np.log(3)] * 2, [0.0, 0.0]], dtype=torch.float32))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("text", "parts.py:text must return a tensor of losses; it returned str"),
        ("codes", "parts.py:codes must return a tensor of losses; it returned a tensor of torch.int64"),
        ("columns", "parts.py:columns returned losses of shape (4, 3) for 4 rows"),
        ("mean_loss", "parts.py:mean_loss returns one loss for the whole batch, so rows cannot be weighted"),
    ],
)
def test_what_is_no_loss_is_refused(part, name, told):
    loss = OwnLoss(part(LOSS, name), {"name": f"parts.py:{name}"}, weighted=True).build(Lanes((1,)))
    with pytest.raises(UsageError) as caught:
        loss(torch.zeros(1, 4, 3), torch.zeros(1, 4, dtype=torch.long))
    assert caught.value.message == told


def test_a_loss_with_weights_is_refused(part):
    with pytest.raises(UsageError, match="Weighted has weights, which would not be trained"):
        OwnLoss(part(LOSS, "Weighted"), {"name": "parts.py:Weighted"}, weighted=False).build(Lanes((1,)))


@pytest.mark.parametrize("name", ["Random", "Counting"])
def test_a_lane_has_its_own_loss_module_and_random_numbers(part, name):
    """With dropout in the loss, or state: a lane trains in a stack exactly as it trains alone, even if other lanes of
    the stack end early; and evaluating it does not change its training."""
    loss = OwnLoss(part(LOSS, name), {"name": f"parts.py:{name}"}, weighted=False)
    how = replace(recipe(SMALL, batch_size=8, epochs=8, early_stopping={"patience": 1}), own=OwnParts(loss=loss))
    tensors = classes()
    lanes = lanes_of(tensors, (31, 40, 36, 38, 33), sets=2)
    together = train(how, lanes, tensors, go_on).curves
    for number, lane in enumerate(lanes):
        alone = train(how, [lane], tensors, go_on).curves
        for view in (0, 1):
            assert_same_view(together, 2 * number + view, alone, view, rtol=1e-5)
    again = train(how, lanes, tensors, go_on).curves
    np.testing.assert_array_equal(again.train_loss, together.train_loss)
    other = train(how, [replace(lane, seed=lane.seed + 1) for lane in lanes], tensors, go_on).curves
    assert not np.array_equal(other.train_loss, together.train_loss)


def test_a_loss_module_is_evaluated_in_evaluation_mode(part):
    loss = OwnLoss(part(LOSS, "Random"), {"name": "parts.py:Random"}, weighted=False).build(Lanes((1,)))
    outputs, targets, counts = torch.randn(1, 9, 3), torch.zeros(1, 9, dtype=torch.long), torch.ones(1, 9).bool()
    loss.read(counts, training=False)
    torch.testing.assert_close(loss(outputs, targets)[0], -outputs.log_softmax(-1)[0, :, 0])
    loss.read(counts, training=True)
    assert not torch.equal(loss(outputs, targets), loss(outputs, targets))


OPTIMIZERS = {
    "torch.optim:Adam": ("adam", {"lr": 0.02}, {"learning_rate": 0.02}),
    "torch.optim:SGD": ("sgd", {"lr": 0.1, "momentum": 0.5}, {"learning_rate": 0.1, "momentum": 0.5}),
    "torch.optim:RMSprop": ("rmsprop", {"lr": 0.01, "alpha": 0.9}, {"learning_rate": 0.01, "alpha": 0.9}),
}
TRAININGS = {
    "plain": {},
    "a schedule": {"schedule": {"name": "cosine"}, "weight_decay": 0.01},
    "a factor for each lane": {"schedule": {"name": "reduce_on_plateau", "patience": 0}},
    "lanes that end early": {"early_stopping": {"patience": 1}, "epochs": 12},
}


@pytest.mark.parametrize("training", TRAININGS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_of_torch_trains_as_ours(part, name, training):
    ours, theirs, settings = OPTIMIZERS[name]
    more = {"epochs": 4, **TRAININGS[training]}
    tensors, how = classes(), recipe(SMALL, batch_size=8, optimizer={"name": ours, **settings}, **more)
    made = OwnOptimizer(part(OPTIMIZER, name), {"name": name, **theirs}, how.settings.weight_decay)
    lanes = lanes_of(tensors, (31, 40, 36, 38, 33))
    found, expected = (
        train(each, lanes, tensors, go_on).curves for each in (replace(how, own=OwnParts(optimizer=made)), how)
    )
    assert_alike(found, expected)


def test_an_optimizer_without_weight_decay_is_refused_where_there_is_one(part):
    made = OwnOptimizer(part(OPTIMIZER, "NoDecay"), {"name": "parts.py:NoDecay"}, 0.1)
    with pytest.raises(UsageError, match="NoDecay does not take weight_decay"):
        curves(classes(), OwnParts(optimizer=made))


def test_an_optimizer_may_put_other_tensors_into_its_parameters(part):
    made = OwnOptimizer(part(OPTIMIZER, "Rebind"), {"name": "parts.py:Rebind", "lr": 0.05}, 0.0)
    found = curves(classes(), OwnParts(optimizer=made))
    assert_alike(found, curves(classes(), optimizer={"name": "sgd", "learning_rate": 0.05}))


def test_an_optimizer_may_make_groups_of_its_own(part):
    made = OwnOptimizer(part(OPTIMIZER, "Split"), {"name": "parts.py:Split", "lr": 0.05}, 0.0)
    found = curves(classes(), OwnParts(optimizer=made), schedule={"name": "cosine"})
    ours = {"name": "sgd", "learning_rate": 0.05}
    assert_alike(found, curves(classes(), optimizer=ours, schedule={"name": "cosine"}))


def test_an_optimizer_that_needs_a_closure_is_refused(part):
    for name in ("torch.optim:LBFGS", "parts.py:Closure"):
        made = OwnOptimizer(part(OPTIMIZER, name.removeprefix("parts.py:")), {"name": name}, 0.0)
        with pytest.raises(UsageError, match="needs a closure"):
            curves(classes(), OwnParts(optimizer=made))


def test_frozen_parameters_stay_whatever_the_optimizer_does(part):
    """Rprop reads the learning rate for its first step only."""
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    model.parameter_groups = lambda: [{"params": model[0], "frozen_epochs": 2}]
    copies = Copies(lambda: model, Lanes((1,)))
    flat, groups = FlatWeights(copies), groups_of(copies)
    made = OwnOptimizer(part(OPTIMIZER, "torch.optim:Rprop"), {"name": "torch.optim:Rprop"}, 0.0)
    optimizer = made.build(flat, groups, Lanes((1,)))
    rates = GroupRates(groups, flat, optimizer.learning_rate)
    for epoch, thawed in enumerate((False, False, True)):
        before = flat.weights.clone()
        flat.gradients.normal_(generator=torch.Generator().manual_seed(epoch))
        optimizer.step(flat.weights, flat.gradients, rates.applied(1.0, epoch))
        changed = [not torch.equal(*pair) for pair in zip(flat.views(before), flat.views(flat.weights), strict=True)]
        assert changed == [thawed, thawed, True, True]


def test_a_bias_is_a_vector_for_an_optimizer(part):
    """Muon, which is for matrices, refuses it as torch's does."""
    made = OwnOptimizer(part(OPTIMIZER, "torch.optim:Muon"), {"name": "torch.optim:Muon"}, 0.0)
    with pytest.raises(ValueError, match="2D parameters"):
        curves(classes(), OwnParts(optimizer=made))


def test_an_optimizer_sees_all_parameters_of_a_lane_in_one_group(part):
    """One that divides by the norm of the whole gradient is clipping to norm 1, as steps of that norm."""
    made = OwnOptimizer(part(OPTIMIZER, "Unit"), {"name": "parts.py:Unit", "lr": 0.001}, 0.0)
    found = curves(classes(), OwnParts(optimizer=made))
    tiny = 1e-4  # no gradient is smaller, so all are clipped to it
    expected = curves(classes(), clip_grad_norm=tiny, optimizer={"name": "sgd", "learning_rate": 0.001 / tiny})
    assert_alike(found, expected)


@pytest.mark.parametrize("training", [{"warmup": 1}, {"schedule": {"name": "cosine"}}])
def test_an_optimizer_without_a_learning_rate_has_no_schedule(part, training):
    made = OwnOptimizer(part(OPTIMIZER, "Rate"), {"name": "parts.py:Rate"}, 0.0)
    with pytest.raises(
        UsageError, match="Rate has no learning rate called lr, so a schedule or a warm-up has no effect"
    ):
        curves(classes(), OwnParts(optimizer=made), **training)


def test_a_schedule_trains_as_ours(part):
    schedule = OwnSchedule(part(SCHEDULE, "cosine"), {"name": "parts.py:cosine"})
    assert_alike(curves(classes(), OwnParts(schedule=schedule)), curves(classes(), schedule={"name": "cosine"}))


@pytest.mark.parametrize(("name", "shown"), [("nothing", "None"), ("below", "-1.0")])
def test_what_is_no_factor_is_refused(part, name, shown):
    schedule = OwnSchedule(part(SCHEDULE, name), {"name": f"parts.py:{name}"})
    with pytest.raises(UsageError) as caught:
        schedule.at(ScheduleStep(2, 0, 5, 10))
    told = f"parts.py:{name} must return a number of at least 0; it returned {shown} in epoch 3"
    assert caught.value.message == told
