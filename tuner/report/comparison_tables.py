"""A comparison of studies in words and tables."""

from __future__ import annotations

import json
from dataclasses import asdict

from tuner.report.compare import Comparison, PairComparison
from tuner.report.statistics import ALPHA
from tuner.report.tables import Table


def ranking(found: Comparison) -> Table:
    """The studies, best first, on the outer folds that are scored in all of them."""
    metric = found.studies[0].results.metric
    rows = []
    for rank, study in enumerate(found.studies, start=1):
        header = study.results.header
        rows.append((rank, study.label, study.mean, header.dataset.name, header.sampler, study.results.total))
    columns = ("rank", "study", f"outer {metric}", "data", "sampler", "trials")
    return Table(f"Compared on {found.folds} outer folds", columns, tuple(rows), len(columns), ("data", "sampler"))


def partial(found: Comparison) -> list[str]:
    """Sentences on what is still missing; they come first."""
    lines = [f"left out: {each}" for each in found.left_out]
    for study in found.studies:
        if not study.results.complete:
            total = study.results.total * len(study.results.chains)
            lines.append(f"PARTIAL: {study.label} has {study.results.finished():,} of {total:,} trials")
    if found.folds < found.planned:
        lines.append(f"PARTIAL: {found.folds} of {found.planned} outer folds are scored in all of them")
    return lines


def sentences(found: Comparison) -> list[str]:
    """A sentence on each pair, and the conditions of the comparison."""
    lines = [sentence(comparison, found) for comparison in found.pairs]
    if len(found.pairs) > 1 and any(comparison.p is not None for comparison in found.pairs):
        lines.append(f"p-values are adjusted for {len(found.pairs)} pairs (Holm)")
    best = found.studies[0]
    lines.append(f"the mean of {best.label}, {best.mean:.4g}, is optimistic if it is quoted as the best of "
                 f"{len(found.studies)}: the same outer folds chose it")  # fmt: skip
    return lines


def sentence(comparison: PairComparison, found: Comparison) -> str:
    """ "a against b: better by 0.02 ± 0.01 (p = 0.003); by more than 0.01 with probability 0.97"."""
    title, mean = f"{comparison.first} against {comparison.second}", comparison.gain.mean
    if found.folds == 1:
        return f"{title}: {mean:+.2g} on one fold, which allows no test"
    if comparison.gain.half is None or comparison.adjusted is None or comparison.equivalence is None:
        same = f"{mean:+.2g}" if mean else "the same score"
        return f"{title}: {same} in each of {found.folds} outer folds; identical differences allow no test"
    how = f"({mean:+.2g} ± {comparison.gain.half:.2g}, p = {comparison.adjusted:.2g})"
    text = f"better {how}" if comparison.adjusted < ALPHA else f"not distinguishable {how}"
    odds = comparison.equivalence
    return (
        f"{title}: {text}; better by more than {found.margin:.2g} with probability {odds.better:.2f}, "
        f"equal within it {odds.equivalent:.2f}, worse {odds.worse:.2f}"
    )


def as_json(found: Comparison) -> str:
    """The whole comparison as JSON."""
    compared = [
        {"study": study.label, "mean": study.mean, "scores": study.scores, "complete": study.results.complete}
        for study in found.studies
    ]
    pairs = [
        {
            **asdict(comparison),
            "gain": {"mean": comparison.gain.mean, "low": comparison.gain.low, "high": comparison.gain.high},
        }
        for comparison in found.pairs
    ]
    report = {"metric": found.studies[0].results.metric, "margin": found.margin, "folds": found.folds,
              "planned": found.planned, "left_out": found.left_out, "studies": compared, "pairs": pairs}  # fmt: skip
    return json.dumps(report, indent=2)
