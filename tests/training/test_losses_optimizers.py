"""Losses equal scikit-learn's formulas; optimizers on stacked weights equal separate ones and the papers' formulas."""

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn import metrics as sk
from torch import nn

from tuner.training.losses import (
    BY_TASK,
    BinaryCrossEntropy,
    CrossEntropy,
    Dice,
    DiceCrossEntropy,
    Focal,
    Huber,
    Mae,
    Mse,
    Quantile,
    by_row,
    label_mask,
)
from tuner.training.optimizers import Adagrad, Adam, AdamW, NAdam, RMSprop, Sgd


def test_cross_entropy_is_sklearns_log_loss_row_by_row():
    random = np.random.default_rng(0)
    outputs, targets = random.normal(size=(3, 8, 4)), random.integers(0, 4, (3, 8))
    losses = CrossEntropy()(torch.from_numpy(outputs), torch.from_numpy(targets))
    expected = [
        [sk.log_loss([target], softmax(row)[None], labels=range(4)) for target, row in zip(*lane, strict=True)]
        for lane in zip(targets, outputs, strict=True)
    ]
    np.testing.assert_allclose(losses, expected, rtol=1e-12)


def test_mse_is_sklearns_mean_squared_error_row_by_row():
    random = np.random.default_rng(1)
    outputs, targets = random.normal(size=(3, 8, 2)), random.normal(size=(3, 8, 2))
    losses = Mse()(torch.from_numpy(outputs), torch.from_numpy(targets))
    expected = [
        [sk.mean_squared_error(target, row) for target, row in zip(*lane, strict=True)]
        for lane in zip(targets, outputs, strict=True)
    ]
    np.testing.assert_allclose(losses, expected, rtol=1e-12)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_smoothed_cross_entropy_equals_torch(smoothing):
    outputs, targets = torch.randn(3, 8, 4, dtype=torch.double), torch.randint(0, 4, (3, 8))
    own = nn.CrossEntropyLoss(label_smoothing=smoothing)
    for k in range(3):
        ours = CrossEntropy(label_smoothing=smoothing)(outputs, targets)[k].mean()
        torch.testing.assert_close(ours, own(outputs[k], targets[k]))


def test_binary_cross_entropy_is_sklearns_log_loss_of_every_class_against_the_rest():
    random = np.random.default_rng(3)
    outputs, targets = random.normal(size=(2, 5, 3)), random.integers(0, 3, (2, 5))
    losses = BinaryCrossEntropy()(torch.from_numpy(outputs), torch.from_numpy(targets))
    for place in np.ndindex(2, 5):
        sure = 1 / (1 + np.exp(-outputs[place]))
        each = [sk.log_loss([targets[place] == c], [[1 - p, p]], labels=[False, True]) for c, p in enumerate(sure)]
        assert losses[place].item() == pytest.approx(np.mean(each))


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_focal_loss_by_the_formula_of_lin_et_al(gamma):
    random = np.random.default_rng(4)
    outputs, targets = random.normal(size=(2, 5, 3)), random.integers(0, 3, (2, 5))
    losses = Focal(gamma=gamma)(torch.from_numpy(outputs), torch.from_numpy(targets))
    for place in np.ndindex(2, 5):
        p = softmax(outputs[place])[targets[place]]
        assert losses[place].item() == pytest.approx(-((1 - p) ** gamma) * np.log(p))


@pytest.mark.parametrize("ours", [Mae(), Huber(delta=0.5), Huber(delta=2.0)], ids=repr)
def test_mae_and_huber_equal_torch(ours):
    theirs = nn.L1Loss() if isinstance(ours, Mae) else nn.HuberLoss(delta=ours.delta)
    outputs, targets = torch.randn(2, 7, 3, dtype=torch.double), torch.randn(2, 7, 3, dtype=torch.double)
    for k in range(2):
        torch.testing.assert_close(ours(outputs, targets)[k].mean(), theirs(outputs[k], targets[k]))


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_the_quantile_loss_is_sklearns_pinball_loss(level):
    random = np.random.default_rng(6)
    outputs, targets = random.normal(size=(2, 7, 3)).round(1), random.normal(size=(2, 7, 3)).round(1)
    losses = Quantile(quantile=level)(torch.from_numpy(outputs), torch.from_numpy(targets))
    expected = [[sk.mean_pinball_loss(target, row, alpha=level) for target, row in zip(*lane, strict=True)]
                for lane in zip(targets, outputs, strict=True)]  # fmt: skip
    np.testing.assert_allclose(losses, expected, rtol=1e-12)


