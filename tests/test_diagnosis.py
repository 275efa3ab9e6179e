"""Diagnoses: curves made by hand, and real trainings that are known to be ill."""

import json

import numpy as np
import pytest
import torch
from helpers import inside, search, write_space
from toys import classes, go_on, lanes_of, recipe

from tuner.models import mlp
from tuner.report import load
from tuner.spec.diagnosis import EXPLODED, SIGNS, diagnose
from tuner.spec.diagnosis import inside as signs_inside
from tuner.training.fitting import build_stacks
from tuner.training.loop import train
from tuner.training.optimizers import Adam, Sgd

EPOCHS = range(20)
FALLING = [0.8**e for e in EPOCHS]
FLAT = [1.0 - 0.01 * e for e in EPOCHS]
CURVES = {  # training loss, validation loss, what they show
    "healthy": (FALLING, [0.1 + 0.7**e for e in EPOCHS], set()),
    "overfitting": (FALLING, [0.5 + abs(e - 6) / 10 for e in EPOCHS], {"overfitting"}),
    "late rise within a tenth": (FALLING, [0.5 + max(6 - e, 0) / 10 + max(e - 6, 0) / 1000 for e in EPOCHS], set()),
    "still improving": (FALLING, [1 - 0.04 * e for e in EPOCHS], {"still improving"}),
    "underfitting": ([0.9] * 20, [0.91] * 20, {"underfitting"}),
    "diverged": ([1 + 0.1 * e for e in EPOCHS], [1 + 0.1 * e for e in EPOCHS], {"diverged", "unstable"}),
    "unstable": ([1.0 if e % 2 else 0.5 for e in EPOCHS[:-1]] + [0.4], [1.0] + [0.5] * 19, {"unstable"}),
    "too short": ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], set()),
    "stopped early": ([*FALLING[:8], *[None] * 12], [*(0.5 + abs(e - 3) / 10 for e in range(8)), *[None] * 12],
                      {"overfitting"}),
}  # fmt: skip


@pytest.mark.parametrize("case", CURVES)
def test_curves_made_by_hand(case):
    training, validation, expected = CURVES[case]
    assert set(told([training] * 3, [validation] * 3)) == expected


def test_most_of_the_folds_decide():
    ill, healthy = CURVES["overfitting"], CURVES["healthy"]
    for count, expected in ((3, ("overfitting",)), (2, ())):
        mix = [ill] * count + [healthy] * (4 - count)
        assert told([curves[0] for curves in mix], [curves[1] for curves in mix]) == expected
    assert told([], []) == ()


GRADIENTS = {  # norms of two layers per epoch, shares of dead units, what they show
    "healthy": ([[1.0, 2.0]] * 4, [0.4], set()),
    "vanishing": ([[1e-5, 2.0]] * 3 + [[1.0, 2.0]], [], {"vanishing gradients"}),
    "vanishing for less than half of the time": ([[1e-5, 2.0]] + [[1.0, 2.0]] * 3, [], set()),
    "small everywhere, as at the end of a training": ([[1e-7, 2e-7]] * 4, [], set()),
    "exploding": ([[1.0, 2.0]] * 3 + [[90.0, 60.0]], [], {"exploding gradients"}),
    "no number": ([[1.0, 2.0]] * 3 + [[np.nan, np.inf]], [], {"exploding gradients"}),
    "dead": ([[1.0, 2.0]] * 4, [0.0, 0.51], {"dead ReLUs"}),
}


@pytest.mark.parametrize("case", GRADIENTS)
def test_gradients_made_by_hand(case):
    norms, dead, expected = GRADIENTS[case]
    assert signs_inside(np.array(norms), np.array(dead)) == expected


def told(training, validation):
    """Of losses alone: gradients and units are well."""
    return diagnose(training, validation, [np.ones((3, 2))] * len(training), [np.zeros(1)] * len(training))


def rows(curves):
    return [[None if value != value else value for value in row] for row in curves.tolist()]


TRAININGS = {
    "overfitting": (mlp.Settings(hidden_size=128, num_layers=2), {"epochs": 60, "optimizer": Adam(learning_rate=0.01)}),
    "still improving": (mlp.Settings(hidden_size=16), {"epochs": 8, "optimizer": Adam(learning_rate=0.003)}),
    "unstable": (mlp.Settings(hidden_size=64, num_layers=2), {"epochs": 30, "optimizer": Sgd(learning_rate=1.0)}),
    "vanishing gradients": (mlp.Settings(num_layers=10, activation="sigmoid"), {"epochs": 2}),
    "dead ReLUs": (mlp.Settings(num_layers=2), {"epochs": 4, "optimizer": Adam(learning_rate=1.0)}),
    "exploding gradients": (mlp.Settings(num_layers=4), {"epochs": 8, "optimizer": Adam(learning_rate=3.0)}),
}


