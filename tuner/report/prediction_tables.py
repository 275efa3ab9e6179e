"""The predictions of outer-test rows as tables."""

from __future__ import annotations

from tuner.report.predictions import Predictions
from tuner.report.tables import Cell, Table

MOST_CLASSES = 12  # that a confusion matrix shows


def summaries(found: Predictions, *, classes: bool, repeats: int) -> list[Table]:
    """What a reader wants of them: per class and confused with which, or the residuals of each target."""
    rows_told = "outer-test rows" if repeats == 1 else f"outer-test rows, each tested {repeats} times"
    if not classes:
        columns = ("target", "mean", "sd", "5 %", "50 %", "95 %")
        title = f"Predictions of {rows_told}: residuals (truth − prediction)"
        return [Table(title, columns, tuple(found.residuals()), len(columns))]
    columns = ("class", "precision", "recall", "F1", "ROC-AUC", "rows")
    title = f"Predictions of {rows_told}: calibration error {found.calibration_error:.3g}"
    tables = [Table(title, columns, tuple(found.by_class()), len(columns), ("ROC-AUC", "precision"))]
    if len(found.names) <= MOST_CLASSES:
        counted = zip(found.names, found.confusion.tolist(), strict=True)
        rows: tuple[tuple[Cell, ...], ...] = tuple((name, *counts) for name, counts in counted)
        heads = ("true \\ predicted", *found.names)
        tables.append(Table("Confusion matrix", heads, rows, len(heads)))
    return tables


def row_by_row(found: Predictions, *, classes: bool) -> Table:
    """Every outer-test row: its fold, number (from 0, as in the data), truth, prediction and probabilities."""
    rows: list[tuple[Cell, ...]] = []
    for place, (fold, row) in enumerate(zip(found.folds.tolist(), found.rows.tolist(), strict=True)):
        if classes:
            truth, said = found.names[int(found.truth[place])], found.names[int(found.said[place])]
            rows.append((fold, row, truth, said, *(round(p, 6) for p in found.probabilities[place].tolist())))
        else:
            rows.append((fold, row, *(float(v) for v in found.truth[place]), *found.outputs[place].tolist()))
    if classes:
        more: tuple[str, ...] = ("truth", "prediction", *(f"p({name})" for name in found.names))
    else:
        more = (*(f"truth of {name}" for name in found.names), *(f"prediction of {name}" for name in found.names))
    columns = ("outer fold", "row", *more)
    return Table("Predictions", columns, tuple(rows), len(columns))
