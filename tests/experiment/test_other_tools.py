"""Mistakes of people who know other tools: each gets one error with the line to write."""

import pytest
from helpers import inside, write_space

from tuner.experiment import other_names, other_tools

BASE = {
    "dataset": {"name": "iris"},
    "model": {"name": "mlp", "hidden_size": 8},
    "training": {"epochs": 2},
    "resampling": {"outer": 3},
    "search": {"sampler": "random", "trials": 2},
}
LR = {"learning_rate": {"low": 1e-4, "high": 0.1, "log": True}}


def within(section, **more):
    return {**BASE, section: {**BASE[section], **more}}


def top(**more):
    return {**BASE, **more}


HINTS = {  # the file, and the hint of its only error
    # a setting in the wrong place
    "weight_decay in the optimizer": (within("training", optimizer={"name": "adam", "weight_decay": 0.01}),
                                      "training: {weight_decay: 0.01}"),
    "patience in training": (within("training", patience=7), "early_stopping: {patience: 7}"),
    "learning rate in training": (within("training", lr=0.01), "optimizer: {name: adam, learning_rate: 0.01}"),
    "learning rate at the top": (top(learning_rate=0.01), "training: {optimizer: {name: adam, learning_rate: 0.01}}"),
    "epochs at the top": (top(epochs=30), "training: {epochs: 30}"),
    "batch size at the top": (top(batch_size=[16, 32]), "training: {batch_size: [16, 32]}"),
    "dropout in training": (within("training", dropout=0.2), "model: {dropout: 0.2}"),
    "epochs in the model": (within("model", epochs=9), "training: {epochs: 9}"),
    "optimizer in the model": (within("model", optimizer="sgd"), "training: {optimizer: sgd}"),
    "early stopping at the top": (top(early_stopping={"patience": 3}), "training: {early_stopping: {patience: 3}}"),
    "pruner at the top": (top(pruner="hyperband"), "search: {pruner: halving}"),
    "sampler at the top": (top(sampler="tpe"), "search: {sampler: tpe}"),
    "trials at the top": (top(n_trials=50), "search: {trials: 50}"),
    "folds at the top": (top(folds=5), "resampling: {outer: 5}"),
    "cv in search": (within("search", cv=5), "resampling: {outer: 5}"),
    "n_splits in resampling": (within("resampling", n_splits=5), "did you mean 'outer'?"),
    "a label at the top": (top(label="species"), "dataset: {target: species}"),
    "a timeout": (within("search", timeout=3600), "limits: {time: 3600s}"),
    "validation_split": (within("training", validation_split=0.2), "resampling: {inner: {holdout: 0.2}}"),
    # names of the same thing
    "lr in the optimizer": (within("training", optimizer={"name": "adam", "lr": 0.1}), "did you mean 'learning_rate'?"),
    "num_epochs": (within("training", num_epochs=5), "did you mean 'epochs'?"),
    "units": (within("model", units=32), "did you mean 'hidden_size'?"),
    "clip": (within("training", clip=1.0), "did you mean 'clip_grad_norm'?"),
    "gradient_clip_val": (within("training", gradient_clip_val=1.0), "did you mean 'clip_grad_norm'?"),
    "max_trials": (within("search", max_trials=9), "did you mean 'trials'?"),
    "algorithm": (within("search", algorithm="tpe"), "did you mean 'sampler'?"),
    "lr_scheduler": (within("training", lr_scheduler="cosine"), "did you mean 'schedule'?"),
    "hidden_sizes": (within("model", hidden_sizes=[64, 32]), "widths: 64-32"),
    "hidden_layer_sizes": (within("model", hidden_layer_sizes=[50]), 'widths: "50"'),
    # what is not in the file
    "device": (top(device="cuda"), "on the command line: tuner search FILE --device cuda"),
    "accelerator": (within("training", accelerator="gpu"), "on the command line: tuner search FILE --device cuda"),
    "n_jobs": (within("search", n_jobs=4), "on the command line: tuner search FILE --workers 4"),
    "direction": (top(direction="maximize"), "leave it out: the direction of a metric is known"),
    "objective": (top(objective="val_loss"), other_tools.OF_THE_TASK),
    "seed": (top(seed=1), "search: {seed: 1} for proposals and trainings; resampling: {seed: 1} for the folds"),
    "initial configurations": (within("search", points_to_evaluate=[{}]),
                               "default: {model.hidden_size: 32}: trial 0"),
    "test_size": (within("resampling", test_size=0.2), "resampling: {outer: 5}: every row is tested once"),
    "program": (top(program="train.py"), "leave it out: nothing here needs it"),
    # ranges and choices
    "min and max": (within("model", hidden_size={"min": 8, "max": 64}), "write hidden_size: {low: 8, high: 64}"),
    "W&B's log range": (within("training", weight_decay={"distribution": "log_uniform", "min": 1e-5, "max": 0.1}),
                        "write weight_decay: {low: 1e-05, high: 0.1, log: true}"),
    "W&B's value": (within("training", batch_size={"value": 16}), "write batch_size: 16"),
    "W&B's values": (within("training", batch_size={"values": [16, 32]}), "write batch_size: [16, 32]"),
    "Optuna's float": (within("model", dropout={"type": "float", "low": 0.0, "high": 0.5}),
                       "write dropout: {low: 0.0, high: 0.5}"),
    "Optuna's categorical": (within("model", activation={"type": "categorical", "choices": ["relu", "tanh"]}),
                             "write activation: [relu, tanh]"),
    "Optuna's call": (within("training", weight_decay="trial.suggest_float('wd', 1e-5, 1e-1, log=True)"),
                      "write weight_decay: {low: 1e-05, high: 0.1, log: true}"),
    "NNI's choice": (within("training", batch_size={"_type": "choice", "_value": [16, 32]}),
                     "write batch_size: [16, 32]"),
    "NNI's loguniform": (within("training", weight_decay={"_type": "loguniform", "_value": [1e-5, 0.1]}),
                         "write weight_decay: {low: 1e-05, high: 0.1, log: true}"),
    "Ray's loguniform": (within("training", weight_decay="tune.loguniform(1e-5, 1e-1)"),
                         "write weight_decay: {low: 1e-05, high: 0.1, log: true}"),
    "Ray's choice": (within("training", batch_size="tune.choice([16, 32])"), "write batch_size: [16, 32]"),
    "Hydra's choice": (within("training", batch_size="choice(16, 32)"), "write batch_size: [16, 32]"),
    "Hydra's interval": (within("training", weight_decay="tag(log, interval(1e-5, 1e-1))"),
                         "write weight_decay: {low: 1e-05, high: 0.1, log: true}"),
    "Hydra's list": (within("training", batch_size="16,32"), "write batch_size: [16, 32]"),
    "Keras Tuner's Int": (within("model", hidden_size={"type": "int", "min_value": 8, "max_value": 64, "step": 8}),
                          "write hidden_size: {low: 8, high: 64, step: 8}"),
    "randint": (within("model", hidden_size="randint(8, 65)"), "write hidden_size: {low: 8, high: 64}"),
    # components and metrics
    "a file as the dataset": (top(dataset="wine.csv"), "dataset: {name: table, path: wine.csv, target: COLUMN}"),
    "a file as its name": (top(dataset={"name": "x.npz"}), "dataset: {name: arrays, path: x.npz}"),
    "an optimizer as a key": (within("training", optimizer={"sgd": {"learning_rate": 0.1}}),
                              "optimizer: {name: sgd, learning_rate: 0.1}"),
    "an optimizer without a name": (within("training", optimizer=LR),
                                    "optimizer: {name: adam, learning_rate: {low: 0.0001, high: 0.1, log: true}}"),
    "Adam": (within("training", optimizer="Adam"), "did you mean 'adam'?"),
    "CrossEntropyLoss": (within("training", loss="CrossEntropyLoss"), "did you mean 'cross_entropy'?"),
    "TPESampler": (within("search", sampler="TPESampler"), "did you mean 'tpe'?"),
    "bayes": (within("search", sampler="bayes"), "did you mean 'tpe'?"),
    "hyperband": (within("search", pruner="hyperband"), "did you mean 'halving'?"),
    "val_acc": (top(metric="val_acc"), "did you mean 'accuracy'?"),
    "W&B's metric": (top(metric={"name": "val_acc", "goal": "maximize"}), "metric: accuracy"),
    "several metrics": (top(metric=["accuracy", "roc_auc"]), "metric: accuracy"),
    "roc": (top(metric="auroc"), "did you mean 'roc_auc'?"),
    # whole spaces
    "W&B's parameters": (top(parameters={"learning_rate": {"min": 0.001, "max": 0.1}, "epochs": {"value": 3}}),
                         "training: {optimizer: {name: adam, learning_rate: {low: 0.001, high: 0.1}}, epochs: 3}"),
    "NNI's searchSpace": (top(searchSpace={"lr": {"_type": "loguniform", "_value": [0.001, 0.1]}, "batch_size": {
                              "_type": "choice", "_value": [16, 32]}}),
                          "training: {optimizer: {name: adam, learning_rate: {low: 0.001, high: 0.1, log: true}}, "
                          "batch_size: [16, 32]}"),
    "scikit-learn's param_grid": (top(param_grid={"alpha": [1], "learning_rate_init": [0.001, 0.01]}),
                                  "training: {optimizer: {name: adam, learning_rate: [0.001, 0.01]}, "
                                  "weight_decay: [1]}; "
                                  "scikit-learn divides alpha by the rows of a batch"),
    "an optimizer among W&B's parameters": (
        top(parameters={"optimizer": {"values": ["adam", "sgd"]}, "learning_rate": {"min": 0.001, "max": 0.1}}),
        "training: {optimizer: {choose: {adam: {learning_rate: {low: 0.001, high: 0.1}}, "
        "sgd: {learning_rate: {low: 0.001, high: 0.1}}}}}"),
    "patience among parameters": (top(params={"early_stopping": True, "patience": 3}),
                                  "training: {early_stopping: {patience: 3}}"),
    "Hyperopt's exponents": (within("training", weight_decay="hp.loguniform('wd', -9.2, -2.3)"),
                             "write weight_decay: {low: 0.000101, high: 0.1, log: true}"),
    "SciPy's location and scale": (within("model", dropout="scipy.stats.uniform(0.1, 0.4)"),
                                   "write dropout: {low: 0.1, high: 0.5}"),
    "the rate of a stated optimizer": (within("training", optimizer={"name": "sgd"}, lr=0.1),
                                       "optimizer: {name: sgd, learning_rate: 0.1}"),
    "no such metric in a mapping": (top(metric={"foo": 1}), "metric: accuracy, or another of: tuner list metrics"),
    "a schedule of another tool": (top(scheduler={"type": "StepLR", "step_size": 10}),
                                   "training: {schedule: {name: step, step_size: 10}}"),
    "several widths": (within("model", hidden_layer_sizes=[[64], [64, 32]]), 'widths: ["64", 64-32]'),
    "Lightning's trainer": (top(trainer={"max_epochs": 30, "gradient_clip_val": 1.0}),
                            "training: {epochs: 30, clip_grad_norm: 1.0}"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", HINTS)
def test_a_mistake_is_one_error_with_the_line_to_write(tmp_path, mistake):
    content, hint = HINTS[mistake]
    code, out, err = inside("check", write_space(tmp_path, **content))
    assert (code, out) == (2, "")
    assert err.count("error: ") == 1, err
    assert f"   = {hint}\n" in err, err


def test_every_place_that_a_hint_names_is_a_setting():
    from tuner.experiment.sections import Limits, Resampling, Search
    from tuner.models.mlp import Settings as Mlp
    from tuner.sources.table import Settings as Table
    from tuner.training.settings import TrainingSettings

    sections = {"training": TrainingSettings, "model": Mlp, "dataset": Table, "search": Search, "limits": Limits}
    sections["resampling"] = Resampling
    for place in other_names.PLACES.values():
        section, name, *_ = place.split(".")
        assert name in sections[section].model_fields, place
