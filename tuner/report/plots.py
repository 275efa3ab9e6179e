"""Learning curves as text plots: training and validation, mean over folds with the band of all folds."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from tuner.experiment.records import FoldCurve, TrialRecord

Band = tuple[list[float], list[float], list[float]]  # lowest, mean, highest


def band(folds: Sequence[FoldCurve]) -> Band:
    """(lowest, mean, highest) per epoch over the folds that were still training."""
    known = [[v for v in epoch if v is not None] for epoch in zip(*folds, strict=True)]
    known = [epoch for epoch in known if epoch]
    return [min(e) for e in known], [statistics.fmean(e) for e in known], [max(e) for e in known]


def plots(trial: TrialRecord, metric: str, width: int, *, color: bool) -> str:
    """Loss (training and validation) above score (validation), each `width` characters wide."""
    curves = trial.curves
    named = {"training": curves.train_loss, "validation": curves.loss}
    return "\n".join(
        _per_epoch(title, folds, width, color=color)
        for title, folds in (("loss", named), (metric, {"validation": curves.score}))
    )


def over_rows(
    metric: str, rows: Sequence[int], points: Mapping[str, Sequence[Sequence[float]]], width: int, *, color: bool
) -> str:
    """Scores over the number of training rows: mean and range of the folds at every point."""
    bands = {
        label: ([min(p) for p in each], [statistics.fmean(p) for p in each], [max(p) for p in each])
        for label, each in points.items()
    }
    return _plot(f"{metric} over training rows: mean and range over folds", rows, bands, rows, width, color=color)


def _per_epoch(title: str, lines: Mapping[str, tuple[FoldCurve, ...]], width: int, *, color: bool) -> str:
    bands = {label: band(folds) for label, folds in lines.items()}
    count, last = max(map(len, lines.values())), max(len(mean) for _, mean, _ in bands.values())
    shown = f"mean and range over {count} folds" if count > 1 else "one fold"
    ticks = sorted({1, *(round(1 + (last - 1) * i / 4) for i in range(5))})
    return _plot(f"{title} per epoch: {shown}", range(1, last + 1), bands, ticks, width, color=color)


# parameters: what is drawn, and how
def _plot(
    title: str, x: Sequence[int], bands: Mapping[str, Band], ticks: Sequence[int], width: int, *, color: bool
) -> str:
    import plotext

    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plot_size(max(width, 30), 14)
    shades = ("blue", "orange") if len(bands) > 1 else ("orange",)
    for (label, (low, mean, high)), shade in zip(bands.items(), shades, strict=True):
        places = list(x)[: len(mean)]
        for edge in (low, high):
            plotext.plot(places, edge, marker="·", color="gray")
        plotext.plot(places, mean, marker="braille", color=shade, label=label)
    plotext.title(title)
    plotext.xticks(list(ticks), [str(tick) for tick in ticks])
    drawn: str = plotext.build()
    return drawn if color else str(plotext.uncolorize(drawn))
