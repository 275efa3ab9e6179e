"""Learning curves as text plots: training and validation, mean over folds with the band of all folds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from tuner.spec.records import FoldCurve, TrialRecord


def band(folds: Sequence[FoldCurve]) -> tuple[list[float], list[float], list[float]]:
    """(lowest, mean, highest) per epoch over the folds that were still training."""
    known = [[v for v in epoch if v is not None] for epoch in zip(*folds, strict=True)]
    known = [epoch for epoch in known if epoch]
    return [min(e) for e in known], [statistics.fmean(e) for e in known], [max(e) for e in known]


def plots(trial: TrialRecord, metric: str, width: int, *, color: bool) -> str:
    """Loss (training and validation) above score (validation), each `width` characters wide."""
    curves = trial.curves
    loss = _plot("loss", {"training": curves.train_loss, "validation": curves.loss}, width, color=color)
    return loss + "\n" + _plot(metric, {"validation": curves.score}, width, color=color)


def _plot(title: str, lines: dict[str, tuple[FoldCurve, ...]], width: int, *, color: bool) -> str:
    import plotext

    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plot_size(max(width, 30), 14)
    for (label, folds), shade in zip(lines.items(), ("blue", "orange") if len(lines) > 1 else ("orange",), strict=True):
        low, mean, high = band(folds)
        epochs = list(range(1, len(mean) + 1))
        for edge in (low, high):
            plotext.plot(epochs, edge, marker="·", color="gray")
        plotext.plot(epochs, mean, marker="braille", color=shade, label=label)
    shown = f"mean and range over {len(folds)} folds" if len(folds) > 1 else "one fold"
    plotext.title(f"{title} per epoch: {shown}")
    ticks = sorted({1, *(round(1 + (len(mean) - 1) * i / 4) for i in range(5))})
    plotext.xticks(ticks, [str(t) for t in ticks])
    drawn: str = plotext.build()
    return drawn if color else str(plotext.uncolorize(drawn))
