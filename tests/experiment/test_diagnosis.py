"""Diagnoses: curves made by hand, and real trainings that are healthy or known to be ill."""

import json

import numpy as np
import pytest
import torch
from helpers import inside, search, slow, write_space
from toys import classes, lanes_of, recipe

from benchmarks.diagnosis import HEALTHY, ILL, rates, records
from tuner.experiment.configuration import Configuration
from tuner.experiment.diagnosis import EXPLODING_NORM, FINDINGS, FoldTraining, advice, diagnose
from tuner.experiment.diagnosis import inside as signs_inside
from tuner.models import mlp
from tuner.report import load
from tuner.training.fitting import build_stacks
from tuner.training.optimizers import Sgd

EPOCHS = range(20)
FALLING = [0.8**e for e in EPOCHS]
VALLEY = [0.5 + max(6 - e, 0) / 12 + max(e - 6, 0) / 100 for e in EPOCHS]  # lowest in epoch 7
JUMPING = [1.2 if e % 2 else 0.6 for e in EPOCHS]
PLATEAU = [1.0] * 20
NOISE = [1 + 0.01 * e for e in EPOCHS]
CURVES = {  # training loss, validation loss, where a constant prediction has 1, and what they show
    "healthy": (FALLING, [0.1 + 0.7**e for e in EPOCHS], set()),
    "overfitting": (FALLING, VALLEY, {"overfitting"}),
    "a rise within a tenth of the gain": (FALLING, [*VALLEY[:7], *[0.54] * 13], set()),
    "a rise while training loss rests": ([*FALLING[:7], *[FALLING[6]] * 13], VALLEY, set()),
    "still improving": (FALLING, [1 - 0.04 * e for e in EPOCHS], {"still improving"}),
    "the last tenth gave less": (FALLING, [0.5 + 0.4 * 0.7**e for e in EPOCHS], set()),
    "falling again, after it was lower": (FALLING, [*[0.3] * 16, 0.6, 0.6, 0.5, 0.5], {"overfitting"}),
    "underfitting": ([0.9] * 20, [0.91] * 20, {"underfitting"}),
    "not even begun": ([1.1 - 1e-5 * e for e in EPOCHS], [1.1] * 20, {"underfitting"}),
    "a high training loss by dropout": ([0.9] * 20, [*[0.91] * 6, *[0.71] * 14], set()),
    "nothing to learn, by heart": (FALLING, NOISE, {"nothing to learn"}),
    "nothing to learn, and nothing learned by heart": ([1.1, *[1.0] * 19], PLATEAU, {"nothing to learn"}),
    "something to learn": (FALLING, [0.94] * 20, set()),
    "diverged": ([1 + 0.1 * e for e in EPOCHS], [1 + 0.1 * e for e in EPOCHS], {"diverged"}),
    "exploded, then a plateau": ([1e12, *[15.0, 14.0, 16.0] * 6, 15.0], [20.0] * 20, {"diverged"}),
    "far off, but learning": ([5 - 0.1 * e for e in EPOCHS], [5 - 0.1 * e for e in EPOCHS], {"still improving"}),
    "unstable": (JUMPING, [0.5, *JUMPING[1:]], {"unstable"}),
    "training loss jumps by dropout": (JUMPING, [0.1 + 0.7**e for e in EPOCHS], set()),
    "a plateau wriggles": ([1, 1.002] * 10, [1, 1.003] * 10, {"underfitting"}),
    "memorised, and wriggles": ([0.001, 0.003] * 10, [0.3] * 20, set()),
    "too short": ([1.0, 2.0], [1.0, 2.0], set()),
}  # fmt: skip
STOPPED = {  # training loss, validation loss, the epoch that counts, patience, what they show; of 20 planned epochs
    "by patience, after the lowest loss": (FALLING[:12], VALLEY[:12], 7, 5, set()),
    "by accuracy, long after the lowest loss": (FALLING, VALLEY, 18, 2, {"overfitting"}),
    "by accuracy, soon after the lowest loss": (FALLING[:10], VALLEY[:10], 8, 2, set()),
    "while the loss was falling": (FALLING[:8], [1 - 0.04 * e for e in range(8)], 5, 3, {"stopped too early"}),
    "by the planned epochs": (FALLING, [1 - 0.04 * e for e in EPOCHS], 20, 3, {"still improving"}),
    "by a pruner": (FALLING[:8], [1 - 0.04 * e for e in range(8)], 8, 3, set()),
    "long after the lowest loss, which does not count": (FALLING, VALLEY, 7, 13, set()),
}


