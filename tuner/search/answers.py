"""Summaries of a refit's predictions for tasks with many positions per row, whose predictions are too many to store."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tuner.data.dataset import Dataset
from tuner.data.inputs import Rows
from tuner.metrics.parts.confusion import confusion
from tuner.metrics.parts.sums import IGNORED
from tuner.metrics.texts import until_end
from tuner.training.loop import Outputs

MOST_CLASSES = 100  # of a confusion matrix
EXAMPLES = 3  # of each outer fold


def confusion_matrix(outputs: Outputs, dataset: Dataset, rows: Rows) -> tuple[tuple[float, ...], ...] | None:
    """The confusion matrix of tagged steps or segmented pixels, true by predicted class (C, C), weighted as in scores;
    None for other tasks, or with too many classes."""
    if dataset.task not in ("tagging", "segmentation") or dataset.outputs > MOST_CLASSES:
        return None
    truth = dataset.targets[rows]
    label_mask, weights = truth != IGNORED, None
    if dataset.score_weights is not None:
        weights = np.broadcast_to(dataset.counts(rows).reshape(-1, *[1] * len(dataset.positions)), truth.shape)
        weights = weights[label_mask]
    counts = confusion(truth[label_mask], outputs.argmax(axis=-1)[label_mask], weights, dataset.outputs)
    return tuple(tuple(row) for row in counts.tolist())


def examples(outputs: Outputs, dataset: Dataset, rows: Rows) -> tuple[tuple[str, str, str], ...]:
    """The source, target and predicted text of the first rows, for translations; empty for other tasks."""
    if dataset.task != "translation":
        return ()
    found = []
    for row, output in list(zip(rows, outputs, strict=True))[:EXAMPLES]:
        source = dataset.features[row, : None if dataset.lengths is None else dataset.lengths[row]]
        truth, answer = (until_end(codes.astype(np.int64).tolist()) for codes in (dataset.targets[row], output))
        texts = (source.tolist(), dataset.vocabularies[0]), (truth, dataset.classes), (answer, dataset.classes)
        found.append(tuple(_text(*text) for text in texts))
    return tuple(found)  # type: ignore[arg-type]


def _text(codes: Sequence[int], words: Sequence[str]) -> str:
    """Words with blanks between them, characters without."""
    tokens = [words[code] for code in codes]
    return ("" if all(len(token) == 1 for token in tokens) else " ").join(tokens)
