"""tuner: nested-cross-validated hyperparameter search for PyTorch models, from one YAML file."""

import os
from contextlib import suppress
from pathlib import Path

# MKL picks its kernel also by the address of a matrix, and so by a lane's place in its stack. In this mode it does
# not: a lane's numbers are the same, to the bit, wherever it stands (and on AMD, products take 0.7 of the time).
os.environ.setdefault("MKL_CBWR", "AVX2")
# The same vectors on every machine that has them, for those of AVX-512 are twice as long. Both are read by torch.
with suppress(OSError):
    if "avx2" in Path("/proc/cpuinfo").read_text("ascii", errors="ignore"):
        os.environ.setdefault("ATEN_CPU_CAPABILITY", "avx2")
