"""Process-wide settings (environment, threads, logging), each with its reason; they are set only here.

Exceptions are set where they are undone: a child takes over the driver's environment, and modules of user code are
removed from `sys.modules` before other user code is imported.
"""

from __future__ import annotations

import csv
import gc
import os
from contextlib import suppress
from pathlib import Path

LONGEST_CELL = 2**31 - 1  # characters


def fix_vector_instructions() -> None:
    """Use the same vector instructions for all matrices, on all machines that have them. Call before importing torch.

    MKL chooses its kernel also by the address of a matrix, and so by a lane's position in its stack; in this mode it
    does not, so a lane's results are bit-identical at every position. (On AMD, products take 0.7 of the time.) The
    vectors of AVX-512 are twice as long as those of AVX2, and would sum in another order."""
    os.environ.setdefault("MKL_CBWR", "AVX2")
    with suppress(OSError):
        if "avx2" in Path("/proc/cpuinfo").read_text("ascii", errors="ignore"):
            os.environ.setdefault("ATEN_CPU_CAPABILITY", "avx2")


def set_up_command() -> None:
    """Set up the process of a command. Call before importing NumPy.

    OpenBLAS uses one thread, because results depend on the number of threads, and a machine may allow few. Garbage
    collection runs less often: imports create half a million permanent objects, and scanning them takes 0.3 s."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(100_000, 20, 20)


def set_up_fork_server(variable: str, path: str) -> None:
    """Set the environment that the fork server inherits; `variable` passes it this `path`.

    The server starts as `python -c`: without PYTHONSAFEPATH, a random.py in the working directory would be imported.
    Without PYTHONHASHSEED, the order of sets would differ between runs."""
    os.environ["PYTHONSAFEPATH"] = "1"
    os.environ.setdefault("PYTHONHASHSEED", "0")
    os.environ[variable] = path


def use_one_thread() -> None:
    """Use one thread in torch: results depend on the number of threads, and processes provide the parallelism."""
    import torch

    torch.set_num_threads(1)


def silence_optuna() -> None:
    """Turn off Optuna's messages about every trial and study; errors remain."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)


def allow_long_cells() -> None:
    """Allow long cells in CSV files, such as the text of a row."""
    csv.field_size_limit(LONGEST_CELL)


def stay_offline() -> None:
    """Keep Hugging Face's library offline: without a network it would retry for half a minute. Call before importing
    it."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
