"""The report in sentences: the score to quote, what to think of it, and what to do next."""

from __future__ import annotations

import math

from tuner.report.results import REPEATS, Comparison, Results
from tuner.report.statistics import Interval
from tuner.report.tables import decided, short_names, text
from tuner.spec.diagnosis import SIGNS
from tuner.spec.records import TrialRecord

EDGE = 0.05  # of a range, in its logarithm where it is searched so: a winner there asks for a wider one


def title(results: Results) -> list[str]:
    """What was searched, in a line."""
    header = results.header
    data, better = header["dataset"], "higher" if results.maximize else "lower"
    shape = "×".join(str(n) for n in data["shape"])
    nested = f"{len(results.folds)} outer folds and the final chain" if results.folds else "a flat search"
    return [f"{results.name}: {data['name']}, {data['rows']:,} rows of {shape}; {results.metric} ({better} is better); "
            f"{header['sampler']}, {results.total} trials for {nested}"]  # fmt: skip


def headline(results: Results) -> list[str]:
    """The report's first lines, in words: the score to quote, and what to think of it."""
    lines = []
    if results.flat:
        best = next(iter(results.ranking()), None)
        if best is not None and best.score is not None:
            lines.append(f"{results.metric} {best.score:.4g}: optimistic, not an estimate of new data "
                         "(outer: none: the same folds chose and scored it)")  # fmt: skip
            if results.corrected is not None:
                lines.append(f"corrected, not nested: {results.corrected:.4g} (Tibshirani & Tibshirani 2009: less what "
                             "the best configuration of each fold has over the chosen one)")  # fmt: skip
    elif results.score is None:
        lines.append("no outer fold has been scored yet")
    else:
        folds = results.header["chains"][0]
        share = folds["rows"] / (folds["rows"] + folds["test"])
        lines.append(
            f"{results.metric} {interval(results.score)} on rows that the search never saw "
            f"(tuning and training on {share:.0%} of the rows, averaged over data sets like this one; "
            f"{len(results.scored)} outer folds)"
        )
        if results.half_with_repeats is not None:
            lines.append(
                f"one cut into outer folds leaves a wide interval: repeats: {REPEATS} in resampling.outer would give "
                f"about ± {results.half_with_repeats:.2g}"
            )
        if results.inner_best is not None and results.optimism is not None:
            flatters = "too good" if results.optimism >= 0 else "below what the test gave"
            lines.append(
                f"inner best {results.inner_best:.4g}, which the search itself saw, against the outer "
                f"{results.score.mean:.4g}: {abs(results.optimism):.2g} {flatters}"
            )
        for comparison, other in ((results.against_default, "default"), (results.against_dummy, "dummy")):
            if comparison is not None:
                lines.append(verdict(comparison, other))
    lines += edges(results)
    if said := selection(results):
        lines.append(said)
    pruned, saved = results.pruned()
    if pruned:
        lines.append(
            f"{pruned} of {results.finished()} trials were stopped early, which saved up to {saved:.0%} of the epochs"
        )
    if missing := results.unscored():
        lines.append(f"WITHOUT {', '.join(missing)}: the winner's refit failed there")
    if not results.complete:
        asked = results.total * len(results.chains)
        lines.append(f"PARTIAL: {results.finished()} of {asked} trials, {len(results.scored)} of "
                     f"{len(results.folds)} outer folds scored; the same search command goes on")  # fmt: skip
    return lines


def edges(results: Results) -> list[str]:
    """Ranges whose border the deployed configuration sits at: the best may lie beyond."""
    values, found = results.deployed.values if results.deployed else {}, []
    for path, (low, high, log) in results.header["ranges"].items():
        value = values.get(path)
        if not isinstance(value, int | float) or low == high:
            continue
        scale = math.log if log else float
        share = (scale(value) - scale(low)) / (scale(high) - scale(low))
        side = "lower" if share < EDGE and low > 0 else "upper" if share > 1 - EDGE else None
        if side:
            where = f"the {side} edge of {low:g} … {high:g}"
            found.append(f"{path} = {value:.4g} of the deployed configuration sits at {where}: widen it, if it can be")
    return found


