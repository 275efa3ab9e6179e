"""Scores in order of time: their trend, and a prediction interval of the next period."""

from __future__ import annotations

from tuner.report.results import Results
from tuner.report.statistics import ALPHA, prediction_interval, worsening_p

MANY = 10  # periods that show a drift of three standard deviations in three of four series (benchmarks/intervals.py)
FEWEST = 4  # periods: three scores get worse in order by chance in 1 of 6 orders


def periods(results: Results) -> list[str]:
    """The scores in order of time, whether they get worse, and the interval of the next one if they do not."""
    scores = [fold.score for fold in results.scored if fold.score is not None]
    if len(scores) < 2 or results.score is None:
        return []
    listed = ", ".join(f"{score:.4g}" for score in scores)
    if len(scores) < FEWEST:
        return [f"Scores in order of time: {listed}. {len(scores)} periods are too few to tell a trend."]
    p = worsening_p(scores, results.maximize)
    if p <= ALPHA:
        return [f"Scores in order of time: {listed}.",
                f"Warning: scores get worse over time (Kendall's test, one-sided p = {p:.2g}): if the trend continues, "
                "the next period scores worse than this mean."]  # fmt: skip
    ahead = prediction_interval(scores).within(*results.header.bounds)
    power = f"; with {len(scores)} periods this test misses most slow trends" if len(scores) < MANY else ""
    return [f"Scores in order of time: {listed}. No trend to the worse is shown (Kendall's test, one-sided p = "
            f"{p:.2g}){power}.",
            f"If nothing drifts, the next period scores between {ahead.low:.4g} and {ahead.high:.4g} "
            "(95 %)."]  # fmt: skip