@pytest.mark.parametrize("case", CURVES)
def test_curves_made_by_hand(case):
    training, validation, expected = CURVES[case]
    assert set(told([training] * 3, [validation] * 3)) == expected


@pytest.mark.parametrize("case", CURVES)
@pytest.mark.parametrize("unit", [0.01, 30.0])
def test_no_unit_of_the_loss_matters(case, unit):
    training, validation, expected = CURVES[case]
    training, validation = [unit * t for t in training], [2 * unit * v for v in validation]
    assert set(told([training] * 3, [validation] * 3, constant=(unit, 2 * unit))) == expected


@pytest.mark.parametrize("case", STOPPED)
def test_what_ended_the_training_decides(case):
    training, validation, best, patience, expected = STOPPED[case]
    rest = [None] * (20 - len(training))
    fold = well([*training, *rest], [*validation, *rest], best)
    assert set(diagnose([fold] * 3, 20, patience)) == expected


def test_most_of_the_folds_decide():
    ill, healthy = CURVES["overfitting"], CURVES["healthy"]
    for count, expected in ((3, ("overfitting",)), (2, ())):
        mix = [ill] * count + [healthy] * (4 - count)
        assert told([curves[0] for curves in mix], [curves[1] for curves in mix]) == expected
    assert told([], []) == ()


def test_one_good_fold_by_chance_is_nothing_to_learn_either():
    """By the mean over the folds: of three, one that had luck is no evidence, but one that learned much is."""
    for lucky, sign in ((0.95, {"nothing to learn"}), (0.5, set())):
        folds = [NOISE, NOISE, [lucky, *NOISE[1:]]]
        assert set(told([FALLING] * 3, folds)) - {"overfitting"} == sign


@pytest.mark.parametrize("norms", [[1e-6, 1.0], [200.0, 1.0]])
def test_a_network_that_cannot_train_does_not_show_that_there_is_nothing_to_learn(norms):
    training, validation, _ = CURVES["nothing to learn, and nothing learned by heart"]
    fold = FoldTraining(training, validation, 20, (1.0, 1.0), np.array([norms] * 20), np.zeros(1))
    (sign,) = diagnose([fold] * 3, 20, None)
    assert "gradients" in sign


def test_a_fold_that_broke_has_diverged():
    fold = FoldTraining([1.0, None], [1.0, None], 2, (1.0, 1.0), np.array([[1e-9, 1e9]] * 2), np.ones(1))
    assert diagnose([fold] * 3, 20, None, broken=True) == ("diverged", "exploding gradients", "dead ReLUs")


def test_where_a_constant_makes_no_loss_the_losses_show_nothing():
    assert told([FALLING] * 3, [NOISE] * 3, constant=(0.0, 1.0)) == ()


APPLIED = {  # a sign, settings that are among its remedies, and what is then no longer advised
    "early stopping": ("overfitting", Configuration({}, {"early_stopping": {"patience": 3}})),
    "gradient clipping": ("exploding gradients", Configuration({}, {"clip_grad_value": 1.0})),
    "he initialization": ("dead ReLUs", Configuration({"initialization": {"name": "he"}}, {})),
    "relu as activation": ("vanishing gradients", Configuration({"activation": "elu"}, {})),
    "normalization": ("vanishing gradients", Configuration({"normalization": "batch"}, {})),
    "residual blocks": ("vanishing gradients", Configuration({"block": "residual"}, {})),
}
NOT_APPLIED = Configuration(
    {"initialization": {"name": "torch"}, "activation": "tanh", "normalization": "none", "residual": False},
    {"early_stopping": None, "clip_grad_norm": None},
)


@pytest.mark.parametrize("remedy", APPLIED)
def test_nothing_is_advised_that_is_applied_already(remedy):
    sign, configuration = APPLIED[remedy]
    assert remedy in advice(sign, [NOT_APPLIED]) and remedy in advice(sign, [Configuration({}, {})])
    assert remedy not in advice(sign, [configuration])
    assert remedy in advice(sign, [configuration, NOT_APPLIED])  # of several configurations, one lacks it


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


