"""Every knob of training does what a plain torch loop with the same knob does; on a stack as on each lane alone."""

from functools import partial

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_class_weight
from torch import nn
from torch.optim import lr_scheduler
from toy_data import toy_dataset
from toys import CPU, SMALL, amounts, assert_same_view, classes, go_on, lanes_of, recipe
from twins import SGD, plain_model, scaled

from tuner.models import mlp
from tuner.training.fitting import build_stacks
from tuner.training.lane_data import DatasetTensors
from tuner.training.lanes import Batches, Lane
from tuner.training.loop import train
from tuner.training.losses import CrossEntropy, Huber, Mae
from tuner.training.optimizers import Adagrad, Adam, AdamW, NAdam, RMSprop, Sgd
from tuner.training.schedules import Cosine, Exponential, OneCycle

EPOCHS, ROWS = 5, 33
PLAIN = {"epochs": EPOCHS, "batch_size": 8, "optimizer": Sgd(learning_rate=0.1)}


def clipped(how, model):
    how(list(model.parameters()))


def by_torch(model, lane, x, y, *, loss, optimizer, schedule=None, per_step=False, before=None, l1=0.0, together=1):
    """A loop as in torch's tutorials, in batches of 8; the training loss of every epoch, without the penalty."""
    batches, losses = Batches([lane], 8, CPU), []
    moves = optimizer(model.parameters())
    pace = schedule(moves) if schedule else None
    for _ in range(EPOCHS):
        pairs = zip(batches.epoch(), batches.weights, strict=True)
        of_epoch, total = [rows[0][weights[0] > 0] for rows, weights in pairs], 0.0
        while of_epoch:
            now, of_epoch = of_epoch[:together], of_epoch[together:]
            values = [loss(model(x[batch]), y[batch]) for batch in now]
            total += sum(value.item() * len(batch) for value, batch in zip(values, now, strict=True))
            torch.stack(values).mean().backward()
            (l1 * sum(p.abs().sum() for p in model.parameters())).backward() if l1 else None
            if before:
                before(model)
            moves.step()
            moves.zero_grad()
            if pace and per_step:
                pace.step()
        if pace and not per_step:
            pace.step()
        losses.append(total / len(lane.train))
    return losses


KNOBS = {  # name: training settings, and what the torch loop does
    "clip_grad_norm": (
        {"clip_grad_norm": 0.1}, {"before": partial(clipped, lambda p: nn.utils.clip_grad_norm_(p, 0.1))},
    ),
    "clip_grad_value": (
        {"clip_grad_value": 0.01}, {"before": partial(clipped, lambda p: nn.utils.clip_grad_value_(p, 0.01))},
    ),
    "l1": ({"l1": 0.01}, {"l1": 0.01}),
    "l2": ({"weight_decay": 0.05}, {"optimizer": partial(torch.optim.SGD, lr=0.1, weight_decay=0.05)}),
    "accumulate": ({"accumulate": 2}, {"together": 2}),
    "more together than there are": ({"accumulate": 7}, {"together": 7}),
    "label_smoothing": (
        {"loss": CrossEntropy(label_smoothing=0.2)}, {"loss": nn.CrossEntropyLoss(label_smoothing=0.2)},
    ),
    "cosine": (
        {"schedule": Cosine()}, {"schedule": lambda o: lr_scheduler.CosineAnnealingLR(o, EPOCHS)},
    ),
    "exponential": (
        {"schedule": Exponential(gamma=0.7)}, {"schedule": lambda o: lr_scheduler.ExponentialLR(o, 0.7)},
    ),
    "one-cycle": (
        {"schedule": OneCycle()},
        {"schedule": lambda o: lr_scheduler.OneCycleLR(o, 0.1, 5 * EPOCHS, cycle_momentum=False), "per_step": True},
    ),
    "nesterov": (
        {"optimizer": Sgd(learning_rate=0.1, momentum=0.8, nesterov=True)},
        {"optimizer": partial(torch.optim.SGD, lr=0.1, momentum=0.8, nesterov=True)},
    ),
    "adam": ({"optimizer": Adam(learning_rate=0.01)}, {"optimizer": partial(torch.optim.Adam, lr=0.01)}),
    "adamw, decoupled decay": (
        {"optimizer": AdamW(learning_rate=0.01), "weight_decay": 0.3},
        {"optimizer": partial(torch.optim.AdamW, lr=0.01, weight_decay=0.3)},
    ),
    "nadam": ({"optimizer": NAdam(learning_rate=0.01)}, {"optimizer": partial(torch.optim.NAdam, lr=0.01)}),
    "rmsprop": (
        {"optimizer": RMSprop(learning_rate=0.01, momentum=0.5)},
        {"optimizer": partial(torch.optim.RMSprop, lr=0.01, momentum=0.5)},
    ),
    "adagrad": ({"optimizer": Adagrad(learning_rate=0.05)}, {"optimizer": partial(torch.optim.Adagrad, lr=0.05)}),
}  # fmt: skip


@pytest.mark.parametrize("knob", KNOBS)
def test_a_knob_is_torchs_own(knob):
    settings, theirs = KNOBS[knob]
    tensors = classes()
    (lane,) = lanes_of(tensors, [ROWS])
    how = recipe(
        SMALL, "log_loss", **{"epochs": EPOCHS, "batch_size": 8, "optimizer": Sgd(learning_rate=0.1), **settings}
    )
    (stack,) = build_stacks(how, [lane], tensors)
    model = plain_model(stack, nn.ReLU())
    x = scaled(tensors.dataset.features, lane.train)
    expected = by_torch(model, lane, x, tensors.targets, **{"loss": nn.CrossEntropyLoss(), "optimizer": SGD, **theirs})
    np.testing.assert_allclose(train(how, [lane], tensors, go_on).curves.train_loss[0], expected, rtol=2e-4)


