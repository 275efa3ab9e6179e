"""Training of lanes in lockstep: batches, losses, metrics, optimizers, early stopping."""

import os

# MKL picks its kernel also by the address of a matrix, and so by a lane's place in its stack. In this mode it does
# not: a lane's numbers are the same, to the bit, wherever it stands (and on AMD, products take 0.7 of the time).
# MKL reads it at its first product.
os.environ.setdefault("MKL_CBWR", "AVX2")
# the same vectors on every machine: those of AVX-512 are twice as long (torch reads it when it is imported)
os.environ.setdefault("ATEN_CPU_CAPABILITY", "avx2")
