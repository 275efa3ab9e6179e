"""Start-up: `tuner --help`, and from Enter to the end of the first training step."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.timing import median, run, table

SPACE = """
name: startup
dataset: iris
model: mlp
training: {epochs: 1, batch_size: full, optimizer: {name: adam, learning_rate: {low: 1e-3, high: 1e-1}}}
resampling: {outer: 5}
search: {sampler: tpe, trials: 1000}
"""


def first_step(tuner: str, folder: str) -> float:
    """Seconds until a trial that is one step long is trained, scored, written and told of."""
    command = f"rm -f study.db && exec '{tuner}' search space.yaml"
    start = time.perf_counter()
    quiet = subprocess.DEVNULL
    with subprocess.Popen(["sh", "-c", command], cwd=folder, stdout=subprocess.PIPE, stderr=quiet, text=True) as search:
        assert search.stdout
        for line in search.stdout:
            if " trial 0:" in line:
                seconds = time.perf_counter() - start
                search.terminate()
                return seconds
    sys.exit("the search ended before its first trial")


def main(rounds: int = 7) -> None:
    """Print seconds."""
    tuner = shutil.which("tuner", path=str(Path(sys.executable).parent)) or "tuner"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "space.yaml").write_text(SPACE)
        rounds_of = {
            "tuner --help": [run([tuner, "--help"], folder)[0] for _ in range(rounds)],
            "from Enter to the end of the first training step": [first_step(tuner, folder) for _ in range(rounds)],
        }
    table("Start-up", ("what", "seconds"), [(name, median(seconds)) for name, seconds in rounds_of.items()])
