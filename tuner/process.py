"""The state of the whole process that tuner sets, each with its reason; nowhere else is such state set.

Exceptions stand where they are undone: a child takes over the driver's environment, and own code's modules leave
`sys.modules` with its trial.
"""

from __future__ import annotations

import csv
import gc
import os
from contextlib import suppress
from pathlib import Path

LONGEST_CELL = 2**31 - 1  # characters


def fix_vector_instructions() -> None:
    """Before torch is imported: the same vector instructions for all matrices, and on all machines that have them.

    MKL picks its kernel also by the address of a matrix, and so by a lane's place in its stack; in this mode it does
    not, so that a lane's numbers are the same, to the bit, wherever it stands. (On AMD, products take 0.7 of the time.)
    The vectors of AVX-512 are twice as long as those of AVX2, and would add in another order."""
    os.environ.setdefault("MKL_CBWR", "AVX2")
    with suppress(OSError):
        if "avx2" in Path("/proc/cpuinfo").read_text("ascii", errors="ignore"):
            os.environ.setdefault("ATEN_CPU_CAPABILITY", "avx2")


def set_up_command() -> None:
    """Before NumPy is imported: one thread of OpenBLAS, as results depend on their number, and a machine may allow few.

    Garbage is looked for less often: imports make half a million objects to keep, and looking takes 0.3 s."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(100_000, 20, 20)


def set_up_fork_server(variable: str, place: str) -> None:
    """For the server that workers are forked from, which inherits it; `variable` tells it its `place`.

    It starts as `python -c`: without the first, a random.py in the working directory would be imported. Without the
    second, Python would draw the order of a set anew in every run."""
    os.environ["PYTHONSAFEPATH"] = "1"
    os.environ.setdefault("PYTHONHASHSEED", "0")
    os.environ[variable] = place


def use_one_thread() -> None:
    """Of torch: results depend on the number of threads; processes are the parallelism."""
    import torch

    torch.set_num_threads(1)


def silence_optuna() -> None:
    """It would log every trial, and every study it opens."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)


def allow_long_cells() -> None:
    """Of CSV files: the text of a row may be long."""
    csv.field_size_limit(LONGEST_CELL)


def stay_offline() -> None:
    """For Hugging Face's library, before it is imported: without a net it would try for half a minute."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
