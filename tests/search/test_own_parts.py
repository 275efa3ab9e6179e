"""Losses, optimizers, schedules and metrics of the user, through the command line."""

import json
import os

import numpy as np
import pytest
from helpers import inside, report_json, search, slow

from tuner.store import read

PARTS = """
import os
import pathlib
import numpy as np
import torch
import torch.nn.functional as F


pathlib.Path(__file__).with_name("processes").open("a").write(f"{os.getpid()}\\n")


def dropped(outputs, targets):
    return F.cross_entropy(F.dropout(outputs, 0.3), targets, reduction="none")


def apart(outputs, targets):
    return torch.tensor(float(F.cross_entropy(outputs, targets)), requires_grad=True)


def total(outputs, targets):
    return F.cross_entropy(outputs, targets, reduction="sum")


def smooth(outputs, targets, eps: float = 0.1):
    return F.cross_entropy(outputs, targets, label_smoothing=eps, reduction="none")


def mean(outputs, targets):
    return F.cross_entropy(outputs, targets)


def broken(outputs, targets):
    return outputs.nothing


def down(epoch: int, epochs: int, end: float = 0.1):
    return 1 - (1 - end) * epoch / epochs


class Sign(torch.optim.Optimizer):
    def __init__(self, params, lr: float = 0.01):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter -= group["lr"] * parameter.grad.sign()


def right(y_true, y_pred, sample_weight): return np.average(y_true == y_pred, weights=sample_weight)
def unweighted(y_true, y_pred): return np.mean(y_true == y_pred)
def surprise(y_true, y_prob): return float(-np.log(y_prob[np.arange(len(y_true)), y_true]).mean())
def far(y_true, y_pred, power: int = 2): return np.mean(np.abs(y_true - y_pred) ** power) ** (1 / power)
def named(classes, y_true): return float(len(classes))
def both(y_true): return {"score": 1.0}
def failing(y_true): raise KeyError("no such cost")
def undefined(y_true, y_pred): return np.nan
def ratio(y_true, y_pred): return 1.0 if len(set(y_pred.tolist())) > 1 else 1 / 0
"""
TRAINING = {
    "epochs": 3,
    "loss": {"choose": {"cross_entropy": {}, "parts.py:smooth": {"eps": [0.1, 0.2]}, "parts.py:mean": {}}},
    "optimizer": {"choose": {"adam": {}, "parts.py:Sign": {"lr": [0.01, 0.1]}, "torch.optim:Adamax": {}}},
    "schedule": {"name": "parts.py:down", "end": [0.1, 0.5]},
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "parts.py").write_text(PARTS)
    return tmp_path


def space(folder, file="space.yaml", **changes):
    content = {
        "dataset": "iris", "model": {"name": "mlp", "hidden_size": 4}, "training": {"epochs": 2},
        "resampling": {"outer": 3}, "search": {"sampler": "random", "trials": 6}, **changes,
    }  # fmt: skip
    (folder / file).write_text(json.dumps(content))
    return folder / file


def check(folder, **changes):
    code, out, err = inside("check", space(folder, **changes))
    return code, out + err


def trials(study):
    (found,) = read(study).values()
    return {name: [(t.number, t.values, t.fold_scores) for t in chain.trials] for name, chain in found.chains.items()}


def test_all_parts_are_searched_and_scores_do_not_depend_on_the_workers(folder):
    path = space(folder, training=TRAINING, metric={"name": "parts.py:surprise", "maximize": False})
    for workers in (1, 2):
        search(path, folder / f"{workers}.db", workers=workers)
    found = trials(folder / "1.db")
    assert found == trials(folder / "2.db")
    tried = {(v["training.loss"], v["training.optimizer"]) for _, v, _ in found["final"]}
    assert {"parts.py:smooth", "parts.py:mean"} & {loss for loss, _ in tried}
    assert all(scores for trials in found.values() for _, _, scores in trials)
    code, _, err = inside("replay", folder / "1.db", "--trial", 0)
    assert code == 0, err
    assert str(os.getpid()) not in (folder / "processes").read_text().split()


@pytest.mark.parametrize("workers", [0, 1])
def test_own_code_never_runs_in_this_process_and_its_random_numbers_are_seeded(folder, workers):
    """With a model of tuner's; a trial trained again draws the same."""
    path = space(folder, training={"epochs": 2, "loss": "parts.py:dropped"}, search={"trials": 2})
    search(path, folder / "study.db", workers=workers)
    for words in (["replay", folder / "study.db", "--trial", 1], ["curve", folder / "study.db"]):
        code, _, err = inside(*words)
        assert code == 0, err
    assert str(os.getpid()) not in (folder / "processes").read_text().split()


def test_the_loss_of_rows_that_weigh_in_scores_alone_is_ours(folder):
    rows = "".join(f"{i % 7},{1 + i % 3},{'ab'[i % 2]}\n" for i in range(60))
    (folder / "rows.csv").write_text(f"x,w,y\n{rows}")
    dataset = {"name": "table", "path": "rows.csv", "target": "y", "weights": "w", "weights_for": "scores"}
    code, said = check(folder, dataset=dataset, training={"loss": "parts.py:mean"})
    assert code == 2 and "returns one loss for the whole batch, so rows cannot be weighted" in said
    losses = []
    for file, loss in (("own.yaml", {"name": "parts.py:smooth", "eps": 0.0}), ("ours.yaml", "cross_entropy")):
        path = space(folder, file, dataset=dataset, training={"epochs": 2, "loss": loss})
        search(path, folder / f"{file}.db", workers=1)
        (study,) = read(folder / f"{file}.db").values()
        losses.append([trial.curves.loss for trial in study.chains["final"].trials])
    np.testing.assert_allclose(*losses, rtol=1e-6)


