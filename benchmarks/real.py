"""Real files: what `tuner search` and `tuner report` say of public data sets, against a bar that is stated.

The files are not part of the project: they lie, or are linked, in `benchmarks/real_data/data`, one folder for each
data set, as the experiment files beside it name them.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from benchmarks.timing import run, table

HERE = Path(__file__).parent / "real_data"
BARS = {"japanese_vowels": 0.95, "mnist": 0.98, "sentiment": 0.78, "translation": None, "airline": None}
COLUMNS = ("experiment", "metric", "score", "95 % interval", "dummy", "bar", "reached", "seconds")


def searched(name: str, stated: float | None) -> tuple[object, ...]:
    """One row: the outer-test score, and whether it reached the bar; where none is stated, that is the dummy's."""
    tuner = (sys.executable, "-m", "tuner")
    with tempfile.TemporaryDirectory() as folder:
        seconds, _ = run((*tuner, "search", str(HERE / f"{name}.yaml")), folder)
        told = json.loads(run((*tuner, "report", "study.db", "--format", "json"), folder)[1])
    score, dummy = told["score"], told["against_dummy"]["mean"]
    bar = dummy if stated is None else stated
    reached = score["mean"] >= bar if told["maximize"] else score["mean"] <= bar
    mean, low, high, dummy, bar = (f"{value:.4g}" for value in (score["mean"], score["low"], score["high"], dummy, bar))
    return name, told["metric"], mean, f"{low} … {high}", dummy, bar, "yes" if reached else "no", seconds


def main() -> None:
    """Print every search's row."""
    if not (HERE / "data").exists():
        sys.exit(f"{HERE / 'data'} is missing: put the files there that the experiments beside it name")
    table("Real files, outer-test scores", COLUMNS, (searched(name, stated) for name, stated in BARS.items()))
