"""The predictions of outer-test rows as tables."""

from __future__ import annotations

from collections.abc import Sequence

from tuner.report.predictions import ConfusionMatrix, Predictions, confusion_matrix, predictions
from tuner.report.results import Results
from tuner.report.tables import Cell, Table, counted

MOST_CLASSES = 12  # that a confusion matrix shows


def summaries(results: Results) -> list[Table]:
    """Tables of predictions: per class with a confusion matrix, residuals per target, or examples."""
    repeats, task = results.header.repeats, results.header.task
    title = "Predictions of outer-test rows" + ("" if repeats == 1 else f", each tested {repeats} times")
    title, of = (f"{title}, counted by weight", "weight of ") if results.header.weighted else (title, "")
    if (places := confusion_matrix(results)) is not None:
        return [_by_class(title, places, of + ("steps" if task == "tagging" else "pixels")), *_matrix(places)]
    if (found := predictions(results)) is None:
        return _examples(results)
    if task == "regression":
        columns = ("target", "mean", "sd", "5 %", "50 %", "95 %")
        return [Table(f"{title}: residuals (truth − prediction)", columns, tuple(found.residuals()), len(columns))]
    if task == "multilabel":
        columns = ("label", "precision", "recall", "F1", "ROC-AUC", "rows")
        return [Table(f"{title}: each label", columns, tuple(found.by_label()), len(columns), ("ROC-AUC", "precision"))]
    title += f": {_calibration(found)}"
    areas = [found.area(index) for index in range(len(found.names))]
    return [_by_class(title, found.confusion_matrix, f"{of}rows", areas), *_matrix(found.confusion_matrix)]


def _calibration(found: Predictions) -> str:
    """The calibration error next to that of a perfectly calibrated model."""
    mean, spread = found.calibrated()
    return (f"calibration error {found.calibration_error:.3g} (a perfectly calibrated model shows {mean:.2g} ± "
            f"{spread:.1g} with {counted(len(set(found.rows[found.counts > 0].tolist())), 'row')})")  # fmt: skip


def _by_class(title: str, found: ConfusionMatrix, what: str, areas: Sequence[float | None] = ()) -> Table:
    more = ("ROC-AUC",) if areas else ()
    columns = ("class", "precision", "recall", "F1", *more, what)
    rows = [(*told, *areas[i : i + 1], count) for i, (*told, count) in enumerate(found.by_class())]
    return Table(title, columns, tuple(rows), len(columns), (*more, "precision"))


def _matrix(found: ConfusionMatrix) -> list[Table]:
    if len(found.names) > MOST_CLASSES:
        return []
    counted = zip(found.names, found.counts.tolist(), strict=True)
    rows: tuple[tuple[Cell, ...], ...] = tuple((name, *counts) for name, counts in counted)
    heads = ("true \\ predicted", *found.names)
    return [Table("Confusion matrix", heads, rows, len(heads))]


def _examples(results: Results) -> list[Table]:
    """Examples of the winners' translations."""
    columns = ("outer fold", "source", "truth", "prediction")
    rows = tuple((fold.name, *texts) for fold in results.folds if fold.refit for texts in fold.refit.examples)
    return [Table("Examples of outer-test rows", columns, rows, len(columns), long=columns[1:])]


def row_by_row(found: Predictions, task: str) -> Table:
    """Every outer-test row: its fold, number (from 0, as in the data), weight if rows have weights, truth, prediction
    and probabilities."""
    rows: list[tuple[Cell, ...]] = []
    for index, (fold, number) in enumerate(zip(found.folds.tolist(), found.rows.tolist(), strict=True)):
        row = (fold, number) if found.weights is None else (fold, number, float(found.weights[index]))
        if task == "classification":
            truth, answer = found.names[int(found.truth[index])], found.names[int(found.predicted_codes[index])]
            rows.append((*row, truth, answer, *found.probabilities[index].tolist()))
        else:
            rows.append((*row, *(float(v) for v in found.truth[index]), *found.outputs[index].tolist()))
    if task == "classification":
        more: tuple[str, ...] = ("truth", "prediction", *(f"p({name})" for name in found.names))
    else:
        predicted = "p({})" if task == "multilabel" else "prediction of {}"
        more = (*(f"truth of {name}" for name in found.names), *map(predicted.format, found.names))
    columns = ("outer fold", "row", *(() if found.weights is None else ("weight",)), *more)
    return Table("Predictions", columns, tuple(rows), len(columns))
