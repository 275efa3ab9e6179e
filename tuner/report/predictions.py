"""The winners' predictions of outer-test rows: one set of predictions per outer fold, put together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.experiment.packing import unpack
from tuner.metrics.parts.confusion import calibration_errors, confusion
from tuner.metrics.parts.order import auc
from tuner.metrics.parts.probabilities import sigmoid, softmax
from tuner.metrics.parts.sums import Floats
from tuner.report.results import Results

FEWEST_DRAWS, MOST_DRAWS = 20, 1000  # draws of the classes of all rows from their probabilities
MOST_NUMBERS, AT_ONCE = 2_500_000, 1_000_000  # classes drawn in all, and in one step


@dataclass(frozen=True, eq=False)
class ConfusionMatrix:
    """A confusion matrix (C, C), true by predicted: counts, or summed weights."""

    names: tuple[str, ...]
    counts: NDArray[Any]

    def by_class(self) -> list[tuple[str, float | None, float | None, float | None, float]]:
        """Per class: name, precision, recall, F1, and the number of rows of the class, or their weight."""
        hit, predicted, true = np.diag(self.counts), self.counts.sum(axis=0), self.counts.sum(axis=1)
        return [
            (name, _ratio(hit[i], predicted[i]), _ratio(hit[i], true[i]), _ratio(2 * hit[i], predicted[i] + true[i]),
             true[i].item())
            for i, name in enumerate(self.names)
        ]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Predictions:
    """The rows of all scored outer folds: fold numbers from 1, row numbers, truth, outputs (probabilities for labels),
    and weights in scores, all (N, …)."""

    folds: NDArray[np.int64]
    rows: NDArray[np.int64]
    truth: NDArray[Any]
    outputs: Floats
    names: tuple[str, ...]  # classes, or targets
    weights: Floats | None = None  # None: all rows have the same weight
    thresholds: Floats | None = None  # log-odds (N,) from which the second of two classes is predicted

    @cached_property
    def probabilities(self) -> Floats:
        """Probabilities of the classes (N, C), the softmax of the outputs."""
        return softmax(self.outputs)

    @cached_property
    def predicted_codes(self) -> NDArray[np.int64]:
        """The most probable class (N,), or, of two classes, the one above the decision threshold."""
        if self.thresholds is not None:
            return np.asarray(self.outputs[:, 1] - self.outputs[:, 0] > self.thresholds, dtype=np.int64)
        return np.asarray(self.outputs.argmax(axis=1))

    @cached_property
    def confusion_matrix(self) -> ConfusionMatrix:
        """The confusion matrix."""
        return ConfusionMatrix(self.names, confusion(self.truth, self.predicted_codes, self.weights, len(self.names)))

    def area(self, index: int) -> float | None:
        """Area under the ROC curve of a class against the rest: the mean over the folds that have both.

        It is not computed over all rows at once: each fold has its own model, and their scores are not on one scale."""
        return self._area(self.truth == index, self.probabilities[:, index])

    def by_label(self) -> list[tuple[str, float | None, float | None, float | None, float | None, float]]:
        """Per label: name, precision, recall, F1, ROC-AUC, and how many rows have it, or their weight."""
        truth, predicted, weight = self.truth > 0, self.outputs > 0.5, self.counts
        found = []
        for i, name in enumerate(self.names):
            both = truth[:, i] & predicted[:, i]
            hit, positive, true = (float(weight[each].sum()) for each in (both, predicted[:, i], truth[:, i]))
            ratios = _ratio(hit, positive), _ratio(hit, true), _ratio(2 * hit, positive + true)
            rows = true if self.weights is not None else int(true)
            found.append((name, *ratios, self._area(truth[:, i], self.outputs[:, i]), rows))
        return found

    def _area(self, truth: NDArray[np.bool_], scores: Floats) -> float | None:
        counts = self.counts
        found = [
            auc(truth[own], scores[own], counts[own])
            for own in ((self.folds == fold) & (counts > 0) for fold in np.unique(self.folds))
        ]
        known = [area for area in found if area is not None]
        return sum(known) / len(known) if known else None

    @property
    def counts(self) -> Floats:
        """The weight of each row (N,)."""
        return np.ones(len(self.rows)) if self.weights is None else self.weights

    @property
    def calibration_error(self) -> float:
        """Expected calibration error of the most probable class, whatever class a decision threshold predicts."""
        right = (self.outputs.argmax(axis=1) == self.truth)[None]
        return float(calibration_errors(right, self.probabilities.max(axis=1), self.counts)[0])

    def calibrated(self) -> tuple[float, float]:
        """Mean and standard deviation of the calibration error of a perfectly calibrated model.

        The classes are drawn from the probabilities many times; as rows are few, the error is not 0. The same uniform
        number chooses a row's class in every fold that tests it, because a row has one true class."""
        most_probable = self.outputs.argmax(axis=1)[:, None]
        high = np.take_along_axis(self.probabilities.cumsum(axis=1), most_probable, axis=1)[:, 0]
        confidence, (rows, places) = self.probabilities.max(axis=1), np.unique(self.rows, return_inverse=True)
        random, errors = np.random.default_rng(0), []
        draws = min(MOST_DRAWS, max(FEWEST_DRAWS, MOST_NUMBERS // len(places)))
        at_once = min(draws, max(1, AT_ONCE // len(places)))
        for _ in range(0, draws, at_once):
            uniform = random.random((at_once, len(rows)))[:, places]
            right = (high - confidence <= uniform) & (uniform < high)
            errors.append(calibration_errors(right, confidence, self.counts))
        found = np.concatenate(errors)
        return float(found.mean()), float(found.std(ddof=1))

    def residuals(self) -> list[tuple[str, float, float, float, float, float]]:
        """Per target, of truth − prediction: name, mean (bias), standard deviation, and 5, 50 and 95 % quantiles."""
        found, counts = self.truth.astype(np.float64) - self.outputs, self.counts
        how: dict[str, Any] = {} if self.weights is None else {"weights": counts, "method": "inverted_cdf"}
        quantiles = np.quantile(found, [0.05, 0.5, 0.95], axis=0, **how)
        mean, total = np.average(found, axis=0, weights=counts), counts.sum()
        freedom = total - counts @ counts / total  # n − 1 if all weights are equal
        spread = np.sqrt(counts @ (found - mean) ** 2 / freedom) if freedom > 0 else np.zeros(found.shape[1])
        return [
            (name, float(mean[i]), float(spread[i]), *(float(q) for q in quantiles[:, i]))  # type: ignore[misc]
            for i, name in enumerate(self.names)
        ]


def predictions(results: Results) -> Predictions | None:
    """The winners' predictions of the outer-test rows; None if none are stored."""
    found, chains = [], {chain.name: chain for chain in results.header.chains}
    for number, fold in enumerate(results.folds, start=1):
        if fold.refit is not None and fold.refit.predictions is not None:
            chain = chains[fold.name]
            assert chain.tested and chain.truth
            rows, truth, outputs = unpack(chain.tested), unpack(chain.truth), unpack(fold.refit.predictions)
            weights = np.ones(len(rows)) if chain.weights is None else unpack(chain.weights).astype(np.float64)
            at = np.full(len(rows), np.nan if fold.refit.threshold is None else fold.refit.threshold)
            found.append((np.full(len(rows), number), rows, truth, outputs.astype(np.float64), weights, at))
    if not found:
        return None
    data = results.header.dataset
    folds, rows, truth, outputs, weights, at = (np.concatenate(parts) for parts in zip(*found, strict=True))
    names = data.classes or data.targets
    outputs = sigmoid(outputs) if results.header.task == "multilabel" else outputs
    counts = weights if results.header.weighted else None
    thresholds = None if np.isnan(at).all() else at
    return Predictions(folds, rows.astype(np.int64), truth, outputs, names, counts, thresholds)


def confusion_matrix(results: Results) -> ConfusionMatrix | None:
    """The confusion matrix of steps or pixels over all outer-test rows."""
    counts = [fold.refit.confusion for fold in results.folds if fold.refit is not None and fold.refit.confusion]
    return ConfusionMatrix(results.header.dataset.classes, np.sum(counts, axis=0)) if counts else None


def _ratio(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None
