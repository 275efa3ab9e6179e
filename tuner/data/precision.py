"""Numbers as float32: a column that float32 would round too coarsely is stored as its distance from an offset.

Training runs in float32, which keeps seven digits. Unix seconds, map coordinates or meter readings vary in digits
beyond those. Standard scaling subtracts the mean of a column anyway, so a constant offset per column, kept in float64,
changes nothing but the rounding; it carries no information from one row to another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuner.data.dataset import as_float32
from tuner.data.inputs import Numbers, Rows
from tuner.data.settings import NumberSettings

EXACT_KINDS = ("bool", "int8", "uint8", "int16", "uint16", "float16", "float32")  # float32 holds each of their values
ROUNDING = 2.0**-24  # largest relative error of rounding to float32
HARMLESS = 1e-6  # rounding error, as a share of a column's spread, that training does not notice
COLLAPSED = (
    0.001  # share of a column's distinct values that may coincide in float32: of any 10,000, about one pair does
)
SAMPLED_ROWS, SAMPLED_NUMBERS = 10_000, 2**22  # at most, for the decision about a column
EXACT_INTEGERS = 2**53  # from where float64 takes neighbouring whole numbers for one
BLOCK = 2**20  # numbers converted at once
Offsets = NDArray[np.float64]


class Precision(NamedTuple):
    """Of D columns: the offset of each (0 for most), and whether different values coincide in float32 even so."""

    offsets: Offsets
    coarse: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Narrowed:
    """Numbers (N, …, D) as float32, each column less its offset (D,); and which columns stay `coarse` (D,)."""

    values: NDArray[np.float32]
    offsets: Offsets
    coarse: NDArray[np.bool_]


def as_numbers(
    found: Narrowed,
    settings: NumberSettings,
    names: Sequence[str] = (),
    lengths: Rows | None = None,
    categories: Sequence[slice] = (),
) -> Numbers:
    """The inputs of these numbers, with the scaling and imputation of the settings."""
    return Numbers(
        found.values, tuple(names), lengths, tuple(categories), settings.scale, settings.impute, found.offsets,
        found.coarse,
    )  # fmt: skip


def narrow(values: NDArray[Any], axis: int = -1) -> Narrowed:
    """Convert numbers to float32, subtracting an offset per column where float32 alone is too coarse.

    Args:
        values: (N, …), numbers of any type; NaN is missing.
        axis: axis of the D columns or channels.

    Returns:
        values: float32, of the same shape.
        offsets: float64 (D,), 0 for most columns.
        coarse: bool (D,), different values still coincide.
    """
    columns = values.shape[axis]
    if values.dtype.name in EXACT_KINDS:
        return Narrowed(as_float32(values), np.zeros(columns), np.zeros(columns, dtype=bool))
    if _too_long(values):
        first = (
            values[:1].astype(np.float64).astype(values.dtype)
        )  # exact both ways, as a float64 of that size is whole
        less = (values - first).astype(np.int64)
        rest = narrow(less.astype(np.float64) if _too_long(less) else less, axis)  # the former is coarse, and told
        return replace(rest, offsets=rest.offsets + _by_column(first.astype(np.float64), axis)[0])
    found = precision(_sampled(values, axis))
    shaped = found.offsets.reshape([columns if index == axis % values.ndim else 1 for index in range(values.ndim)])
    narrowed = np.empty(values.shape, dtype=np.float32)
    rows = max(1, BLOCK // max(1, math.prod(values.shape[1:])))
    for start in range(0, len(values), rows):
        block = slice(start, start + rows)
        narrowed[block] = as_float32(values[block] - shaped if found.offsets.any() else values[block])
    return Narrowed(narrowed, *found)


def narrow_pieces(
    pieces: Callable[[], Iterator[NDArray[Any]]], shape: tuple[int, ...], axis: int, dtype: np.dtype[Any]
) -> Narrowed:
    """Like `narrow`, for numbers of this `shape` that are read from a file in pieces in C order (twice if needed), so
    that they are never all in memory in the wider type."""
    columns, inner, width = shape[axis], math.prod(shape[axis + 1 :]), math.prod(shape[1:])
    narrowed, found = np.empty(shape, dtype=np.float32), Precision(np.zeros(columns), np.zeros(columns, dtype=bool))
    rows = _sampled_rows(shape[0], width)
    sample, wanted = np.empty((len(rows), *shape[1:])), (rows[:, None] * width + np.arange(width)).reshape(-1)
    for start, piece in _placed(pieces()):
        narrowed.reshape(-1)[start : start + len(piece)] = as_float32(piece)
        here = slice(*np.searchsorted(wanted, (start, start + len(piece))))
        sample.reshape(-1)[here] = piece[wanted[here] - start]
    if dtype.name not in EXACT_KINDS:
        found = precision(_by_column(sample, axis))
    for start, piece in _placed(pieces()) if found.offsets.any() else ():
        column = np.arange(start, start + len(piece)) // inner % columns
        narrowed.reshape(-1)[start : start + len(piece)] = as_float32(piece - found.offsets[column])
    return Narrowed(narrowed, *found)


def _placed(pieces: Iterator[NDArray[Any]]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Each piece with the place of its first number."""
    start = 0
    for piece in pieces:
        yield start, piece
        start += len(piece)


