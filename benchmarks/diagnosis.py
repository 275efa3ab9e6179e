"""Diagnoses of healthy trainings and of trainings with a planted fault: how often each sign is found.

Every trial has three folds on a data set of its own. All trials of a situation are lanes of one stack, run by what runs
the jobs of a search, so that hundreds of trainings take seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sklearn.model_selection import KFold

from benchmarks.timing import table
from tuner.data import Amounts, Classes, Dataset, Numbers
from tuner.experiment.configuration import Configuration
from tuner.experiment.diagnosis import FINDINGS
from tuner.experiment.records import TrialRecord
from tuner.search.jobs import ChainView, TrialJob, Work
from tuner.search.trial import Runner
from tuner.training.lanes import Lane

TRIALS, FOLDS, FEATURES = 120, 3, 8
Kind = Literal["binary", "classes", "numbers", "noise labels", "noise numbers", "rare class", "interaction"]


@dataclass(frozen=True)
class Situation:
    """Data sets of a kind, metric, model and training, and the sign that trials must show; None: healthy."""

    what: str
    kind: Kind
    rows: int
    metric: str
    model: Mapping[str, Any]
    training: Mapping[str, Any]
    sign: str | None = None
    snr: float = 3.0  # standard deviation of the signal over that of the noise; of classes, half that of the logit


def _draw(kind: Kind, rows: int, snr: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Features (N, D), and codes (N,) or numbers (N, 1)."""
    x = rng.normal(size=(rows, FEATURES))
    if kind == "noise labels":
        return x, rng.integers(0, 2, rows)
    if kind == "noise numbers":
        return x, rng.normal(size=(rows, 1))
    if kind == "classes":
        centres = rng.normal(size=(3, FEATURES))
        y = rng.integers(0, 3, rows)
        return x + snr / 3 * centres[y], y
    direction = rng.normal(size=FEATURES)
    plane = x @ direction / np.linalg.norm(direction)
    if kind == "interaction":
        signal = 0.4 * plane + np.sign(x[:, 0] * x[:, 1])
    else:
        signal = plane + 0.5 * np.tanh(2 * x[:, 0]) * x[:, 1]
    if kind in ("numbers", "interaction"):
        return x, (signal + rng.normal(size=rows) * signal.std() / snr)[:, None]
    level = np.quantile(signal, 0.85) if kind == "rare class" else np.median(signal)
    logit = 2 * snr * (signal - level) / signal.std()
    return x, (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.int64)


def _dataset(each: Situation, trials: int, seed: int) -> Dataset:
    """The data sets of all trials, one after another."""
    rng = np.random.default_rng(seed)
    parts = [_draw(each.kind, each.rows, each.snr, rng) for _ in range(trials)]
    x, y = (np.concatenate(part) for part in zip(*parts, strict=True))
    classes = tuple(map(str, range(y.max() + 1))) if y.ndim == 1 else ()
    target = Classes(y, classes) if y.ndim == 1 else Amounts(y.astype(np.float64), ("y",))
    return Dataset(each.what, Numbers(x.astype(np.float32)), target)


def records(each: Situation, trials: int = TRIALS, seed: int = 0) -> list[TrialRecord]:
    """What a search would keep of the trials."""
    lanes: list[Lane] = []
    for trial in range(trials):
        for train, test in KFold(FOLDS, shuffle=True, random_state=seed + trial).split(np.arange(each.rows)):
            begin, number = trial * each.rows, 1000 * seed + len(lanes)
            lanes.append(Lane(train + begin, (test + begin,), number))
    folds = np.arange(len(lanes)).reshape(trials, FOLDS)
    views = [ChainView(str(trial), tuple(own.tolist()), np.empty(0, np.int64)) for trial, own in enumerate(folds)]
    configuration = Configuration({"name": "mlp", **each.model}, each.training)
    runner = Runner(Work(_dataset(each, trials, seed), each.metric), "cpu")
    found = runner.run(TrialJob(0, {}, configuration, tuple(lanes), tuple(views)))
    return [record for record in found.values() if isinstance(record, TrialRecord)]


