"""The reasons why trials and refits failed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tuner.report.results import Results

EPOCH = re.compile(r",? in epoch \d+")  # removed from reasons, so that equal failures at different epochs are one kind


@dataclass(frozen=True)
class Failure:
    """A reason, how many trials and refits it ended, and the first of them, with the diagnosis of its curves."""

    reason: str
    count: int
    chain: str
    trial: int
    diagnosis: str | None


def failures(results: Results) -> list[Failure]:
    """Every kind of failure, most frequent reason first."""
    found: dict[str, list[tuple[str, int, str | None]]] = {}
    for name, chain in results.chains.items():
        kept = {fold.winner.number for fold in results.folds if fold.winner and fold.name == name}
        kept |= {0} if results.header.default else set()
        ended = [(trial.number, trial.reason, ", ".join(trial.diagnosis) or None) for trial in chain.trials]
        ended += [(number, refit.reason, None) for number, refit in chain.refits.items() if number in kept]
        for number, reason, signs in ended:
            if reason is not None:
                found.setdefault(EPOCH.sub("", reason), []).append((name, number, signs))
    by_count = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return [Failure(reason, len(places), *places[0]) for reason, places in by_count]
