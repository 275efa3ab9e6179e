"""Nested cross-validation as one writes it with Optuna and PyTorch: DataLoader, one study per chain, two processes.

python -m benchmarks.peers.handwritten mlp [--sampler tpe --trials 30]
"""

from __future__ import annotations

import argparse
import json
import statistics
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import optuna
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

EPOCHS, BATCH, FOLDS = 15, 32, 5
GRID = {"hidden": [32, 64], "learning_rate": [1e-3, 1e-2], "weight_decay": [0.0, 1e-3]}


class Recurrent(nn.Module):
    """A recurrent layer and a linear head on its last state."""

    def __init__(self, cell: str, hidden: int) -> None:
        super().__init__()
        self.layer = getattr(nn, cell.upper())(8, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layer(x.view(-1, 8, 8))[0][:, -1])


def build(model: str, hidden: int) -> nn.Module:
    """The network of one configuration."""
    if model == "mlp":
        first, second, last = nn.Linear(64, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, 10)
        return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), last)
    if model == "cnn":  # as many channels as a quarter of the other nets' hidden units
        first, second = nn.Conv2d(1, hidden // 4, 3, padding=1), nn.Conv2d(hidden // 4, hidden // 2, 3, 2, 1)
        layers = (first, nn.ReLU(), second, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return nn.Sequential(nn.Unflatten(1, (1, 8, 8)), *layers, nn.Linear(hidden // 2, 10))
    return Recurrent(model, hidden)


def train_and_score(model: str, config: dict, x: np.ndarray, y: np.ndarray, train, test) -> float:
    """Accuracy on `test` after training on `train`."""
    scaler = StandardScaler().fit(x[train])
    features = torch.from_numpy(scaler.transform(x).astype(np.float32))
    targets = torch.from_numpy(y)
    net = build(model, config["hidden"])
    optimizer = torch.optim.Adam(net.parameters(), config["learning_rate"], weight_decay=config["weight_decay"])
    loader = DataLoader(TensorDataset(features[train], targets[train]), BATCH, shuffle=True)
    for _ in range(EPOCHS):
        net.train()
        for inputs, labels in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(inputs), labels).backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():  # what every user looks at: the validation score of each epoch
            score = (net(features[test]).argmax(1) == targets[test]).float().mean().item()
    return score


def splits(y: np.ndarray, folds: int, seed: int):
    """Stratified folds."""
    return list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(y, y))


def run_chain(task: tuple) -> float | None:
    """Search one outer fold (or, with outer None, all rows) and return its outer-test score."""
    model, sampler_name, trials, outer = task
    torch.set_num_threads(1)
    torch.manual_seed(0)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    x, y = load_digits(return_X_y=True)
    train, test = (np.arange(len(y)), None) if outer is None else splits(y, FOLDS, 0)[outer]
    inner = splits(y[train], FOLDS if outer is None else FOLDS - 1, 1)

    def objective(trial: optuna.Trial) -> float:
        if sampler_name == "grid":
            config = {name: trial.suggest_categorical(name, values) for name, values in GRID.items()}
        else:
            config = {
                "hidden": trial.suggest_int("hidden", 16, 128, log=True),
                "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True),
                "weight_decay": trial.suggest_float("weight_decay", 1e-6, 1e-2, log=True),
            }
        scores = [train_and_score(model, config, x, y, train[a], train[b]) for a, b in inner]
        return statistics.fmean(scores)

    if sampler_name == "grid":
        sampler: optuna.samplers.BaseSampler = optuna.samplers.GridSampler(GRID, seed=0)
    else:
        sampler = optuna.samplers.TPESampler(seed=0)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=trials)
    return None if test is None else train_and_score(model, study.best_params, x, y, train, test)


def main() -> None:
    """Run all chains over two processes and print the outer scores."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--sampler", default="grid")
    parser.add_argument("--trials", type=int, default=8)
    given = parser.parse_args()
    tasks = [(given.model, given.sampler, given.trials, outer) for outer in (*range(FOLDS), None)]
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:  # torch has used no threads yet
        scores = [score for score in pool.map(run_chain, tasks) if score is not None]
    print(json.dumps({"outer": scores}))


if __name__ == "__main__":
    main()
