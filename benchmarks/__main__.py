"""`python -m benchmarks [nested|pruning|layers|growth|roofline|startup|…]`: all, or those named."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import import_module

import tuner  # noqa: F401  before torch: it chooses torch's kernels

ALL = ("nested", "pruning", "layers", "growth", "roofline", "startup", "coverage", "intervals", "noise", "learning",
       "recompute", "memory", "diagnosis")  # fmt: skip


def main() -> None:
    """Print the machine, then each table, in a process of its own."""
    if sys.argv[1:2] == ["--alone"]:
        import_module(f"benchmarks.{sys.argv[2]}").main()
        return
    import torch

    print(f"Python {platform.python_version()}, torch {torch.__version__}, "
          f"{os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}, load at start {os.getloadavg()[0]:.1f}",
          flush=True)  # fmt: skip
    alone = [sys.executable, "-m", "benchmarks", "--alone"]
    sys.exit(max(subprocess.run([*alone, name]).returncode for name in sys.argv[1:] or ALL))


if __name__ == "__main__":
    main()
