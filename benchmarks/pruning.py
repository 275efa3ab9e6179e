"""TPE, 30 trials, outer 5: median pruning against none against the hand-written search; time and outer score."""

from __future__ import annotations

import sys
import tempfile

from benchmarks.nested import ROOT, ours, outer_score, peers_score, space
from benchmarks.timing import in_turns, median, spread, table

SEARCH = "{{sampler: tpe, trials: 30, pruner: {pruner}}}"


def main(rounds: int = 3) -> None:
    """Print seconds and scores."""
    rows = []
    with tempfile.TemporaryDirectory() as pruned, tempfile.TemporaryDirectory() as plain:
        ranges = {
            "model": "{name: mlp, num_layers: 2, hidden_size: {low: 16, high: 128, log: true}}",
            "rate": "{low: 1e-4, high: 1e-1, log: true}",
            "decay": "{low: 1e-6, high: 1e-2, log: true}",
        }
        commands = {
            name: ours(folder, space("mlp", search=SEARCH.format(pruner=pruner), **ranges))
            for name, folder, pruner in (("median pruner", pruned, "median"), ("no pruner", plain, "none"))
        }
        hand = [sys.executable, "-m", "benchmarks.peers.handwritten", "mlp", "--sampler", "tpe", "--trials", "30"]
        commands["by hand"] = hand
        folders = {"median pruner": pruned, "no pruner": plain, "by hand": str(ROOT)}
        done = in_turns(commands, folders, rounds)
        for name, (seconds, printed) in done.items():
            score = peers_score(printed) if name == "by hand" else outer_score(folders[name])
            rows.append((name, spread(seconds), median(done["by hand"][0]) / median(seconds), score))
    table("TPE, 30 trials, outer 5", ("search", "seconds", "times as fast as by hand", "outer score"), rows)
