"""Every number of a report, recomputed from the study's raw records by code that shares nothing with tuner's own.

Reads study.db with sqlite3, and computes with NumPy, SciPy and scikit-learn. `python -m benchmarks recompute` runs four
small searches from the command line and prints the largest difference of every kind of number.
"""

from __future__ import annotations

import base64
import io
import json
import math
import sqlite3
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import scipy.stats
import sklearn.metrics as sk

from benchmarks.timing import table

Scores = Callable[[np.ndarray, np.ndarray], float]  # of the truth (V,) and the stored predictions (V, C) or (V, M)
TRAINING = "{epochs: 12, batch_size: 16, optimizer: {name: adam, learning_rate: {low: 1e-3, high: 1e-1, log: true}}%s}"
STUDIES: dict[str, tuple[str, str, Scores]] = {  # metric and the rest of the file, by name
    "repeats": ("accuracy", "dataset: {name: wine}\nresampling: {outer: {folds: 4, repeats: 2}}\n"
                "search: {sampler: random, trials: 4}\ntraining: " + TRAINING % ", early_stopping: {patience: 3}",
                lambda y, z: sk.accuracy_score(y, z.argmax(axis=1))),
    "numbers": ("rmse", "dataset: {name: diabetes}\nresampling: {outer: 3}\nsearch: {sampler: tpe, trials: 4}\n"
                "training: " + TRAINING % "", lambda y, z: sk.root_mean_squared_error(y, z)),
    "inner repeats": ("log_loss", "dataset: {name: breast_cancer}\n"
                      "resampling: {outer: 3, inner: {folds: 3, repeats: 2}}\nsearch: {sampler: random, trials: 4}\n"
                      "training: " + TRAINING % ", early_stopping: {patience: 2}",
                      lambda y, z: sk.log_loss(y, np.exp(z - np.logaddexp.reduce(z, axis=1, keepdims=True)))),
    "flat": ("accuracy", "dataset: {name: iris}\nresampling: {outer: none}\nsearch: {sampler: random, trials: 6}\n"
             "training: " + TRAINING % "", lambda y, z: sk.accuracy_score(y, z.argmax(axis=1))),
}  # fmt: skip
HIGHER = ("accuracy",)


def unpacked(text: str) -> np.ndarray:
    """An array as the study keeps it."""
    found: np.ndarray = np.load(io.BytesIO(zlib.decompress(base64.b64decode(text))))
    return found


def records(study: Path) -> tuple[dict[str, Any], dict[str, list[Any]], dict[str, dict[int, Any]]]:
    """The header, the trials of each chain in order, and its refits by trial number."""
    header: dict[str, Any] = {}
    trials: dict[str, list[Any]] = {}
    refits: dict[str, dict[int, Any]] = {}
    with closing(sqlite3.connect(study)) as db:
        for name, key, value in db.execute(
            "SELECT study_name, key, value_json FROM study_user_attributes JOIN studies USING (study_id)"
        ):
            chain = name.split("/")[1]
            if key == "tuner:header":
                header = json.loads(value)
            elif key.startswith("tuner:refit:"):
                refit = json.loads(value)
                refits.setdefault(chain, {})[refit["number"]] = refit
        for name, value in db.execute(
            "SELECT study_name, value_json FROM trial_user_attributes JOIN trials USING (trial_id) "
            "JOIN studies USING (study_id) WHERE key = 'tuner:record'"
        ):
            trials.setdefault(name.split("/")[1], []).append(json.loads(value))
    return header, {chain: sorted(found, key=lambda t: t["number"]) for chain, found in trials.items()}, refits


def winner(trials: list[Any], sign: int) -> Any:
    """The complete trial of the best score, the earlier one of equals."""
    return max((t for t in trials if t["state"] == "complete"), key=lambda t: (sign * t["score"], -t["number"]))


def half_width(values: np.ndarray, ratio: float) -> float:
    """Nadeau & Bengio's (2003) corrected resampled t interval."""
    error = math.sqrt((1 / len(values) + ratio) * values.var(ddof=1))
    return float(scipy.stats.t.ppf(0.975, len(values) - 1) * error)


def p_value(values: np.ndarray, ratio: float) -> float:
    """Two-sided, of the corrected resampled t-test."""
    error = math.sqrt((1 / len(values) + ratio) * values.var(ddof=1))
    return float(2 * scipy.stats.t.sf(abs(values.mean()) / error, len(values) - 1))