LOSSES = [(task, loss) for task, losses in BY_TASK.items() for loss in losses.values()]


@pytest.mark.parametrize(("task", "loss"), LOSSES, ids=lambda value: getattr(value, "name", value))
def test_a_rows_loss_and_its_gradient_are_that_rows_alone(task, loss):
    random = np.random.default_rng(2)
    places = {"segmentation": (3, 2), "regression": (), "classification": ()}.get(task, (5,))
    targets = random.normal(size=(2, 6, 4)) if task == "regression" else random.integers(-1, 4, (2, 6, *places))
    if not places and task != "regression":
        targets = abs(targets)
    targets = torch.from_numpy(targets)
    outputs = torch.from_numpy(random.normal(size=(2, 6, *places, 4))).requires_grad_()
    asks = None if task == "regression" else label_mask(targets)
    losses = by_row(loss(outputs, targets), asks)
    assert losses.shape == (2, 6)
    losses[1, 3].backward()
    touched = (outputs.grad != 0).any(dim=-1)
    assert touched.flatten(1).view(2, 6, -1).any(dim=2).nonzero().tolist() == [[1, 3]]
    assert asks is None or not touched[asks == 0].any()
    other = outputs.detach().clone()
    other[1, 3] += torch.arange(4.0)
    assert (by_row(loss(other, targets), asks) != losses.detach()).nonzero().tolist() == [[1, 3]]


def test_dice_by_its_formula_and_with_cross_entropy():
    random = np.random.default_rng(5)
    outputs, targets = random.normal(size=(2, 3, 4, 5, 3)), random.integers(-1, 3, (2, 3, 4, 5))
    found = Dice()(torch.from_numpy(outputs), torch.from_numpy(targets))
    both = DiceCrossEntropy()(torch.from_numpy(outputs), torch.from_numpy(targets))
    for k, row in np.ndindex(2, 3):
        counts = targets[k, row] >= 0
        p, truth = softmax(outputs[k, row][counts], axis=1), targets[k, row][counts]
        each = [(2 * p[truth == c, c].sum() + 1) / (p[:, c].sum() + (truth == c).sum() + 1) for c in range(3)]
        assert found[k, row].item() == pytest.approx(1 - np.mean(each))
        entropy = sk.log_loss(truth, p, labels=range(3))
        assert both[k, row].item() == pytest.approx(1 - np.mean(each) + entropy)