def _train(epochs: int, rate: float, patience: int | None = None, **more: Any) -> dict[str, Any]:
    """Small batches and Adam, where `more` says nothing else."""
    stopping = None if patience is None else {"patience": patience}
    return {"epochs": epochs, "optimizer": {"name": "adam", "learning_rate": rate}, "early_stopping": stopping,
            "batch_size": 16, **more}  # fmt: skip


def _sgd(rate: float, momentum: float = 0.0) -> dict[str, Any]:
    return {"optimizer": {"name": "sgd", "learning_rate": rate, "momentum": momentum}}


LINEAR, SMALL, MIDDLE = {"num_layers": 0}, {"hidden_size": 8}, {"hidden_size": 32}
LARGE, WAVY = {"hidden_size": 64, "num_layers": 2}, {"hidden_size": 32, "activation": "tanh"}
DROPPING, SMOOTH = {**MIDDLE, "dropout": 0.5}, {**WAVY, "num_layers": 2}
DEEP = {"hidden_size": 64, "num_layers": 4}
SIGMOID = {"num_layers": 12, "hidden_size": 16, "activation": "sigmoid"}
HEALTHY = (
    Situation("classes by accuracy, patience 10", "binary", 240, "accuracy", MIDDLE, _train(100, 3e-3, 10)),
    Situation("classes by log loss, patience 10", "binary", 240, "log_loss", MIDDLE, _train(100, 3e-3, 10)),
    Situation("three classes by accuracy, patience 5", "classes", 150, "accuracy", LARGE, _train(60, 3e-3, 5)),
    Situation("three classes by log loss, patience 3", "classes", 150, "log_loss", LARGE, _train(60, 3e-3, 3)),
    Situation("a class of 15 % by ROC-AUC, patience 10", "rare class", 300, "roc_auc", MIDDLE, _train(60, 3e-3, 10)),
    Situation("numbers by MAE, patience 10", "numbers", 240, "mae", MIDDLE, _train(200, 3e-3, 10)),
    Situation("numbers, half noise, patience 10", "numbers", 240, "rmse", MIDDLE, _train(200, 3e-3, 10), snr=1),
    Situation("classes with dropout 0.5, patience 10", "binary", 240, "log_loss", DROPPING, _train(100, 1e-2, 10)),
    Situation("classes, all of 40 epochs", "binary", 600, "log_loss", SMALL, _train(40, 1e-2, weight_decay=0.01)),
    Situation("numbers, all of 60 epochs", "numbers", 600, "rmse", SMALL, _train(60, 1e-2, weight_decay=0.003)),
)  # fmt: skip
ILL = (
    Situation("classes, 60 epochs, 90 rows", "binary", 90, "accuracy", LARGE, _train(60, 0.01), "overfitting", 2),
    Situation("numbers, 100 epochs, 60 rows", "numbers", 60, "rmse", LARGE, _train(100, 0.01), "overfitting", 1),
    Situation("learning rate 1e-6", "binary", 120, "accuracy", MIDDLE, _train(10, 1e-6), "underfitting"),
    Situation("numbers, learning rate 1e-5", "numbers", 120, "rmse", MIDDLE, _train(10, 1e-5), "underfitting"),
    Situation("interaction, linear model", "interaction", 600, "rmse", LINEAR, _train(40, 0.01), "underfitting"),
    Situation("8 epochs", "numbers", 240, "rmse", MIDDLE, _train(8, 1e-3), "still improving"),
    Situation("classes, 8 epochs", "binary", 240, "log_loss", MIDDLE, _train(8, 1e-3, 5), "still improving"),
    Situation("learning rate 3e-4, patience 2", "binary", 240, "accuracy", MIDDLE, _train(90, 3e-4, 2),
              "stopped too early"),
    Situation("SGD, learning rate 50", "binary", 120, "accuracy", LARGE, _train(20, 0, **_sgd(50)), "diverged"),
    Situation("SGD, rate 50, linear model", "binary", 120, "accuracy", LINEAR, _train(20, 0, **_sgd(50)), "diverged"),
    Situation("numbers, SGD, rate 50", "numbers", 120, "rmse", LARGE, _train(20, 0, **_sgd(50)), "diverged"),
    Situation("Adam, learning rate 50", "binary", 120, "accuracy", LARGE, _train(20, 50), "diverged"),
    Situation("Adam, learning rate 0.3", "classes", 120, "accuracy", SMOOTH, _train(30, 0.3), "unstable", 1),
    Situation("numbers, Adam, learning rate 0.3", "numbers", 120, "rmse", SMOOTH, _train(30, 0.3), "unstable", 1),
    Situation("SGD, learning rate 0.7, momentum 0.9", "classes", 120, "accuracy", WAVY,
              _train(30, 0, **_sgd(0.7, 0.9)), "unstable", 1),
    Situation("Adam, learning rate 3, 4 layers", "binary", 120, "accuracy", DEEP, _train(10, 3),
              "exploding gradients"),
    Situation("12 sigmoid layers", "binary", 120, "accuracy", SIGMOID, _train(10, 0.01), "vanishing gradients"),
    Situation("Adam, learning rate 1", "binary", 120, "accuracy", LARGE, _train(10, 1), "dead ReLUs"),
    Situation("noise labels", "noise labels", 120, "accuracy", LARGE, _train(40, 0.01), "nothing to learn"),
    Situation("noise, patience 5", "noise labels", 120, "log_loss", MIDDLE, _train(40, 0.01, 5), "nothing to learn"),
    Situation("noise labels, learning rate 1e-3", "noise labels", 300, "accuracy", MIDDLE, _train(20, 1e-3),
              "nothing to learn"),
    Situation("noise numbers", "noise numbers", 300, "rmse", MIDDLE, _train(40, 3e-3), "nothing to learn"),
    Situation("noise numbers, linear, 900 rows", "noise numbers", 900, "rmse", LINEAR, _train(40, 0.01),
              "nothing to learn"),
)  # fmt: skip
WEAK = Situation("signal: a tenth of the variance", "numbers", 300, "rmse", MIDDLE, _train(60, 3e-3, 10), None, 0.33)


