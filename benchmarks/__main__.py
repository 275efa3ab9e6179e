"""`python -m benchmarks [nested|pruning|layers|growth|roofline|startup …]`: all of them, or those named."""

from __future__ import annotations

import os
import platform
import sys
from importlib import import_module

import torch

ALL = ("nested", "pruning", "layers", "growth", "roofline", "startup")


def main() -> None:
    """Print the machine, then each table."""
    chosen = sys.argv[1:] or ALL
    load = os.getloadavg()[0]
    print(f"Python {platform.python_version()}, torch {torch.__version__}, {os.cpu_count()} cores, "
          f"{torch.backends.cpu.get_cpu_capability()}, load at start {load:.1f}")  # fmt: skip
    for name in chosen:
        import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
