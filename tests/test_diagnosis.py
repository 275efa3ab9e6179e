"""Diagnoses: curves made by hand, and real trainings that are known to be ill."""

import pytest
from helpers import inside, search, write_space
from toys import classes, go_on, lanes_of, recipe

from tuner.models import mlp
from tuner.report import load
from tuner.spec.diagnosis import SIGNS, diagnose
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
    assert set(diagnose([training] * 3, [validation] * 3)) == expected


def test_half_of_the_folds_decide():
    ill, healthy = CURVES["overfitting"], CURVES["healthy"]
    for count, expected in ((2, ("overfitting",)), (1, ())):
        mix = [ill] * count + [healthy] * (4 - count)
        assert diagnose([curves[0] for curves in mix], [curves[1] for curves in mix]) == expected
    assert diagnose([], []) == ()


def rows(curves):
    return [[None if value != value else value for value in row] for row in curves.tolist()]


TRAININGS = {
    "overfitting": (mlp.Settings(hidden_size=128, num_layers=2), {"epochs": 60, "optimizer": Adam(learning_rate=0.01)}),
    "still improving": (mlp.Settings(hidden_size=16), {"epochs": 8, "optimizer": Adam(learning_rate=0.003)}),
    "unstable": (mlp.Settings(hidden_size=64, num_layers=2), {"epochs": 30, "optimizer": Sgd(learning_rate=1.0)}),
}


@pytest.mark.parametrize("sign", TRAININGS)
def test_real_trainings_that_are_ill(sign):
    model, training = TRAININGS[sign]
    table = classes(90)
    curves = train(recipe(model, "log_loss", batch_size=8, early_stopping=None, **training),
                   lanes_of(table, [60, 60, 60]), table, go_on).curves  # fmt: skip
    assert sign in diagnose(rows(curves.train_loss), rows(curves.loss))


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