SETTINGS = {
    "adam": (
        Adam(learning_rate=0.01, beta1=0.8, beta2=0.95, eps=0.01),
        lambda p: torch.optim.Adam(p, 0.01, (0.8, 0.95), eps=0.01, weight_decay=0.1),
    ),
    "sgd": (Sgd(learning_rate=0.1), lambda p: torch.optim.SGD(p, 0.1, weight_decay=0.1)),
    "momentum": (Sgd(learning_rate=0.1, momentum=0.9), lambda p: torch.optim.SGD(p, 0.1, 0.9, weight_decay=0.1)),
    "nesterov": (Sgd(learning_rate=0.1, momentum=0.9, nesterov=True),
                 lambda p: torch.optim.SGD(p, 0.1, 0.9, nesterov=True, weight_decay=0.1)),
    "nesterov without momentum": (Sgd(learning_rate=0.1, nesterov=True),
                                  lambda p: torch.optim.SGD(p, 0.1, weight_decay=0.1)),
    "adagrad": (Adagrad(learning_rate=0.1, lr_decay=0.1, eps=0.1),
                lambda p: torch.optim.Adagrad(p, 0.1, 0.1, 0.1, eps=0.1)),
    "rmsprop": (RMSprop(learning_rate=0.01, alpha=0.9, eps=0.1),
                lambda p: torch.optim.RMSprop(p, 0.01, 0.9, eps=0.1, weight_decay=0.1)),
    "rmsprop, all of it": (RMSprop(learning_rate=0.01, momentum=0.5, centered=True),
                           lambda p: torch.optim.RMSprop(p, 0.01, momentum=0.5, centered=True, weight_decay=0.1)),
    "rmsprop, centered": (RMSprop(learning_rate=0.01, centered=True),
                          lambda p: torch.optim.RMSprop(p, 0.01, centered=True, weight_decay=0.1)),
    "adamw": (AdamW(learning_rate=0.01, eps=0.1), lambda p: torch.optim.AdamW(p, 0.01, eps=0.1, weight_decay=0.1)),
    "nadam": (NAdam(learning_rate=0.01, beta1=0.8, eps=0.1),
              lambda p: torch.optim.NAdam(p, 0.01, (0.8, 0.999), eps=0.1, weight_decay=0.1)),
}  # fmt: skip


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("factors", [None, (1.0, 0.5, 0.1, 0.0)], ids=["one rate", "a factor per lane"])
def test_a_stacked_optimizer_equals_separate_ones(name, factors):
    settings, build = SETTINGS[name]
    torch.manual_seed(0)
    start, gradients = torch.randn(4, 5, 3), torch.randn(12, 4, 5, 3)
    stacked = start.clone()
    own = [nn.Parameter(lane.clone()) for lane in start]
    together, apart = settings.build(stacked, 0.1), [build([p]) for p in own]
    for optimizer, factor in zip(apart, factors or [1.0] * 4, strict=True):
        optimizer.param_groups[0]["lr"] *= factor
    by_lane = 1.0 if factors is None else torch.tensor(factors)[:, None, None]
    for gradient in gradients:
        together.step(stacked, gradient.clone(), by_lane)
        for parameter, optimizer, mine in zip(own, apart, gradient, strict=True):
            parameter.grad = mine.clone()
            optimizer.step()
    torch.testing.assert_close(stacked, torch.stack([p.detach() for p in own]), rtol=1e-5, atol=1e-6)


def moved(settings, start, gradients, weight_decay):
    weights = torch.from_numpy(start.copy())
    optimizer = settings.build(weights, weight_decay)
    for gradient in gradients:
        optimizer.step(weights, torch.from_numpy(gradient.copy()))
    return weights.numpy()


@pytest.fixture
def walk():
    random = np.random.default_rng(5)
    return random.normal(size=(2, 3)), random.normal(size=(10, 2, 3))


@pytest.mark.parametrize("weight_decay", [0.0, 0.2])
def test_adam_follows_kingma_and_ba(walk, weight_decay):
    theta, gradients = walk
    found = moved(Adam(learning_rate=0.02, beta1=0.7, beta2=0.9), theta, gradients, weight_decay)
    m = v = np.zeros_like(theta)
    for t, gradient in enumerate(gradients, start=1):
        g = gradient + weight_decay * theta
        m, v = 0.7 * m + 0.3 * g, 0.9 * v + 0.1 * g**2
        theta = theta - 0.02 * (m / (1 - 0.7**t)) / (np.sqrt(v / (1 - 0.9**t)) + 1e-8)
    np.testing.assert_allclose(found, theta, rtol=1e-10)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
@pytest.mark.parametrize("weight_decay", [0.0, 0.2])
def test_sgd_follows_polyak(walk, momentum, weight_decay):
    theta, gradients = walk
    found = moved(Sgd(learning_rate=0.1, momentum=momentum), theta, gradients, weight_decay)
    step = np.zeros_like(theta)
    for gradient in gradients:
        step = momentum * step + gradient + weight_decay * theta
        theta = theta - 0.1 * step
    np.testing.assert_allclose(found, theta, rtol=1e-10)


def test_rmsprop_follows_tieleman_and_hinton(walk):
    theta, gradients = walk
    found = moved(RMSprop(learning_rate=0.01, alpha=0.9), theta, gradients, 0.0)
    mean = np.zeros_like(theta)
    for gradient in gradients:
        mean = 0.9 * mean + 0.1 * gradient**2
        theta = theta - 0.01 * gradient / (np.sqrt(mean) + 1e-8)
    np.testing.assert_allclose(found, theta, rtol=1e-10)
