"""What can be concluded from a study, in sentences: which gains are shown, and how optimistic its scores are."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from tuner.report import size_curve
from tuner.report.gains import Gain
from tuner.report.results import Results
from tuner.report.statistics import differences
from tuner.report.tables import counted


def others(results: Results) -> Iterator[tuple[Gain, str, str]]:
    """Each comparison of the report: the gain, the other model, and a remark on it."""
    if results.against_default is not None:
        yield results.against_default, "the default configuration", "trial 0"
    if results.against_dummy is not None:
        yield results.against_dummy, *dummy(results)


def dummy(results: Results) -> tuple[str, str]:
    """The predictors without a model in the scored outer folds, and a remark on what they predicted."""
    found = sorted({fold.dummy.what for fold in results.scored if fold.dummy.what})
    if all(fold.dummy.ignores_features for fold in results.scored):
        return "a dummy that ignores the features", " or ".join(found)
    return (found[0], "") if len(found) == 1 else ("a dummy", " or ".join(found))


def comparisons(results: Results) -> list[str]:
    """A sentence on the tuned model against each of default and dummy, and one on the adjusted p-values."""
    found = list(others(results))
    tests = sum(gain.p is not None for gain, *_ in found)
    adjusted = [f"These p-values are adjusted for {tests} comparisons (Holm)."] if tests > 1 else []
    return [*(verdict(*each) for each in found), *adjusted]


def verdict(gain: Gain, other: str, about: str = "") -> str:
    """One comparison in a sentence, with the other's mean score: a gain, a loss, or that no gain is shown."""
    mean, what = gain.gain.mean, f"{other} ({about}{'; ' if about else ''}{gain.mean:.4g})"
    count = len(gain.gains)
    than = f"{abs(mean):.2g} {'better' if mean > 0 else 'worse'} than {what}" if mean else f"the same as {what}"
    if count == 1:
        return f"On one fold, which allows no test: {than}."
    if gain.gain.half is None or gain.adjusted is None:
        first = "Tuning scored" if mean > 0 else "No gain shown:"
        return f"{first} {than} in each of {count} outer folds; identical differences allow no test."
    about_it = f"± {gain.gain.half:.2g}, p = {gain.adjusted:.2g}"
    if gain.distinguishable:
        return f"Tuning {'gained' if mean > 0 else 'lost'} {abs(mean):.2g} ({about_it}) against {what}."
    folds = f"better in {sum(each > 0 for each in gain.gains)} of {count} outer folds"
    return f"No gain shown: {than} ({about_it}; {folds})."


def optimism(results: Results) -> list[str]:
    """How much the winners' inner score differs from the outer one, and how much of that is due to training size."""
    if results.inner_best is None or results.optimism is None or results.score is None:
        return []
    (off,) = differences([results.inner_best], [results.score.mean])
    off *= 1 if results.maximize else -1
    flatters = "more than the outer folds kept" if off >= 0 else "less than the outer folds gave"
    best = "best trials" if results.header.select == "best" else "trials that the rule chose"
    return [
        f"The {best} scored {results.inner_best:.4g} on their inner folds: {abs(off):.2g} {flatters} "
        f"(outer mean {results.score.mean:.4g}).",
        *_of_size(results),
    ]


def _of_size(results: Results) -> list[str]:
    """A sentence that both scores are of trainings on different numbers of rows, with the difference if it is known."""
    chains, rows = results.header.outer, results.header.dataset.rows
    inner, outer = statistics.fmean(c.trained for c in chains), statistics.fmean(c.rows for c in chains)
    if f"{inner / rows:.0%}" == f"{outer / rows:.0%}":
        return []
    shares = f"Inner folds train on {inner / rows:.0%} of the rows, outer folds on {outer / rows:.0%}"
    curve = size_curve.points(results)
    if len(curve) < 2:
        return [f"{shares}: more rows usually score better, which hides part of the selection bias."]
    law = size_curve.law(results, curve)
    size = law.at(inner) - law.at(outer)
    assert results.optimism is not None
    return [f"{shares}, which by the power law of tuner curve scores {size:.2g} better: without that, the "
                f"selection bias is {results.optimism + size:.2g}."]  # fmt: skip


def caveats(results: Results) -> list[str]:
    """Caveats that a reader of the outer score should know."""
    return [*_raised(results), *_unequal(results)]


def _raised(results: Results) -> list[str]:
    """A caveat that the total was raised after the study was complete and its score could be seen."""
    totals = results.header.raised
    if not totals:
        return []
    before = ", then ".join(f"{total:,}" for total in totals)
    return [f"Its total was raised when it was complete ({before}, now {counted(results.total, 'trial')}): if the "
            "score was the reason, it is optimistic (optional stopping)."]  # fmt: skip


def _unequal(results: Results) -> list[str]:
    """A caveat that the score is a mean over folds if a mean over rows would differ."""
    tests = [fold.test for fold in results.scored]
    if not tests or max(tests) - min(tests) <= 1:
        return []
    text = f"It is a mean over folds, which have {min(tests):,} … {max(tests):,} test rows"
    if not results.header.by_row:
        return [f"{text}, and all count the same."]
    total = sum((fold.score or 0.0) * fold.test for fold in results.scored)
    return [f"{text}; over rows it is {total / sum(tests):.4g}."]