@pytest.mark.parametrize(
    ("dataset", "own", "ours"),
    [
        ("iris", {"name": "parts.py:right", "maximize": True}, "accuracy"),
        slow("iris", {"name": "parts.py:surprise", "maximize": False}, "log_loss"),
        slow("diabetes", {"name": "parts.py:far", "maximize": False}, "rmse"),
        ("diabetes", {"name": "parts.py:far", "maximize": False, "power": 1}, "mae"),
    ],
)
def test_a_metric_scores_models_and_the_dummy_as_ours(folder, dataset, own, ours):
    found = []
    for file, metric in (("own.yaml", own), ("ours.yaml", ours)):
        search(space(folder, file, dataset=dataset, metric=metric), folder / f"{file}.db", workers=1)
        found.append(json.loads(report_json(folder / f"{file}.db")))
    one, other = found
    assert one["metric"] == own["name"] and one["maximize"] == other["maximize"]
    for mine, theirs in zip(one["outer_folds"], other["outer_folds"], strict=True):
        assert mine["trial"] == theirs["trial"]
        for score in ("inner", "outer test", "default", "dummy"):
            assert mine[score] == pytest.approx(theirs[score], rel=1e-9), score


REFUSED = {
    "a direction is missing": ({"metric": "parts.py:right"}, "metric.maximize is missing"),
    "an unknown setting": (
        {"metric": {"name": "parts.py:right", "maximise": True}}, "unknown key 'maximise' in metric"),
    "no such function": ({"metric": {"name": "parts.py:rigth", "maximize": True}}, "did you mean 'right'?"),
    "what is not there": (
        {"dataset": "diabetes", "metric": {"name": "parts.py:surprise", "maximize": False}},
        "parts.py:surprise asks for y_prob, which a regression task does not have"),
    "no number": (
        {"metric": {"name": "parts.py:both", "maximize": True}}, "both must return a number; it returned dict"),
    "an error": (
        {"metric": {"name": "parts.py:failing", "maximize": True}},
        "parts.py:failing fails on predictions that are nearly right: KeyError"),
    "an error on the dummy": (
        {"training": {"epochs": 20}, "metric": {"name": "parts.py:ratio", "maximize": True}},
        "parts.py:ratio fails on the predictions of the dummy: ZeroDivisionError"),
    "no score": (
        {"metric": {"name": "parts.py:undefined", "maximize": True}},
        "parts.py:undefined returned nan for predictions that are nearly right"),
    "a loss that the outputs do not reach": (
        {"training": {"loss": "parts.py:apart"}}, "parts.py:apart returned a loss that does not depend on the outputs"),
    "a sum of losses": (
        {"training": {"loss": "parts.py:total"}}, "parts.py:total returns the sum of the losses of the rows"),
    "a tuned threshold": (
        {"dataset": "breast_cancer", "search": {"threshold": "tuned"},
         "metric": {"name": "parts.py:right", "maximize": True}}, "threshold: tuned has no effect on parts.py:right"),
    "a broken loss": ({"training": {"loss": "parts.py:broken"}}, "parts.py:broken fails: AttributeError"),
    "one loss for weighted rows": (
        {"training": {"loss": "parts.py:mean", "class_weight": "balanced"}},
        "parts.py:mean returns one loss for the whole batch, so rows cannot be weighted"),
    "weight_decay": (
        {"training": {"optimizer": "parts.py:Sign", "weight_decay": 0.1}},
        "parts.py:Sign does not take weight_decay, and training.weight_decay is 0.1"),
    "a metric as a loss": ({"training": {"loss": "parts.py:Sign"}}, "is not a function or torch.nn.Module"),
    "an installed function": ({"training": {"loss": "torch.nn.functional:mse_loss"}}, "declares no entry point"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_used_is_refused_by_check(folder, what):
    changes, told = REFUSED[what]
    code, said = check(folder, **changes)
    assert code == 2 and told in said, said
    assert said.count("error:") == 1


def test_a_module_of_torch_is_a_loss(folder):
    loss = {"name": "torch.nn:CrossEntropyLoss", "label_smoothing": [0.0, 0.1]}
    code, said = check(folder, training={"epochs": 1, "loss": loss})
    assert code == 0, said


def test_a_class_weight_goes_with_a_loss_of_rows(folder):
    training = {"epochs": 2, "loss": "parts.py:smooth", "class_weight": "balanced"}
    assert check(folder, training=training)[0] == 0


def test_arguments_that_a_file_cannot_hold_are_said(folder):
    code, said = check(folder, training={"optimizer": {"name": "torch.optim:Adamax", "lr": 0.01}})
    assert code == 0 and "torch.optim:Adamax: betas (tuple[float, float]), as an experiment file cannot hold" in said


def test_rows_with_weights_need_a_metric_that_takes_them(folder):
    (folder / "rows.csv").write_text("x,w,y\n" + "".join(f"{i % 7},{1 + i % 3},{'ab'[i % 2]}\n" for i in range(40)))
    dataset = {"name": "table", "path": "rows.csv", "target": "y", "weights": "w"}
    for name, code, told in (("unweighted", 2, "unweighted does not take sample_weight"), ("right", 0, "")):
        found, said = check(folder, dataset=dataset, metric={"name": f"parts.py:{name}", "maximize": True})
        assert found == code and told in said, said


def test_a_changed_file_is_refused(folder):
    path = space(folder, metric={"name": "parts.py:right", "maximize": True})
    search(path, folder / "study.db", workers=1)
    (folder / "parts.py").write_text(PARTS + "\n")
    code, _, err = inside("search", path, "--study", folder / "study.db", "--workers", 1)
    assert code == 2 and "the file of parts.py:right" in err
