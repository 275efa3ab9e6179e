"""What a search that was tested forward in time may say: of the past, of a trend, and of one more period."""

from __future__ import annotations

from dataclasses import replace

from tuner.report.results import Results
from tuner.report.statistics import one_more, worsening_p

FEWEST = 4  # periods: of three, even those that get worse in order are so by chance in 1 of 6 orders


def periods(results: Results) -> list[str]:
    """The scores in order of time, whether they get worse, and the range of one more if they do not, in sentences."""
    scores = [fold.score for fold in results.scored if fold.score is not None]
    if len(scores) < 2 or results.score is None:
        return []
    listed = ", ".join(f"{score:.4g}" for score in scores)
    if len(scores) < FEWEST:
        return [f"Scores in order of time: {listed}. {len(scores)} periods are too few to tell a trend."]
    p = worsening_p(scores, results.maximize)
    if p <= 0.05:
        return [f"Scores in order of time: {listed}.",
                f"Warning: they get worse with time (Kendall's test, one-sided p = {p:.2g}): expect the next period to "
                "score worse than this mean."]  # fmt: skip
    ahead = replace(one_more(scores), least=results.score.least, most=results.score.most)
    return [f"Scores in order of time: {listed}. No trend to the worse is shown (Kendall's test, one-sided p = "
            f"{p:.2g}); {len(scores)} periods hide most slow ones.",
            f"If nothing drifts, one more period scores between {ahead.low:.4g} and {ahead.high:.4g} "
            "(95 %)."]  # fmt: skip