def selection(results: Results) -> str | None:
    """Which rule chose what, where it is not simply the best score."""
    best, chosen, rule = next(iter(results.ranking()), None), results.deployed, results.selections["final"]
    if best is None or chosen is None or best.score is None or chosen.score is None or rule.rule == "best":
        return None
    what = {"one_se": "the smallest model within one standard error of the best",
            "lower_bound": "the best score less its standard error"}[rule.rule]  # fmt: skip
    if chosen is best:
        return f"select: {rule.rule} ({what}) deploys the best trial, {best.number}"
    error = rule.error(best if rule.rule == "one_se" else chosen)
    return (
        f"select: {rule.rule} ({what}, ± {error:.2g}) deploys trial {chosen.number} ({chosen.score:.4g}, "
        f"{chosen.parameters:,} parameters) and not trial {best.number} ({best.score:.4g}, {best.parameters:,})"
    )


def summary(results: Results) -> str:
    """The result in one line, fit for the subject of a mail."""
    if results.flat:
        best = next(iter(results.ranking()), None)
        said = f"{results.metric} {best.score:.4g}, optimistic" if best and best.score is not None else "no score yet"
    elif results.score is None:
        said = "no outer score yet"
    else:
        half = results.score.half
        said = f"{results.metric} {results.score.mean:.4g}" + ("" if half is None else f" ± {half:.2g}")
    failed = sum(trial.state == "failed" for chain in results.chains.values() for trial in chain.trials)
    asked = results.total * len(results.chains)
    folds = f" and {len(results.scored)} of {len(results.folds)} outer folds" if results.folds else ""
    done = f"{asked} trials" if results.complete else f"PARTIAL, {results.finished()} of {asked} trials{folds}"
    return f"{results.name}: {said}; {done}" + (f", {failed} failed" if failed else "")


def interval(value: Interval) -> str:
    """ "0.953 ± 0.041 (95 % interval 0.912 … 0.994)"."""
    if value.half is None:
        return f"{value.mean:.4g} (one fold: no interval)"
    return f"{value.mean:.4g} ± {value.half:.2g} (95 % interval {value.low:.4g} … {value.high:.4g})"


def verdict(comparison: Comparison, other: str) -> str:
    """Tuned against default or dummy, in a sentence."""
    what = {"default": "the default configuration", "dummy": "a dummy that ignores the features"}[other]
    gain = comparison.gain
    margin = "" if gain.half is None else f" ± {gain.half:.2g}"
    said = f"not distinguishable ({gain.mean:+.2g}{margin})"
    if gain.half is None:
        said = f"{gain.mean:+.2g} on one fold, which allows no test"
    elif comparison.distinguishable:
        said = f"tuning {'gained' if gain.mean > 0 else 'lost'} {abs(gain.mean):.2g}{margin}"
    return f"against {what} ({comparison.mean:.4g}): {said}"


def diagnosis(trial: TrialRecord) -> list[str]:
    """What the curves of a trial say, by which rule, and what to try."""
    return [f"{sign}: {SIGNS[sign].rule}; try {SIGNS[sign].cure}" for sign in trial.diagnosis]


def about(results: Results, trial: TrialRecord) -> str:
    """One trial in a line: how it ended, and what it had decided."""
    values = decided(trial)
    names = short_names(list(values))
    settings = " ".join(f"{name}={text(value, False)}" for name, value in zip(names, values.values(), strict=True))
    ended = {"complete": f"{results.metric} {text(trial.score, False)}", "failed": f"failed: {trial.reason}",
             "pruned": "stopped early"}[trial.state]  # fmt: skip
    return f"trial {trial.number}: {ended}, {trial.epochs} epochs; {settings}"