def joined(parts: Sequence[Narrowed]) -> Narrowed:
    """Columns (N, D) side by side."""
    return Narrowed(
        np.concatenate([part.values for part in parts], axis=1),
        np.concatenate([part.offsets for part in parts]),
        np.concatenate([part.coarse for part in parts]),
    )


def _sampled(values: NDArray[Any], axis: int) -> NDArray[np.float64]:
    """Some rows, `SAMPLED_ROWS` and `SAMPLED_NUMBERS` at most, by column: (n, D)."""
    rows = _sampled_rows(len(values), math.prod(values.shape[1:]))
    return _by_column(values if len(rows) == len(values) else values[rows], axis).astype(np.float64)


def _sampled_rows(rows: int, width: int) -> NDArray[np.int64]:
    """Row numbers in order: all, or one at random out of every so many, the same ones every time."""
    step = max(1, -(-rows // max(1, min(SAMPLED_ROWS, SAMPLED_NUMBERS // max(1, width)))))
    starts = np.arange(0, rows, step)
    return np.asarray(np.minimum(starts + np.random.default_rng(0).integers(0, step, len(starts)), rows - 1))


def _too_long(values: NDArray[Any]) -> bool:
    """Whether whole numbers have digits that float64 does not keep."""
    wide = values.dtype.kind in "iu" and values.dtype.itemsize == 8 and values.size > 0
    return wide and bool(max(int(values.max()), -int(values.min())) > EXACT_INTEGERS)


def _by_column(values: NDArray[Any], axis: int) -> NDArray[Any]:
    return np.moveaxis(values, axis, -1).reshape(-1, values.shape[axis])


def precision(sample: NDArray[np.float64]) -> Precision:
    """The offsets that a sample (n, D) calls for: the median of each column that float32 would round by more than
    `HARMLESS` of its spread (interquartile range, or standard deviation where that is 0)."""
    columns = sample.shape[1]
    offsets, coarse = np.zeros(columns), np.zeros(columns, dtype=bool)
    for index in _rounded(sample):
        known = sample[np.isfinite(sample[:, index]), index]
        low, middle, high = np.quantile(known, (0.25, 0.5, 0.75), method="lower")
        spread = high - low or known.std()
        if 0 < HARMLESS * spread < abs(middle) * ROUNDING:
            offsets[index] = middle
        different = len(np.unique(known))
        coarse[index] = len(np.unique(as_float32(known - offsets[index]))) < (1 - COLLAPSED) * different
    return Precision(offsets, coarse)


def _rounded(sample: NDArray[np.float64]) -> list[int]:
    """The columns that float32 does not hold exactly."""
    with np.errstate(invalid="ignore"):
        changed = np.isfinite(sample) & (as_float32(sample) != sample)
    return [int(index) for index in np.flatnonzero(changed.any(axis=0))]


def harmless(values: NDArray[Any]) -> bool:
    """Whether float32 holds a column (N,) well enough without an offset."""
    if values.dtype.name in EXACT_KINDS:
        return True
    if _too_long(values):
        return False
    found = precision(_sampled(values[:, None], 1))
    return not (found.offsets.any() or found.coarse.any())


def warnings(numbers: Numbers) -> Iterator[str]:
    """What float32 cannot keep of the features, a sentence for each column."""
    if numbers.offsets is None or numbers.coarse is None:
        return
    for index in np.flatnonzero(numbers.coarse):
        yield (f"different values of column '{numbers.name(int(index))}' coincide in float32, which keeps 7 digits; "
               "split it into two columns (such as value // 1000 and value % 1000), or take its logarithm")  # fmt: skip
    for index in np.flatnonzero(numbers.offsets) if numbers.scale == "none" else ():
        offset = float(numbers.offsets[index])
        step = np.spacing(np.float32(abs(offset)))
        yield (f"scale: none leaves column '{numbers.name(int(index))}' near {offset:.4g}, where float32 tells apart "
               f"values that differ by {step:.2g} or more; scale: standard keeps the smaller differences")  # fmt: skip
