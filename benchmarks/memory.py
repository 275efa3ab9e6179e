"""Memory: what loading 1,000,000 rows of 50 numbers adds to a process at its peak, against the float32 array."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.timing import run, table

ROWS, COLUMNS = 1_000_000, 50
BAR = 3.0  # times the array, which a peak stays below
ROOT = str(Path(__file__).parent.parent)
DATA = "CSV, by tuner data"
LOAD = """
import sys, threading, time
from pathlib import Path
from benchmarks.timing import memory
from tuner.data.check import check
from tuner.sources import {source}
from tuner.data.describe import describe
from tuner.sources.loading.guess import guess
import pandas, pyarrow.dataset, safetensors.numpy

before, start = memory("VmRSS"), time.perf_counter()
if {described}:
    assert guess(Path(sys.argv[1]), sys.argv[2])[0]["name"] == "{source}"
dataset = check({source}.load({source}.Settings(path=sys.argv[1], target=sys.argv[2]), Path()))
assert dataset.features.shape == ({rows}, {columns})
if {described}:
    describe(dataset)
print((memory("VmHWM") - before) / dataset.features.nbytes, time.perf_counter() - start)
"""


def write(folder: Path) -> dict[str, tuple[str, str, str]]:
    """The same numbers in every format, each as (source, path, target)."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(ROWS, COLUMNS)), random.integers(0, 3, ROWS)
    frame = pd.DataFrame(x, columns=[f"x{column}" for column in range(COLUMNS)]).assign(y=y)
    frame.to_csv(folder / "t.csv", index=False)
    frame.to_parquet(folder / "t.parquet")
    frame.to_feather(folder / "t.feather")
    np.savez(folder / "wide.npz", X=x, y=y)
    np.savez(folder / "narrow.npz", X=x.astype(np.float32), y=y)
    np.save(folder / "y.npy", y)
    np.save(folder / "wide.npy", x)
    np.save(folder / "narrow.npy", x.astype(np.float32))
    return {
        "CSV": ("table", "t.csv", "y"),
        DATA: ("table", "t.csv", "y"),
        "Parquet, float64": ("table", "t.parquet", "y"),
        "Feather, float64": ("table", "t.feather", "y"),
        "NPZ, float64": ("arrays", "wide.npz", "y"),
        "NPZ, float32": ("arrays", "narrow.npz", "y"),
        "NPY, float64": ("arrays", "wide.npy", "y.npy"),
        "NPY, float32": ("arrays", "narrow.npy", "y.npy"),
    }


def main() -> None:
    """Print each file's peak growth over the array, and the seconds; exits with an error where one passes the bar."""
    rows: list[tuple[str, str, float, float]] = []
    with tempfile.TemporaryDirectory() as name:
        for kind, (source, path, target) in write(Path(name)).items():
            program = LOAD.format(source=source, rows=ROWS, columns=COLUMNS, described=kind == DATA)
            program = f"import sys; sys.path.insert(0, {ROOT!r})\n{program}"
            growth, seconds = run([sys.executable, "-c", program, path, target], name)[1].split()
            size = (Path(name) / path).stat().st_size / 2**20
            rows.append((kind, f"{size:,.0f}", float(growth), float(seconds)))
    table(
        f"Memory to load {ROWS:,} rows × {COLUMNS} numbers ({ROWS * COLUMNS * 4 / 2**20:.0f} MB as float32)",
        ("file", "MB", "peak growth / array", "seconds"),
        rows,
    )
    if above := [kind for kind, _, growth, _ in rows if growth > BAR]:
        sys.exit(f"above {BAR:g} times the array: {', '.join(above)}")