def compared(study: Path, report: dict[str, Any], score: Scores) -> Iterator[tuple[str, float, float]]:
    """Every number of the report: its kind, as reported, and as recomputed."""
    header, trials, refits = records(study)
    sign = 1 if header["metric"] in HIGHER else -1
    for chain, found in trials.items():
        for trial in (t for t in found if t["state"] == "complete"):
            curves, patience = trial["curves"]["score"], trial["configuration"]["training"]["early_stopping"]
            ends = [[v for v in fold if v is not None] for fold in curves]
            best = [
                (max if sign > 0 else min)(range(len(fold)), key=fold.__getitem__) if patience else len(fold) - 1
                for fold in ends
            ]
            for fold, place, kept in zip(ends, best, trial["fold_scores"], strict=True):
                yield "fold score, from its curve", kept, fold[place]
            yield "trial score", trial["score"], float(np.mean(trial["fold_scores"]))
            if chain == "final" and trial is winner(found, sign):
                yield (
                    "epochs to deploy",
                    report["deploy"]["epochs"],
                    math.ceil(np.median([place + 1 for place in best])),
                )
    yield "deployed trial", report["deploy"]["trial"], winner(trials["final"], sign)["number"]
    outer = [chain for chain in header["chains"] if chain["test"]]
    if not outer:
        yield from flat(header, trials["final"], report, sign)
        return
    ratio = float(np.mean([chain["test"] / chain["rows"] for chain in outer]))
    scores, defaults, dummies, inner = [], [], [], []
    for chain, row in zip(outer, report["outer_folds"], strict=True):
        best, truth = winner(trials[chain["name"]], sign), unpacked(chain["truth"]).astype(float)
        again = [
            score(truth, unpacked(refits[chain["name"]][n]["predictions"]).astype(float)) for n in (best["number"], 0)
        ]
        yield "outer-test score, from predictions", row["outer test"], again[0]
        yield "default's score, from predictions", row["default"], again[1]
        yield "winner", row["trial"], best["number"]
        yield "inner score", row["inner"], best["score"]
        yield "refit epochs", row["epochs"], math.ceil(np.median(best["best_epochs"]))
        scores.append(again[0])
        defaults.append(again[1])
        dummies.append(chain["dummy"]["score"])
        inner.append(best["score"])
    yield "mean", report["score"]["mean"], float(np.mean(scores))
    yield "half width", report["score"]["half"], half_width(np.array(scores), ratio)
    yield "inner best", report["inner_best"], float(np.mean(inner))
    yield "optimism", report["optimism"], sign * float(np.mean(inner) - np.mean(scores))
    gains = {"against_default": defaults, "against_dummy": dummies}
    found = {name: sign * (np.array(scores) - np.array(others)) for name, others in gains.items()}
    p = {name: p_value(values, ratio) for name, values in found.items()}
    low, high = sorted(p.values())
    holm = {low: min(1.0, 2 * low), high: max(min(1.0, 2 * low), high)}
    for name, values in found.items():
        yield "gain", report[name]["gain"]["mean"], float(values.mean())
        yield "gain's half width", report[name]["gain"]["half"], half_width(values, ratio)
        yield "p-value", report[name]["p"], p[name]
        yield "p-value by Holm", report[name]["adjusted"], holm[p[name]]


def flat(
    header: dict[str, Any], trials: list[Any], report: dict[str, Any], sign: int
) -> Iterator[tuple[str, float, float]]:
    """The corrections of a flat search: Tibshirani & Tibshirani (2009), and BBC-CV with ties split evenly."""
    complete = [t for t in trials if t["state"] == "complete"]
    errors = np.array([[-sign * s for s in t["fold_scores"]] for t in complete])
    bias = (errors[errors.mean(axis=1).argmin()] - errors.min(axis=0)).mean()
    best = winner(trials, sign)["score"]
    yield "Tibshirani's correction", report["corrected"]["tibshirani"], best - sign * bias
    rows = np.column_stack([unpacked(t["row_scores"]).astype(float) for t in complete])
    place = unpacked(header["chains"][0]["validated"])
    rng, found = np.random.default_rng(1), []
    for _ in range(4000):
        drawn = rng.integers(0, len(np.unique(place)), len(np.unique(place)))
        times = np.bincount(drawn, minlength=len(np.unique(place)))[np.unique(place, return_inverse=True)[1]]
        means = sign * (times @ rows) / times.sum()
        ties = np.isclose(means, means.max(), rtol=0, atol=1e-12)
        found.append(rows[times == 0][:, ties].mean())
    yield "BBC-CV (two sets of draws)", report["corrected"]["bbc"]["mean"], float(np.mean(found))


def run(folder: Path, name: str) -> Iterator[tuple[str, float, float]]:
    """Search and report from the command line, then recompute."""
    metric, rest, score = STUDIES[name]
    model = "model: {name: mlp, hidden_size: [4, 16], dropout: [0, 0.3]}"
    (folder / "e.yaml").write_text(f"name: x\n{rest}\n{model}\nmetric: {metric}\n", encoding="utf-8")
    study = folder / "study.db"
    tuner = [sys.executable, "-m", "tuner"]
    subprocess.run([*tuner, "search", "e.yaml", "--quiet"], cwd=folder, check=True)
    done = subprocess.run([*tuner, "report", study, "--format", "json"], capture_output=True, check=True, text=True)
    return compared(study, json.loads(done.stdout), score)


def differences(name: str) -> dict[str, tuple[int, float]]:
    """By kind of number: how many there are, and the largest relative difference."""
    found: dict[str, tuple[int, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind, reported, recomputed in run(Path(folder), name):
            count, largest = found.get(kind, (0, 0.0))
            found[kind] = count + 1, max(largest, abs(reported - recomputed) / max(1e-12, abs(recomputed)))
    return found


def main() -> None:
    """Print the largest difference of every kind of number in every study."""
    rows = [(name, kind, *found) for name in STUDIES for kind, found in differences(name).items()]
    table("Reports recomputed from raw records", ("study", "number", "how many", "largest relative difference"), rows)


if __name__ == "__main__":
    main()