@pytest.mark.parametrize(("loss", "theirs"), [(Mae(), nn.L1Loss()), (Huber(delta=0.3), nn.HuberLoss(delta=0.3))])
def test_a_loss_of_numbers_is_torchs_own(loss, theirs):
    tensors = amounts()
    (lane,) = lanes_of(tensors, [ROWS])
    how = recipe(SMALL, "rmse", **PLAIN, loss=loss)
    (stack,) = build_stacks(how, [lane], tensors)
    x, y = (scaled(values, lane.train) for values in (tensors.dataset.features, tensors.dataset.targets))
    expected = by_torch(plain_model(stack, nn.ReLU()), lane, x, y, loss=theirs, optimizer=SGD)
    np.testing.assert_allclose(train(how, [lane], tensors, go_on).curves.train_loss[0], expected, rtol=2e-4)


def test_balanced_classes_weigh_as_sklearn_says():
    """The last weights tell: the recorded training loss is not weighted."""
    tensors = classes()
    (lane,) = lanes_of(tensors, [ROWS])
    targets = tensors.dataset.targets[lane.train]
    weight = compute_class_weight("balanced", classes=np.arange(3), y=targets)
    how = recipe(
        SMALL, "log_loss", epochs=EPOCHS, batch_size=8, optimizer=Sgd(learning_rate=0.1), class_weight="balanced"
    )
    (stack,) = build_stacks(how, [lane], tensors)
    model = plain_model(stack, nn.ReLU())
    x = scaled(tensors.dataset.features, lane.train)
    weighted = nn.CrossEntropyLoss(weight=torch.tensor(weight, dtype=torch.float32), reduction="none")

    def loss(outputs, y):
        return weighted(outputs, y).mean()  # the weights have mean 1 over the training rows

    by_torch(model, lane, x, tensors.targets, loss=loss, optimizer=SGD)
    curves = train(how, [lane], tensors, go_on).curves
    rows = torch.from_numpy(lane.evaluations[0])
    expected = nn.CrossEntropyLoss()(model(x[rows]), tensors.targets[rows]).item()
    assert curves.loss[0, -1] == pytest.approx(expected, rel=2e-4)


def imbalanced(weights=None):
    """Two classes that overlap, 9 to 1: (features, targets) of 1,200 rows."""
    rng = np.random.default_rng(1)
    y = (np.arange(1200) % 10 == 0).astype(np.int64)
    x = (rng.normal(size=(1200, 2)) + 0.7 * y[:, None]).astype(np.float32)
    return toy_dataset("toy", "classification", x, y, (), ("y",), ("often", "rare"), weights=weights)


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 7, "full"])
@pytest.mark.parametrize("how", ["class_weight", "row weights"])
def test_weights_move_the_decision_as_far_in_batches_of_any_size(batch_size, how):
    """As scikit-learn's logistic regression with the same weights, within what stochastic gradients leave."""
    weights = np.where(imbalanced().targets == 1, 5.0, 5 / 9).astype(np.float32)
    dataset = imbalanced(weights if how == "row weights" else None)
    train_rows, test_rows = np.arange(600), np.arange(600, 1200)
    settings = {"class_weight": "balanced"} if how == "class_weight" else {}
    epochs, rate = (300, 2.0) if batch_size == "full" else (30, 0.003 if batch_size == 1 else 0.02)
    recipe_ = recipe(mlp.Settings(num_layers=0), "balanced_accuracy", epochs=epochs, batch_size=batch_size,
                     optimizer=Sgd(learning_rate=rate), **settings)  # fmt: skip
    lane = Lane(train_rows, (test_rows,), 0)
    curves = train(recipe_, [lane], DatasetTensors(dataset, CPU), go_on).curves
    x = StandardScaler().fit(dataset.features[train_rows]).transform(dataset.features)
    theirs = LogisticRegression(class_weight="balanced", C=1e6).fit(x[train_rows], dataset.targets[train_rows])
    expected = balanced_accuracy_score(dataset.targets[test_rows], theirs.predict(x[test_rows]))
    plain = LogisticRegression(C=1e6).fit(x[train_rows], dataset.targets[train_rows])
    assert balanced_accuracy_score(dataset.targets[test_rows], plain.predict(x[test_rows])) < expected - 0.1
    assert curves.score[0, -1] == pytest.approx(expected, abs=0.04)


@pytest.mark.parametrize("knob", [*KNOBS, "input_noise", "class_weight", "warmup"])
def test_on_a_stack_it_is_as_on_each_lane_alone(knob):
    more = {"input_noise": {"input_noise": 0.3}, "class_weight": {"class_weight": "balanced"}, "warmup": {"warmup": 2}}
    settings = KNOBS[knob][0] if knob in KNOBS else more[knob]
    tensors = classes()
    lanes = lanes_of(tensors, [40, 41, 25])
    how = recipe(SMALL, "log_loss", **{**PLAIN, **settings})
    together = train(how, lanes, tensors, go_on).curves
    for k, lane in enumerate(lanes):
        assert_same_view(together, k, train(how, [lane], tensors, go_on).curves, rtol=0, atol=0)
