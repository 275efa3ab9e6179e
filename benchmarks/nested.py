"""The same nested answer (5 × 4 folds, refits, final search; 8 configurations) from us and from peers."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.timing import in_turns, median, run, spread, table

ROOT = Path(__file__).resolve().parent.parent
MODELS = {
    "mlp": "{name: mlp, num_layers: 2, hidden_size: [32, 64]}",
    "gru": "{name: rnn, cell: gru, hidden_size: [32, 64]}",
    "lstm": "{name: rnn, cell: lstm, hidden_size: [32, 64]}",
    "cnn": "{name: cnn, channels: [8, 16]}",
}
REACH = {("mlp", "by hand"): 8.0, ("mlp", "scikit-learn"): 3.0, ("gru", "by hand"): 4.0, ("lstm", "by hand"): 2.5,
         ("cnn", "by hand"): 2.0}  # fmt: skip
ALIKE = 0.015  # the most that outer scores may be apart
SPACE = """
name: bench
dataset: {{name: digits, layout: {layout}}}
model: {model}
training:
  epochs: 15
  batch_size: 32
  weight_decay: {decay}
  optimizer: {{name: adam, learning_rate: {rate}}}
resampling: {{outer: 5}}
search: {search}
"""


def space(name: str, **changes: str) -> str:
    """The experiment file of a model, with other texts in the places of `changes`."""
    given = {"decay": "[0.0, 1e-3]", "rate": "[1e-3, 1e-2]", "search": "{sampler: grid}"} | changes
    layout = {"mlp": "flat", "cnn": "image"}.get(name, "rows")
    return SPACE.format(model=given.pop("model", MODELS.get(name, "")), layout=layout, **given)


def ours(folder: str, text: str) -> list[str]:
    """The command that searches `text`, from nothing, in `folder`."""
    (Path(folder) / "space.yaml").write_text(text)
    tuner = shutil.which("tuner", path=str(Path(sys.executable).parent)) or "tuner"
    return ["sh", "-c", f"rm -f study.db && '{tuner}' search space.yaml --workers 2"]


def outer_score(folder: str) -> float:
    """The mean outer score of the study there."""
    out = run([sys.executable, "-m", "tuner", "report", "study.db", "--format", "json"], folder)[1]
    return float(json.loads(out)["score"]["mean"])


def peers_score(printed: str) -> float:
    """The mean outer score that a peer has printed."""
    scores = json.loads(printed.strip().splitlines()[-1])["outer"]
    return sum(scores) / len(scores)


def main(rounds: int = 3) -> None:
    """Print seconds, ratios and scores."""
    rows = []
    for model in MODELS:
        with tempfile.TemporaryDirectory() as folder:
            commands = {"ours": ours(folder, space(model))}
            commands["by hand"] = [sys.executable, "-m", "benchmarks.peers.handwritten", model]
            if model == "mlp":
                commands["scikit-learn"] = [sys.executable, "-m", "benchmarks.peers.scikit"]
            folders = {name: folder if name == "ours" else str(ROOT) for name in commands}
            done = in_turns(commands, folders, rounds)
            mine, score = done.pop("ours")[0], outer_score(folder)
            for peer, (theirs, printed) in done.items():
                ratio, other = median(theirs) / median(mine), peers_score(printed)
                reached = ratio >= REACH[model, peer] and abs(score - other) <= ALIKE
                rows.append(
                    (model, peer, spread(mine), spread(theirs), ratio, score, other, "yes" if reached else "NO")
                )
    columns = ("model", "against", "ours, s", "theirs, s", "ratio", "our outer score", "theirs", "reached")
    table("Nested search, whole processes", columns, rows)