@pytest.mark.parametrize("sign", TRAININGS)
def test_real_trainings_that_are_ill(sign):
    model, training = TRAININGS[sign]
    table = classes(90)
    how = recipe(model, "log_loss", batch_size=8, early_stopping=None, **training)
    trained = train(how, lanes_of(table, [60, 60, 60]), table, go_on)
    read = [trained.readings.of(k, k, training["epochs"]) for k in range(3)]
    losses = rows(trained.curves.train_loss), rows(trained.curves.loss)
    assert sign in diagnose(*losses, [r.norms for r in read], [r.dead for r in read])


def test_the_gauges_read_what_torch_says():
    """Gradients by autograd on a lane's last batch, whole; dead units by the activations themselves."""
    table = classes(90)
    how = recipe(mlp.Settings(hidden_size=8, num_layers=2), "log_loss", batch_size="full",
                 optimizer=Sgd(learning_rate=1e-9))  # fmt: skip
    lanes = lanes_of(table, [60, 60])
    (stack,) = build_stacks(how, lanes, table)
    stack.train_epoch()
    norms, dead = stack.gradient_norms(), stack.evaluate().dead
    assert stack.gauges.layers == ("0", "2", "4") and stack.gauges.relus == ("1", "3")
    for k, lane in enumerate(lanes):
        x, y = table.features[lane.train], table.targets[lane.train]
        mean, spread = x.mean(dim=0), x.std(dim=0, unbiased=False)
        alone = [p.detach()[k].clone().requires_grad_() for p in stack.model.parameters()]
        scaled = [((rows - mean) / spread) for rows in (x, table.features[lane.evaluations[0]])]
        out, _ = by_hand(scaled[0], alone)
        gradients = torch.autograd.grad(torch.nn.functional.cross_entropy(out, y), alone)
        for layer in range(3):
            both = torch.cat([g.flatten() for g in gradients[2 * layer : 2 * layer + 2]])
            assert norms[k, layer] == pytest.approx(both.norm().item(), rel=1e-4)
        _, hidden = by_hand(scaled[1], alone)
        assert dead[k, 0].tolist() == [pytest.approx((h == 0).all(dim=0).double().mean().item()) for h in hidden]


def test_a_gradient_beyond_all_numbers_is_kept_as_none(tmp_path):
    """A refit may end well whose gradient overflowed; the study is JSON, which knows no infinity."""
    optimizer = {"name": "adam", "learning_rate": [100.0]}
    path = write_space(
        tmp_path, dataset={"name": "diabetes"}, model={"num_layers": 3, "hidden_size": 32, "activation": "relu"},
        metric="mae", training={"epochs": 4, "early_stopping": None, "optimizer": optimizer}, search={"trials": 1},
    )  # fmt: skip
    search(path, tmp_path / "study.db")
    told = json.loads(inside("report", tmp_path / "study.db", "--format", "json")[1])["gradients"]
    norms = [norm for fold in told.values() for layer in fold["default"]["norms"].values() for norm in layer]
    assert len(norms) == 4 * 4 * len(told) and max(norm or 0 for norm in norms) > EXPLODED
    assert "Exploding gradients in" in inside("report", tmp_path / "study.db")[1]


def by_hand(x, parameters):
    """Outputs and both hidden layers of an mlp of two of them."""
    hidden = []
    for place in range(0, 6, 2):
        weight, bias = parameters[place : place + 2]
        x = x @ weight + bias
        if place < 4:
            x = torch.relu(x)
            hidden.append(x)
    return x, hidden


def test_the_report_says_it_in_a_column_and_in_words(tmp_path):
    optimizer = {"name": "adam", "learning_rate": [1e-3, 2e-3]}
    path = write_space(tmp_path, training={"epochs": 10, "early_stopping": None, "optimizer": optimizer})
    search(path, tmp_path / "study.db")
    best = load(tmp_path / "study.db").ranking()[0]
    assert best.diagnosis == ("still improving",)
    said = " ".join(inside("report", tmp_path / "study.db")[1].split())
    assert f"still improving: {SIGNS['still improving'].rule}; try more epochs" in said
    table = inside("report", tmp_path / "study.db", "--format", "csv")[1].splitlines()
    assert "diagnosis" in table[0] and "still improving" in table[1]
