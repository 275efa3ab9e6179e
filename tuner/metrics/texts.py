"""Metrics of texts: of the next token, from logits (P, C), and of whole sequences, from tokens (V, T)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from tuner.metrics.classes import negative_log_likelihood
from tuner.metrics.parts.baselines import commonest_answer, commonest_tokens, shares
from tuner.metrics.parts.metric import Metric, OfSums, mean, mean_of
from tuner.metrics.parts.sums import IGNORED, Array, Floats, Sums

END = 0  # the token after which a text has ended
LONGEST = 4  # words of BLEU's n-grams


def _log_losses(outputs: Array, targets: Array, sums: Sums) -> Floats:
    """How many tokens there are, and the −log probability of all (G, 2)."""
    return sums.of_mean(negative_log_likelihood(outputs, targets))


def perplexity(totals: Floats) -> Floats:
    """Perplexity: exp of the mean negative log-likelihood per token."""
    return np.exp(mean(totals))


def bits(outputs: Array, targets: Array) -> Floats:
    """−log₂ probability of the true token."""
    return negative_log_likelihood(outputs, targets) / math.log(2)


def _tokens(outputs: Array, targets: Array) -> Array:
    """The tokens (V, T): as decoded, or of highest logit, from (V, T, C)."""
    return outputs.astype(np.int64) if outputs.ndim == targets.ndim else outputs.argmax(axis=-1)


def _right_tokens(outputs: Array, targets: Array, sums: Sums) -> Floats:
    """How many tokens there are, and how many of them are right, each at its place (G, 2)."""
    label_mask = targets != IGNORED
    right = (_tokens(outputs, targets) == targets) & label_mask
    return sums.of(np.stack([label_mask.sum(axis=-1), right.sum(axis=-1)], axis=1))


def exact(outputs: Array, targets: Array) -> Floats:
    """1 where every token of a row is right, else 0."""
    right = (_tokens(outputs, targets) == targets) | (targets == IGNORED)
    return np.asarray(right.all(axis=-1), dtype=np.float64)


def until_end(row: Sequence[int]) -> list[int]:
    """The tokens before the end of a text."""
    tokens = [int(token) for token in row if token != IGNORED]
    return tokens[: tokens.index(END)] if END in tokens else tokens


def _matches(outputs: Array, targets: Array, sums: Sums) -> Floats:
    """For each n, the n-grams that match the reference, and all n-grams; then the lengths of answer and reference (G,
    2 · LONGEST + 2)."""
    pairs = zip(_tokens(outputs, targets), targets, strict=True)
    return sums.of(np.array([_matched(until_end(answer), until_end(reference)) for answer, reference in pairs]))


def _matched(answer: list[int], reference: list[int]) -> list[int]:
    hits, totals = [], []
    for n in range(1, LONGEST + 1):
        grams = Counter(_grams(answer, n))
        hits.append((grams & Counter(_grams(reference, n))).total())
        totals.append(grams.total())
    return [*hits, *totals, len(answer), len(reference)]


def _grams(tokens: Sequence[int], n: int) -> Iterator[tuple[int, ...]]:
    return (tuple(tokens[start : start + n]) for start in range(len(tokens) - n + 1))


def bleu(totals: Floats) -> Floats:
    """BLEU of the corpus (Papineni et al. 2002), 0 … 100, one reference each; n-grams that never match are smoothed
    exponentially, as sacrebleu does (Post 2018). A row of weight 2 counts like two rows."""
    found = [_bleu(each.tolist()) for each in totals.reshape(-1, totals.shape[-1])]
    return np.array(found).reshape(totals.shape[:-1])


def _bleu(totals: Sequence[float]) -> float:
    hits, grams, (length, reference) = totals[:LONGEST], totals[LONGEST:-2], totals[-2:]
    if not hits[0] or not all(grams):
        return 0.0
    smooth, logs = 1.0, 0.0
    for matched, total in zip(hits, grams, strict=True):
        if not matched:
            smooth *= 2
        logs += math.log(matched / total if matched else 1 / (smooth * total))
    return 100 * math.exp(min(0.0, 1 - reference / length) + logs / LONGEST)


TEXTS = ("tagging", "language", "translation")
METRICS = (
    Metric(name="perplexity", tasks=("language",), maximize=False, compute=OfSums(_log_losses, perplexity),
           bounds=(1, None), baselines=shares, meaning="exp of the mean −log probability of a token"),
    mean_of(bits, name="bits_per_character", tasks=("language",), maximize=False, bounds=(0, None), baselines=shares,
            meaning="mean −log₂ probability of a token"),
    Metric(name="token_accuracy", tasks=TEXTS, maximize=True, compute=OfSums(_right_tokens, mean), bounds=(0, 1),
           baselines=commonest_tokens, whole=True, meaning="share of tokens that are right"),
    mean_of(exact, name="exact_match", tasks=("tagging", "translation"), maximize=True, bounds=(0, 1),
            baselines=commonest_answer, whole=True, meaning="share of rows that are all right"),
    Metric(name="bleu", tasks=("translation",), maximize=True, compute=OfSums(_matches, bleu), bounds=(0, 100),
           baselines=commonest_answer, whole=True,
           meaning="n-grams shared with the reference, 0 … 100 (Papineni 2002)"),
)  # fmt: skip
