"""Imputation, scaling and vocabulary, fitted on one lane's training rows and applied as numbers: nothing else leaks in.

Preparing is `(fill missing − shift) · scale` per feature. One-hot columns keep shift 0; a category that the training
rows do not show gets scale 0, so the model never meets it. A word or an id that they do not show becomes unknown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuner.data.dataset import Dataset, as_float32
from tuner.data.inputs import SPECIAL, Numbers, Rows, Tokens

Statistic = NDArray[np.float32]
Amounts = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Preparation:
    """Per-feature statistics of one lane, shaped to broadcast over features (…, D) or (…, C, H, W), in float32 as these
    are; of targets (M,), in float64 as these are.

    `codes` (F, V): what each code of a vocabulary of at most V becomes."""

    fill: Statistic
    shift: Statistic
    scale: Statistic
    target_shift: Amounts
    target_scale: Amounts
    codes: NDArray[np.int64]


def fit(dataset: Dataset, rows: Rows) -> Preparation:
    """Fit imputation, scaling and vocabulary on training rows.

    Args:
        rows: training rows of one lane; rows of weight 0 are ignored.

    Returns:
        statistics; apply them as `(x.fillna(fill) − shift) · scale` per feature, and `codes[column, code]` per id or
            token.
    """
    if dataset.training_weights is not None:
        rows = rows[dataset.training_weights[rows] > 0]
    numbers = dataset.numbers
    channels = _channels(numbers, rows)
    fill, absent = _fill(numbers, channels), np.isnan(channels)
    np.copyto(channels, fill, where=absent)
    shift, scale = np.zeros(channels.shape[1]), np.ones(channels.shape[1])
    if numbers.offsets is not None:
        shift = -numbers.offsets  # the numbers as they were, as far as float32 holds them
    if numbers.scale == "standard":
        shift, scale = _standard(channels)
    scale[absent.all(axis=0)] = 0.0  # unknown in training: the model never meets it
    for columns in numbers.categories:
        shift[columns] = 0.0
        scale[columns] = channels[:, columns].any(axis=0)
    target_shift, target_scale = np.zeros(dataset.outputs), np.ones(dataset.outputs)
    if dataset.task == "regression":
        target_shift, target_scale = _standard(dataset.targets[rows].astype(np.float64, copy=False))
    fill, shift, scale = (a.reshape(-1, 1, 1) if numbers.layout == "image" else a for a in (fill, shift, scale))
    return Preparation(
        as_float32(fill), as_float32(shift), as_float32(scale), target_shift, target_scale, _known(dataset, rows)
    )  # fmt: skip


def _known(dataset: Dataset, rows: Rows) -> NDArray[np.int64]:
    """The mapping of codes (F, V): a code that occurs in `rows`, or is padding, maps to itself; any other to the code
    of unknown. With a limited vocabulary, only the most frequent words are kept; they get the codes 2, 3, … by
    frequency."""
    sizes, tokens = [len(words) for words in dataset.vocabularies], dataset.inputs
    most = tokens.known if isinstance(tokens, Tokens) else None
    codes = np.ones((len(sizes), max(sizes, default=0)), dtype=np.int64)
    for column, size in enumerate(sizes):
        shown = dataset.features[rows] if isinstance(tokens, Tokens) else dataset.features[rows, column]
        counts = np.bincount(shown.ravel(), minlength=size)
        codes[column, 0] = 0
        counts[:SPECIAL] = 0
        kept = np.flatnonzero(counts)
        if most is None:
            codes[column, kept] = kept
        else:
            kept = kept[np.argsort(-counts[kept], kind="stable")][: most - SPECIAL]
            codes[column, kept] = np.arange(SPECIAL, SPECIAL + len(kept))
    return codes


def _channels(numbers: Numbers, rows: Rows) -> NDArray[np.float64]:
    """The rows as one table (rows · steps or pixels, D), for statistics per feature or channel."""
    features = numbers.values[rows].astype(np.float64)
    if numbers.layout == "image":
        features = np.moveaxis(features, 1, -1)
    if numbers.lengths is not None:
        return features[np.arange(features.shape[1]) < numbers.lengths[rows, None]]
    return features.reshape(math.prod(features.shape[:-1]), features.shape[-1])


def _fill(numbers: Numbers, channels: NDArray[np.float64]) -> NDArray[np.float64]:
    fill = np.zeros(channels.shape[1])
    if numbers.impute == "none":
        return fill
    known = ~np.isnan(channels).all(axis=0)
    middle = np.nanmedian if numbers.impute == "median" else np.nanmean
    fill[known] = middle(channels[:, known], axis=0)
    for columns in numbers.categories:
        counts = np.nansum(channels[:, columns], axis=0)
        fill[columns] = (np.arange(len(counts)) == counts.argmax()) & (counts > 0)
    return fill


def _standard(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and 1/sd (population sd, as scikit-learn's StandardScaler); a constant keeps scale 1."""
    mean, sd = values.mean(axis=0), values.std(axis=0)
    constant = sd <= 1e-12 * np.abs(mean)
    return mean, 1.0 / np.where(constant, 1.0, sd)