def well(training, validation, best, constant=(1.0, 1.0)):
    """A fold whose gradients and units are well."""
    return FoldTraining(training, validation, best, constant, np.ones((3, 2)), np.zeros(1))


def told(training, validation, constant=(1.0, 1.0)):
    """Of losses alone, where every epoch was trained and the last one counts."""
    folds = [well(t, v, len(t), constant) for t, v in zip(training, validation, strict=True)]
    return diagnose(folds, len(training[0]) if training else 0, None)


QUICK = ("classes by accuracy, patience 10", "three classes by log loss, patience 3", "classes, all of 40 epochs",
         "classes, 60 epochs, 90 rows", "learning rate 1e-6", "8 epochs", "learning rate 3e-4, patience 2",
         "SGD, rate 50, linear model", "Adam, learning rate 0.3", "Adam, learning rate 3, 4 layers",
         "Adam, learning rate 1", "12 sigmoid layers", "noise labels, learning rate 1e-3")  # fmt: skip
SITUATIONS = {each.what: each for each in (*HEALTHY, *ILL)}


@pytest.mark.slow
@pytest.mark.parametrize("what", [name if name in QUICK else slow(name) for name in SITUATIONS])
def test_real_trainings(what):
    """A small `python -m benchmarks diagnosis`, from another seed."""
    each = SITUATIONS[what]
    found = rates(records(each, trials=20, seed=1))
    if each.sign is None:
        assert max(found.values()) <= 0.1, found
    else:
        assert found[each.sign] >= 0.8, found


def test_every_sign_is_planted():
    assert {each.sign for each in ILL} == {*FINDINGS}
    assert {*QUICK} <= {*SITUATIONS}


def test_the_gauges_read_what_torch_says():
    """Gradients by autograd on a lane's last batch, whole; dead units by the activations themselves."""
    table = classes(90)
    how = recipe(mlp.Settings(hidden_size=8, num_layers=2), "log_loss", batch_size="full",
                 optimizer=Sgd(learning_rate=1e-9))  # fmt: skip
    lanes = lanes_of(table, [60, 60])
    (stack,) = build_stacks(how, lanes, table)
    stack.train_epoch()
    norms, dead = stack.gradient_norms(), stack.evaluate().dead
    assert stack.layer_monitor.layers == ("0", "2", "4") and stack.layer_monitor.relus == ("1", "3")
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
    assert len(norms) == 4 * 4 * len(told) and max(norm or 0 for norm in norms) > EXPLODING_NORM
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
    optimizer = {"name": "adam", "learning_rate": [1e-2, 2e-2]}
    path = write_space(tmp_path, training={"epochs": 10, "early_stopping": None, "optimizer": optimizer})
    search(path, tmp_path / "study.db")
    best = load(tmp_path / "study.db").ranking()[0]
    assert best.diagnosis == ("still improving",)
    said = " ".join(inside("report", tmp_path / "study.db")[1].split())
    assert f"still improving: {FINDINGS['still improving'].rule}; try more epochs" in said
    table = inside("report", tmp_path / "study.db", "--format", "csv")[1].splitlines()
    assert "diagnosis" in table[0] and "still improving" in table[1]


@pytest.mark.slow
def test_with_early_stopping_neither_it_nor_more_epochs_are_advised(tmp_path):
    """Of 7 studies in which patience ended every training, 5 said so."""
    dataset, model = {"name": "breast_cancer"}, {"hidden_size": [16, 32]}
    training = {"epochs": 60, "early_stopping": {"patience": 3}, "batch_size": 32}
    path = write_space(tmp_path, dataset=dataset, model=model, training=training, search={"trials": 4})
    search(path, tmp_path / "study.db")
    trials = load(tmp_path / "study.db").final.trials
    assert all(trial.epochs < 60 for trial in trials)
    assert not any("still improving" in trial.diagnosis for trial in trials)
    for trial in trials:
        said = inside("report", tmp_path / "study.db", "--trial", trial.number)[1]
        assert "try early stopping" not in said and "more epochs" not in said
