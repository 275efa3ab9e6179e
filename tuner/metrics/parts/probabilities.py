"""Probabilities of logits, in float64."""

from __future__ import annotations

import numpy as np

from tuner.metrics.parts.sums import Array, Floats


def softmax(logits: Array) -> Floats:
    """Probabilities of the classes, along the last axis."""
    shifted = np.exp(_below_zero(logits))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def log_softmax(logits: Array) -> Floats:
    """Logarithms of the probabilities of the classes, along the last axis."""
    shifted = _below_zero(logits)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def _below_zero(logits: Array) -> Floats:
    """The logits less their highest, so that no power overflows."""
    logits = logits.astype(np.float64)
    return np.asarray(logits - logits.max(axis=-1, keepdims=True))


def sigmoid(logits: Array) -> Floats:
    """Probabilities of labels."""
    return np.exp(log_sigmoid(logits))


def log_sigmoid(logits: Array) -> Floats:
    """Logarithms of the probabilities of labels; precise for any logit."""
    return -np.logaddexp(0.0, -logits.astype(np.float64))