def rates(found: Sequence[TrialRecord]) -> dict[str, float]:
    """The share of the trials that show each sign."""
    return {sign: sum(sign in record.diagnosis for record in found) / len(found) for sign in FINDINGS}


def main() -> None:
    """Print how often each sign is found in each situation, and then what that means for each sign."""
    shares: dict[str, dict[str, float]] = {}
    for each in (*HEALTHY, *ILL, WEAK):
        shares[each.what] = rates(records(each))
    rows = [(each.what, each.sign or "none", *_cells(shares[each.what])) for each in (*HEALTHY, *ILL, WEAK)]
    table(f"Signs found, % of {TRIALS} trials of {FOLDS} folds", ("training", "planted", *FINDINGS), rows)
    table("Per sign", ("sign", "planted trials", "found", "least in a situation", "healthy trials", "false alarms"),
          [_summary(sign, shares) for sign in FINDINGS])  # fmt: skip


def _cells(found: Mapping[str, float]) -> list[str]:
    return [f"{100 * share:.0f}" if share else "" for share in found.values()]


def _summary(sign: str, shares: Mapping[str, Mapping[str, float]]) -> tuple[object, ...]:
    planted = [shares[each.what][sign] for each in ILL if each.sign == sign]
    alarms = [shares[each.what][sign] for each in HEALTHY]
    found = (f"{np.mean(planted):.1%}", f"{min(planted):.1%}") if planted else ("", "")
    return (sign, TRIALS * len(planted), *found, TRIALS * len(alarms), f"{np.mean(alarms):.1%}")


if __name__ == "__main__":
    main()
