"""Kills searches at random moments until they are complete: each must end with the tables of one that was never killed.

python -m benchmarks torture                   # KILLS kills
python -m benchmarks.torture 20 7              # 20 kills, seed 7
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.timing import table

KILLS = 300
STARTS = 12  # of a search that is harmed
TUNER = [sys.executable, "-m", "tuner"]
NETS = '''
import random
import torch
from torch import nn
class Net(nn.Module):
    """Drops a layer now and then, by Python's own generator."""
    def __init__(self, in_features, num_classes, hidden: int = 8):
        super().__init__()
        self.one, self.two = nn.Linear(in_features, hidden), nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, num_classes)
    def forward(self, x):
        x = torch.relu(self.one(x))
        return self.last(torch.relu(self.two(x)) if random.random() < 0.5 else x)
'''
MLP = {"name": "mlp", "hidden_size": {"low": 2, "high": 16}}
OWN = {"name": "nets.py:Net", "hidden": {"low": 2, "high": 16}}
RATE = {"low": 0.001, "high": 0.3, "log": True}
LONG = {"epochs": 40, "batch_size": 8, "optimizer": {"name": "adam", "learning_rate": RATE}}
SEARCHES: dict[str, dict[str, Any]] = {
    "tpe": {"search": {"sampler": "tpe", "trials": 8}},
    "tpe, median pruner": {"search": {"sampler": "tpe", "trials": 8, "batch": 2, "pruner": "median"}},
    "random, own model": {"model": OWN, "search": {"sampler": "random", "trials": 8}},
    "grid, own model": {
        "model": {**OWN, "hidden": [2, 4, 8]}, "search": {"sampler": "grid"},
        "training": {**LONG, "optimizer": {"name": "adam", "learning_rate": [0.01, 0.1]}},
    },
    "random, one holdout": {"resampling": {"outer": 3, "inner": 2}, "search": {"sampler": "random", "trials": 8}},
    "flat, gp": {"resampling": {"outer": "none", "inner": 4}, "search": {"sampler": "gp", "trials": 6}},
}  # fmt: skip


@dataclass
class Seen:
    """What a campaign has done."""

    kills: Counter[str] = field(default_factory=Counter)
    searches: int = 0
    wrong: list[str] = field(default_factory=list)


def experiment(folder: Path, name: str) -> Path:
    """The experiment file of a search."""
    (folder / "nets.py").write_text(NETS)
    tree = {"name": "torture", "dataset": "iris", "model": MLP, "training": LONG, "resampling": {"outer": 3}}
    path = folder / "space.yaml"
    path.write_text(json.dumps({**tree, **SEARCHES[name]}))
    return path


def tables(study: Path) -> list[str]:
    """The report of every chain, without the seconds."""
    found = []
    for chain in ("outer-1", "final"):
        words = [*TUNER, "report", study, "--format", "json", "--top", "1000", "--chain", chain]
        done = subprocess.run([*map(str, words)], capture_output=True, text=True)
        found.append(re.sub(r'^ *"seconds": .*\n', "", done.stdout + done.stderr, flags=re.MULTILINE))
    return found


def everybody(process: subprocess.Popen[bytes], draw: random.Random) -> None:
    os.killpg(process.pid, signal.SIGKILL)


def the_driver(process: subprocess.Popen[bytes], draw: random.Random) -> None:
    process.kill()


def a_worker(process: subprocess.Popen[bytes], draw: random.Random) -> None:
    _kill(draw, [each for child in _children(process.pid) for each in _children(child)])


def a_helper(process: subprocess.Popen[bytes], draw: random.Random) -> None:
    """The server that forks workers, or Python's tracker of resources."""
    _kill(draw, _children(process.pid))


def no_open_files(process: subprocess.Popen[bytes], draw: random.Random) -> None:
    """No kill: for a moment, nobody may open a file."""
    pids = [process.pid, *(each.pid for each in psutil.Process(process.pid).children(recursive=True))]
    before = {}
    for pid in pids:
        with suppress(OSError, psutil.Error):
            before[pid] = psutil.Process(pid).rlimit(psutil.RLIMIT_NOFILE)
            psutil.Process(pid).rlimit(psutil.RLIMIT_NOFILE, (3, before[pid][1]))
    time.sleep(draw.uniform(0.1, 1.0))
    for pid, limit in before.items():
        with suppress(OSError, psutil.Error):
            psutil.Process(pid).rlimit(psutil.RLIMIT_NOFILE, limit)


HARM = (everybody, the_driver, a_worker, a_worker, a_helper, no_open_files)


def _children(pid: int) -> list[int]:
    with suppress(psutil.Error):
        return [each.pid for each in psutil.Process(pid).children()]
    return []


def _kill(draw: random.Random, pids: list[int]) -> None:
    if pids:
        with suppress(ProcessLookupError):
            os.kill(draw.choice(pids), signal.SIGKILL)


def disturbed(path: Path, study: Path, draw: random.Random, seen: Seen, most: int) -> None:
    """Run the search, and do it harm, until it is complete; at last it is left alone."""
    for start in range(STARTS + 5):
        words = [*TUNER, "search", path, "--study", study, "--workers", draw.choice((0, 1, 2, 3))]
        process = subprocess.Popen([*map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   start_new_session=True)  # fmt: skip
        while process.poll() is None and start < STARTS and sum(seen.kills.values()) < most:
            with suppress(subprocess.TimeoutExpired):
                process.wait(draw.uniform(0.2, 4.0))
            if process.poll() is None:
                harm = draw.choice(HARM)
                with suppress(psutil.Error, ProcessLookupError):
                    harm(process, draw)
                    seen.kills[harm.__name__.replace("_", " ")] += 1
        _, err = process.communicate()
        said = err.decode(errors="replace")
        if "Traceback" in said or "a bug in tuner" in said or process.returncode not in (0, 3, 75, -9):
            seen.wrong.append(f"exit {process.returncode}: {said[-500:]}")
            return
        if process.returncode == 0:
            return
        time.sleep(0.3)  # what it has started may be on its way out, and hold the lock
    seen.wrong.append("it did not end")


def check(study: Path, whole: list[str], what: str, seen: Seen) -> None:
    """The same tables to the byte, and a sound file without doubled trials."""
    seen.searches += 1
    if not study.exists():
        return
    if tables(study) != whole:
        shutil.copy(study, Path(tempfile.gettempdir()) / f"torture-{os.getpid()}-{seen.searches}.db")
        seen.wrong.append(f"{what}: other tables")
    with closing(sqlite3.connect(study)) as db:
        sound = db.execute("PRAGMA integrity_check").fetchone()[0]
        doubled = db.execute("SELECT count(*) - count(DISTINCT study_id || '/' || number) FROM trials").fetchone()[0]
    if sound != "ok" or doubled:
        seen.wrong.append(f"{what}: integrity {sound}, {doubled} doubled trials")


def campaign(kills: int, seed: int, searches: tuple[str, ...] = tuple(SEARCHES)) -> Seen:
    """Harm searches so often in all."""
    draw, seen, whole = random.Random(seed), Seen(), {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        while sum(seen.kills.values()) < kills:
            what = draw.choice(searches)
            path = experiment(folder, what)
            if what not in whole:
                study = folder / "whole.db"
                subprocess.run([*map(str, [*TUNER, "search", path, "--study", study])], check=True, capture_output=True)
                whole[what] = tables(study)
                study.unlink()
            study = folder / f"{seen.searches}.db"
            disturbed(path, study, draw, seen, kills)
            check(study, whole[what], what, seen)
            study.unlink(missing_ok=True)
            print(f"{sum(seen.kills.values())} kills, {seen.searches} searches, {len(seen.wrong)} wrong",
                  file=sys.stderr, flush=True)  # fmt: skip
    return seen


def main() -> None:
    """Print what was done, and what was wrong."""
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    kills, seed = [*numbers, *(KILLS, 0)[len(numbers) :]][:2]
    seen = campaign(kills, seed)
    rows = [[what, str(count)] for what, count in sorted(seen.kills.items())]
    table("Searches harmed at random moments", ["harm", "times"], rows)
    print(f"{sum(seen.kills.values())} in {seen.searches} searches: {len(seen.wrong)} ended otherwise than undisturbed")
    print("\n".join(seen.wrong))
    sys.exit(bool(seen.wrong))


if __name__ == "__main__":
    main()
