"""A comparison of studies in words and tables."""

from __future__ import annotations

import json
from dataclasses import asdict

from tuner.report.compare import Comparison, Match
from tuner.report.statistics import ALPHA
from tuner.report.tables import Table


def ranking(found: Comparison) -> Table:
    """The studies, best first, on the outer folds that are scored in all of them."""
    metric = found.rivals[0].results.metric
    rows = []
    for rank, rival in enumerate(found.rivals, start=1):
        header = rival.results.header
        rows.append((rank, rival.label, rival.mean, header.dataset.name, header.sampler, rival.results.total))
    columns = ("rank", "study", f"outer {metric}", "data", "sampler", "trials")
    return Table(f"Compared on {found.folds} outer folds", columns, tuple(rows), len(columns), ("data", "sampler"))


def partial(found: Comparison) -> list[str]:
    """Sentences on what is still missing; they come first."""
    lines = []
    for rival in found.rivals:
        if not rival.results.complete:
            total = rival.results.total * len(rival.results.chains)
            lines.append(f"PARTIAL: {rival.label} has {rival.results.finished():,} of {total:,} trials")
    if found.folds < found.planned:
        lines.append(f"PARTIAL: {found.folds} of {found.planned} outer folds are scored in all of them")
    return lines


def sentences(found: Comparison) -> list[str]:
    """A sentence on each pair, and the conditions of the comparison."""
    lines = [sentence(match, found) for match in found.matches]
    if len(found.matches) > 1 and any(match.p is not None for match in found.matches):
        lines.append(f"p-values are adjusted for {len(found.matches)} pairs (Holm)")
    best = found.rivals[0]
    lines.append(f"the mean of {best.label}, {best.mean:.4g}, is optimistic if it is quoted as the best of "
                 f"{len(found.rivals)}: the same outer folds chose it")  # fmt: skip
    return lines


def sentence(match: Match, found: Comparison) -> str:
    """ "a against b: better by 0.02 ± 0.01 (p = 0.003); by more than 0.01 with probability 0.97"."""
    pair, mean = f"{match.first} against {match.second}", match.gain.mean
    if found.folds == 1:
        return f"{pair}: {mean:+.2g} on one fold, which allows no test"
    if match.gain.half is None or match.adjusted is None or match.practical is None:
        same = f"{mean:+.2g}" if mean else "the same score"
        return f"{pair}: {same} in each of {found.folds} outer folds; identical differences allow no test"
    how = f"({mean:+.2g} ± {match.gain.half:.2g}, p = {match.adjusted:.2g})"
    said = f"better {how}" if match.adjusted < ALPHA else f"not distinguishable {how}"
    odds = match.practical
    return (
        f"{pair}: {said}; better by more than {found.margin:.2g} with probability {odds.better:.2f}, "
        f"equal within it {odds.equivalent:.2f}, worse {odds.worse:.2f}"
    )


def as_json(found: Comparison) -> str:
    """The whole comparison as JSON."""
    studies = [
        {"study": rival.label, "mean": rival.mean, "scores": rival.scores, "complete": rival.results.complete}
        for rival in found.rivals
    ]
    matches = [
        {**asdict(match), "gain": {"mean": match.gain.mean, "low": match.gain.low, "high": match.gain.high}}
        for match in found.matches
    ]
    report = {"metric": found.rivals[0].results.metric, "margin": found.margin, "folds": found.folds,
              "planned": found.planned, "studies": studies, "matches": matches}  # fmt: skip
    return json.dumps(report, indent=2)
