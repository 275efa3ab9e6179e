"""The report in sentences: the score to quote, how far it can be trusted, and what to do next."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tuner.data.unseen import in_words
from tuner.experiment.diagnosis import FINDINGS, advice, inside
from tuner.experiment.header import StudyHeader
from tuner.experiment.records import RefitRecord, TrialRecord
from tuner.experiment.selection import refit_epochs
from tuner.metrics import METRICS
from tuner.report import verdicts
from tuner.report.periods import periods
from tuner.report.results import FEW, REPEATS, Results
from tuner.report.statistics import Interval
from tuner.report.tables import counted, probability, settings, text

EDGE = 0.05  # share of a range (of its logarithm for log ranges) that counts as its edge
FEWEST = 3  # a range of fewer steps between whole numbers is all edges


def title(results: Results) -> list[str]:
    """The data, the metric and the size of the search, and the default configuration if something was searched."""
    header = results.header
    data, better = header.dataset, "higher" if results.maximize else "lower"
    shape = "×".join(str(n) for n in data.shape)
    outer = counted(len(results.folds), "outer fold")
    nested = f"{outer} and the final chain" if results.folds else "a flat search"
    column = header.identity.get(f"dataset.{header.cut}")
    weighted = "; rows count by weight" if header.weighted else ""
    lines = [f"{results.name}: {data.name}, {data.rows:,} rows of {shape}{_cut(header.cut, column)}; "
             f"{results.metric}{_of_class(header)} ({better} is better{weighted}); "
             f"{header.sampler}, {counted(results.total, 'trial')} for {nested}"]  # fmt: skip
    first = next((trial for trial in results.chains["final"].trials if trial.number == 0), None)
    if header.default and first is not None and (values := settings(first)):
        lines.append(f"default configuration (trial 0): {values}")
    return lines


def _of_class(header: StudyHeader) -> str:
    """The class of which the score is, if it is of one of two."""
    metric = METRICS.get(header.metric)
    one = metric and metric.of_class(header.dataset.classes)
    return f" of class '{one}'" if one else ""


def _cut(kind: str, column: object) -> str:
    """How rows were cut into folds, unless at random."""
    by = f" by {column}" if column else ""
    return {"groups": f", grouped{by}", "time": f", in order of time{by}", "split": f", split{by}"}.get(kind, "")


def headline(results: Results) -> list[str]:
    """The report in sentences, one per line; the score to quote comes first."""
    lines = [] if results.complete else [f"PARTIAL: {_progress(results)}; the same search command goes on."]
    lines += _flat(results) if results.flat else _nested(results)
    lines += [f"Warning: {hint}." for hint in (*results.header.hints, *results.storage_warnings)]
    lines += [f"Note: {note}." for note in results.header.notes]
    new = in_words({chain.name: chain.unseen for chain in results.header.chains})
    lines += [] if new is None else [f"Unseen in training: {new}."]
    lines += [*deployed(results), *edges(results), *refit_diagnosis(results)]
    pruned, saved = results.pruned()
    if pruned:
        were = "was" if pruned == 1 else "were"
        lines.append(f"Of {counted(results.finished(), 'trial')} {pruned} {were} stopped early, which saved up to "
                     f"{saved:.0%} of the epochs.")  # fmt: skip
    if failed := sum("Error: " in (t.reason or "") for chain in results.chains.values() for t in chain.trials):
        lines.append(f"{counted(failed, 'trial')} failed in the code of the model: constraints exclude values that do "
                     "not go together.")  # fmt: skip
    if missing := results.unscored():
        lines.append(f"WITHOUT {', '.join(missing)}: the winner's refit failed there.")
    return lines


def _flat(results: Results) -> list[str]:
    """A search without outer folds: its best score, and that score corrected."""
    chosen = results.deployed
    if chosen is None or chosen.score is None:
        return ["No trial is complete yet."]
    lines = [f"{results.metric} {chosen.score:.4g}: optimistic, not an estimate of new data (outer: none: the same "
             "folds chose and scored it)."]  # fmt: skip
    if results.corrected is not None:
        lines.append(f"Corrected, not nested: {results.corrected:.4g} (Tibshirani & Tibshirani 2009: minus the mean "
                             "advantage, per fold, of the best configuration over the chosen one).")  # fmt: skip
    if results.bootstrapped is not None:
        found = results.bootstrapped
        scale = f"; of all rows taken together, on which the best scores {found.together:.4g}"
        lines.append(f"Corrected, not nested: {found.mean:.4g} (95 % {found.low:.4g} … {found.high:.4g}; BBC-CV, "
                     "Tsamardinos et al. 2018: bootstrap samples choose, left-out rows score"
                     f"{'' if results.header.by_row else scale}).")  # fmt: skip
    else:
        lines.append("BBC-CV is left out: it needs a metric that is a function of sums over rows, rows that can be "
                             "resampled (not forward in time), select: best, and memory for the outputs.")  # fmt: skip
    return lines


def _nested(results: Results) -> list[str]:
    """The outer score, what it estimates, and how it compares."""
    if results.score is None:
        failed = results.finished() and not any(results.ranking(name) for name in results.chains)
        return ["No outer fold has a score: every trial failed." if failed else "No outer fold has been scored yet."]
    folds = len(results.scored)
    lines = [f"{results.metric} {interval(results.score, folds, results.kind)}: {_estimand(results)} "
             f"({counted(folds, 'outer fold')}).", *_certainty(results)]  # fmt: skip
    return [*lines, *verdicts.caveats(results), *verdicts.optimism(results), *verdicts.comparisons(results)]


def _estimand(results: Results) -> str:
    """What the score estimates."""
    sees = f"when the whole procedure sees {_shares(results)} of the data"
    if results.header.cut == "time":
        return f"the mean over past periods, each predicted from what came before it, {sees}; not of the future"
    if results.header.cut == "split":
        return (
            f"on the rows that the split column tests, {sees}; what to deploy is chosen on all rows, test rows included"
        )
    which = "rows of new groups" if results.header.cut == "groups" else "new rows"
    return f"expected on {which} {sees}" + (", given these data" if results.kind == "bates" else "")


def _certainty(results: Results) -> list[str]:
    """Sentences on how far the interval can be trusted, and on how to make it narrower."""
    score, header = results.score, results.header
    assert score is not None
    lines = periods(results) if header.cut == "time" else []
    if score.half is None or header.cut == "time":
        return lines
    if score.independent:
        lines.append("This interval of Bates et al. is as narrow as that of independent rows: their correction found "
                     "nothing to add on these data, and such intervals often miss (benchmarks/README.md).")  # fmt: skip
    units = f"{header.units} {'groups' if header.cut == 'groups' else 'rows'}"
    if not header.repeatable:
        which = "These rows" if header.cut == "split" else f"The {units}"
        lines.append(f"{which} can be cut in one way only, so the interval stays as wide as it is.")
    elif results.few:
        lines.append(f"Of {units}, fewer than {FEW}, repeats make the mean more stable but add no evidence: the "
                     "interval counts the folds of one cut.")  # fmt: skip
    elif results.half_with_repeats is not None:
        lines.append(f"One cut into outer folds leaves this interval wide: with repeats: {REPEATS} in "
                     f"resampling.outer, expect about ± {results.half_with_repeats:.2g}.")  # fmt: skip
    return lines


def _shares(results: Results) -> str:
    """ "80 %" of the rows train in the outer folds, or from how many to how many."""
    shares = [fold.rows / results.header.dataset.rows for fold in results.folds]
    ends = dict.fromkeys(f"{share:.0%}" for share in (min(shares), max(shares)))
    return " … ".join(ends)


def deployed(results: Results) -> list[str]:
    """The configuration to deploy, the rule that chose it, and the diagnosis of its curves."""
    chosen, rule = results.deployed, results.selections["final"]
    if chosen is None or chosen.score is None:
        return []
    why = f"; {selection(results)}" if rule.rule != "best" else ""
    what = f"{settings(chosen) or 'nothing was searched'}{why}"
    if not results.flat and results.score is None:
        return [f"The final chain leads with trial {chosen.number}: {what}. No outer score says yet how good it is."]
    patient = chosen.configuration.patience is not None
    how = "median best epoch of its inner folds" if patient else "all that the file asks for"
    length = f"train it for {counted(refit_epochs(chosen), 'epoch')} ({how})"
    unshown = any(not gain.shown for gain, *_ in verdicts.others(results))
    first = f"Deploy trial {chosen.number}"
    if unshown and chosen.number == 0 and results.default:
        first = "The final chain chose the default configuration itself: deploy trial 0"
    elif unshown:
        first = f"The configuration to deploy stays trial {chosen.number}, which the final chain chose"
    decision = f"; {threshold(results, chosen)}" if chosen.threshold is not None else ""
    return [*_of_default(results), f"{first}: {what}; {length}{decision}.", *diagnosis(chosen)]


def threshold(results: Results, trial: TrialRecord) -> str:
    """The probability from which the second of two classes is predicted, as part of a sentence."""
    assert trial.threshold is not None
    second = results.header.dataset.classes[1]
    return f"predict '{second}' from a probability of {probability(trial.threshold):.3g} (chosen on its inner folds)"


def _of_default(results: Results) -> list[str]:
    """The default's own score, if no gain over it is shown: it may be deployed as well. This is advice; it does not
    change the choice."""
    own = results.default_score
    if own is None or results.against_default is None or results.against_default.shown:
        return []
    return [f"The default configuration (trial 0): {results.metric} {interval(own, len(results.scored))}."]


def edges(results: Results) -> list[str]:
    """Sentences on ranges at whose edge the deployed configuration lies: the best may lie beyond."""
    values, found = results.deployed.values if results.deployed else {}, []
    for path, (low, high, log) in results.header.ranges.items():
        value = values.get(path)
        if not isinstance(value, int | float) or low == high or (isinstance(value, int) and high - low < FEWEST):
            continue
        scale = math.log if log else float
        share = (scale(value) - scale(low)) / (scale(high) - scale(low))
        side = "lower" if share < EDGE and low > 0 else "upper" if share > 1 - EDGE else None
        if side:
            where = f"the {side} edge of {low:g} … {high:g}"
            found.append(f"Its {path} = {value:.4g} sits at {where}: widen it, if it can be.")
    return found


def refit_diagnosis(results: Results) -> list[str]:
    """Sentences on the gradients and ReLUs of most refits, of the winners and of the default."""
    winners = [(fold.refit, fold.winner) for fold in results.folds]
    defaults = [(fold.default, results.trial(fold.name, 0)) for fold in results.folds if fold.default is not None]
    return [*_insides("winner", winners), *_insides("default", defaults)]


def _insides(who: str, refits: Sequence[tuple[RefitRecord | None, TrialRecord | None]]) -> list[str]:
    """The signs that more than half of the refits show, each with its trial."""
    shown, found = [], []
    for refit, trial in refits:
        if refit is not None and trial is not None and refit.gradients:
            norms = np.array([*refit.gradients.values()], dtype=float).T
            shown.append((inside(norms, np.array([*refit.dead.values()])), trial))
    for sign in FINDINGS:
        affected = [trial for signs, trial in shown if sign in signs]
        if 2 * len(affected) > len(shown):
            seen = f"{sign[0].upper()}{sign[1:]} in {len(affected)} of {len(shown)} refits of the {who}"
            found.append(f"{seen}: {_explained(sign, affected)}.")
    return found


def selection(results: Results) -> str:
    """A sentence on the selection rule: what it chose, and the trial with the best score that it did not."""
    (best, *_), chosen, rule = results.ranking(), results.deployed, results.selections["final"]
    assert chosen is not None
    what = {"one_se": "the smallest model within one standard error of the best",
            "lower_bound": "the best score less its standard error"}[rule.rule]  # fmt: skip
    if chosen is best:
        return f"select: {rule.rule} ({what}) agrees with the best score"
    error = rule.error(best if rule.rule == "one_se" else chosen)
    return (
        f"select: {rule.rule} ({what}, ± {error:.2g}) chose it ({chosen.score:.4g}, {chosen.parameters:,} parameters) "
        f"and not trial {best.number} ({best.score:.4g}, {best.parameters:,})"
    )


def summary(results: Results) -> str:
    """The result in one line, fit for the subject of a mail."""
    if results.flat:
        best = results.deployed
        text = f"{results.metric} {best.score:.4g}, optimistic" if best and best.score is not None else "no score yet"
    elif results.score is None:
        text = "no outer score yet"
    else:
        half = results.score.half
        text = f"{results.metric} {results.score.mean:.4g}" + ("" if half is None else f" ± {half:.2g}")
    failed = sum(trial.state == "failed" for chain in results.chains.values() for trial in chain.trials)
    done = counted(results.finished(), "trial") if results.complete else f"PARTIAL, {_progress(results)}"
    return f"{results.name}: {text}; {done}" + (f", {failed} failed" if failed else "")


def _progress(results: Results) -> str:
    """How much of the search is done."""
    folds = f", {len(results.scored)} of {len(results.folds)} outer folds scored" if results.folds else ""
    return f"{results.finished():,} of {counted(results.total * len(results.chains), 'trial')}{folds}"


def interval(value: Interval, folds: int, kind: str = "corrected") -> str:
    """ "0.953, 95 % interval 0.912 to 0.994", of so many folds."""
    if value.half is None:
        why = "one fold" if folds == 1 else f"the same in all {folds} folds"
        return f"{value.mean:.4g} ({why}: no interval)"
    of = {"corrected": "", "bates": " (Bates, Hastie & Tibshirani 2023)"}[kind]
    return f"{value.mean:.4g}, 95 % interval{of} {value.low:.4g} to {value.high:.4g}"


def diagnosis(trial: TrialRecord) -> list[str]:
    """A sentence on each finding in the curves of a trial, with its rule and what to try."""
    return [f"Its curves show {sign}: {_explained(sign, [trial])}." for sign in trial.diagnosis]


def _explained(sign: str, trials: Sequence[TrialRecord]) -> str:
    return f"{FINDINGS[sign].rule}; try {advice(sign, [trial.configuration for trial in trials])}"


def about(results: Results, trial: TrialRecord) -> str:
    """One trial in a line: its result, its length and its searched values."""
    ended = {"complete": f"{results.metric} {text(trial.score, False)}", "failed": f"failed: {trial.reason}",
             "pruned": "stopped early"}[trial.state]  # fmt: skip
    return f"trial {trial.number}: {ended}, {length(trial)}; {settings(trial)}"


def length(trial: TrialRecord) -> str:
    """The epochs of a training on all rows, and those trained; only the latter for a trial without a score."""
    if trial.state != "complete":
        return f"{counted(trial.epochs, 'epoch')} trained"
    return f"{counted(refit_epochs(trial), 'epoch')} ({trial.epochs} trained)"
