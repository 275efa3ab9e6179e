"""Losses equal scikit-learn's formulas; optimizers on stacked weights equal separate ones and the papers' formulas."""

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn import metrics as sk
from torch import nn

from tuner.training.losses import cross_entropy, mse
from tuner.training.optimizers import Adam, Sgd


def test_cross_entropy_is_sklearns_log_loss_row_by_row():
    random = np.random.default_rng(0)
    outputs, targets = random.normal(size=(3, 8, 4)), random.integers(0, 4, (3, 8))
    losses = cross_entropy(torch.from_numpy(outputs), torch.from_numpy(targets))
    expected = [
        [sk.log_loss([target], softmax(row)[None], labels=range(4)) for target, row in zip(*lane, strict=True)]
        for lane in zip(targets, outputs, strict=True)
    ]
    np.testing.assert_allclose(losses, expected, rtol=1e-12)


def test_mse_is_sklearns_mean_squared_error_row_by_row():
    random = np.random.default_rng(1)
    outputs, targets = random.normal(size=(3, 8, 2)), random.normal(size=(3, 8, 2))
    losses = mse(torch.from_numpy(outputs), torch.from_numpy(targets))
    expected = [
        [sk.mean_squared_error(target, row) for target, row in zip(*lane, strict=True)]
        for lane in zip(targets, outputs, strict=True)
    ]
    np.testing.assert_allclose(losses, expected, rtol=1e-12)


@pytest.mark.parametrize("loss", [cross_entropy, mse])
def test_a_rows_loss_and_its_gradient_are_that_rows_alone(loss):
    random = np.random.default_rng(2)
    targets = random.integers(0, 4, (2, 6)) if loss is cross_entropy else random.normal(size=(2, 6, 4))
    targets = torch.from_numpy(targets)
    outputs = torch.from_numpy(random.normal(size=(2, 6, 4))).requires_grad_()
    losses = loss(outputs, targets)
    assert losses.shape == (2, 6)
    losses[1, 3].backward()
    touched = (outputs.grad != 0).any(dim=-1)
    assert touched.nonzero().tolist() == [[1, 3]]
    other = outputs.detach().clone()
    other[1, 3] += torch.arange(4.0)
    assert (loss(other, targets) != losses.detach()).nonzero().tolist() == [[1, 3]]


SETTINGS = {
    "adam": (
        Adam(learning_rate=0.01, beta1=0.8, beta2=0.95),
        lambda p: torch.optim.Adam(p, 0.01, (0.8, 0.95), weight_decay=0.1),
    ),
    "sgd": (Sgd(learning_rate=0.1), lambda p: torch.optim.SGD(p, 0.1, weight_decay=0.1)),
    "momentum": (Sgd(learning_rate=0.1, momentum=0.9), lambda p: torch.optim.SGD(p, 0.1, 0.9, weight_decay=0.1)),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_stacked_optimizer_equals_separate_ones(name):
    settings, build = SETTINGS[name]
    torch.manual_seed(0)
    start, gradients = torch.randn(4, 5, 3), torch.randn(12, 4, 5, 3)
    stacked = start.clone()
    own = [nn.Parameter(lane.clone()) for lane in start]
    together, apart = settings.build(stacked, 0.1), [build([p]) for p in own]
    for gradient in gradients:
        together.step(stacked, gradient.clone())
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
