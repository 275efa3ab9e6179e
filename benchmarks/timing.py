"""Whole processes, timed in turns: A B A B …, so that a machine that drifts drifts for both."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

OURS = ("ATEN_CPU_CAPABILITY", "MKL_CBWR")  # kernels that tuner chooses for itself, not for its peers


def run(command: Sequence[str], folder: str) -> tuple[float, str]:
    """Wall seconds of a process from start to exit, and what it printed."""
    plain = {key: value for key, value in os.environ.items() if key not in OURS}
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=plain)
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return seconds, done.stdout


def in_turns(
    commands: Mapping[str, Sequence[str]], folders: Mapping[str, str], rounds: int
) -> dict[str, tuple[list[float], str]]:
    """Seconds of each command, run `rounds` times in turns, and what it printed last."""
    runs = [{name: run(command, folders[name]) for name, command in commands.items()} for _ in range(rounds)]
    return {name: ([each[name][0] for each in runs], runs[-1][name][1]) for name in commands}


def memory(word: str) -> int:
    """Bytes of this process: "VmRSS" now, "VmHWM" at most. (`ru_maxrss` also counts the process that started it.)"""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(word)).split()[1]) * 1024


def spread(seconds: Sequence[float]) -> str:
    """ "7.01 (6.8 … 7.3)": the median, the least and the most."""
    return f"{median(seconds):.3g} ({min(seconds):.3g} … {max(seconds):.3g})"


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a Markdown table, every row as soon as it is there."""
    print(f"\n### {title}\n")
    print("| " + " | ".join(columns) + " |")
    print("|" + " --- |" * len(columns))
    for row in rows:
        print("| " + " | ".join(f"{c:.3g}" if isinstance(c, float) else str(c) for c in row) + " |", flush=True)
