"""Metrics of texts: of the next token, and of whole sequences."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from tuner.data.dataset import END, IGNORED
from tuner.training.metrics.classes import negative_log_likelihood
from tuner.training.metrics.guesses import commonest_answer, commonest_tokens, shares
from tuner.training.metrics.metric import Metric, average, mean_of

LONGEST = 4  # words of BLEU's n-grams


def perplexity(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """exp of the mean −log probability of the tokens: among how many, on average, the model still hesitates."""
    return average(negative_log_likelihood(outputs, targets), weights).exp()


def bits(outputs: Tensor, targets: Tensor) -> Tensor:
    """−log₂ probability of the true token."""
    return negative_log_likelihood(outputs, targets) / math.log(2)


def _said(outputs: Tensor, targets: Tensor) -> Tensor:
    """The tokens: as decoded (…, V, T), or of highest logit, from (…, V, T, C)."""
    return outputs.long() if outputs.ndim == targets.ndim else outputs.argmax(dim=-1)


def token_accuracy(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Share of the true tokens that are said, each at its place."""
    label_mask = (targets != IGNORED) * weights[..., None]
    right = (_said(outputs, targets) == targets) * label_mask
    return right.flatten(-2).sum(-1) / label_mask.flatten(-2).sum(-1)


def exact(outputs: Tensor, targets: Tensor) -> Tensor:
    """1 where every token of a row is right, else 0."""
    return ((_said(outputs, targets) == targets) | (targets == IGNORED)).all(-1).double()


def bleu(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """BLEU of the corpus (Papineni et al. 2002), 0 … 100, one reference each; n-grams that never match are smoothed
    exponentially, as sacrebleu does (Post 2018). A row of weight 2 counts like two rows."""
    sets = weights.shape[:-1]
    said, truth = _said(outputs, targets).numpy(), targets.numpy()
    scores = []
    for place in np.ndindex(*sets):
        own = weights[place].numpy()
        ours, theirs = ([until_end(row) for row in each[place][own > 0]] for each in (said, truth))
        scores.append(_bleu(ours, theirs, own[own > 0].tolist()))
    return torch.tensor(scores, dtype=torch.double).view(sets)


def until_end(row: Sequence[int]) -> list[int]:
    """The tokens before the end of a text."""
    tokens = [int(token) for token in row if token != IGNORED]
    return tokens[: tokens.index(END)] if END in tokens else tokens


def _bleu(said: Sequence[list[int]], truth: Sequence[list[int]], weights: Sequence[float]) -> float:
    hits, totals = [0.0] * LONGEST, [0.0] * LONGEST
    for ours, theirs, weight in zip(said, truth, weights, strict=True):
        for n in range(1, LONGEST + 1):
            grams, wanted = Counter(_grams(ours, n)), Counter(_grams(theirs, n))
            hits[n - 1] += weight * (grams & wanted).total()
            totals[n - 1] += weight * grams.total()
    length, reference = (sum(w * len(text) for w, text in zip(weights, each, strict=True)) for each in (said, truth))
    if not hits[0]:
        return 0.0
    smooth, logs = 1.0, []
    for matched, total in zip(hits, totals, strict=True):
        if not total:
            break
        if not matched:
            smooth *= 2
        logs.append(math.log(matched / total if matched else 1 / (smooth * total)))
    if len(logs) < LONGEST:
        return 0.0
    return 100 * math.exp(min(0.0, 1 - reference / length) + sum(logs) / LONGEST)


def _grams(tokens: Sequence[int], n: int) -> Iterator[tuple[int, ...]]:
    return (tuple(tokens[start : start + n]) for start in range(len(tokens) - n + 1))


TEXTS = ("tagging", "language", "translation")
METRICS = (
    Metric("perplexity", ("language",), False, perplexity, "exp of the mean −log probability of a token", (1, None),
           shares),
    mean_of(bits, "bits_per_character", ("language",), False, "mean −log₂ probability of a token", (0, None), shares),
    Metric("token_accuracy", TEXTS, True, token_accuracy, "share of tokens that are right", (0, 1), commonest_tokens,
           whole=True),
    replace(mean_of(exact, "exact_match", ("tagging", "translation"), True, "share of rows that are all right", (0, 1),
                    commonest_answer), whole=True),
    Metric("bleu", ("translation",), True, bleu, "n-grams shared with the reference, 0 … 100 (Papineni 2002)", (0, 100),
           commonest_answer, whole=True),
)  # fmt: skip
