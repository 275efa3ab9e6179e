"""`tuner replay study.db --chain C --trial N`: train a trial again, and compare it with what is stored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tuner.cli.options import CHAIN, DEVICE, JSON, NAME, STUDY, TRUST

if TYPE_CHECKING:
    from tuner.search.replay import Replay

DIFFERENT = 1


def command(
    study: Path = STUDY,
    name: str | None = NAME,
    chain: str = CHAIN,
    trial: int = typer.Option(..., "--trial", min=0, help="Number of the trial."),
    device: str = DEVICE,
    trust: bool = TRUST,
    json: bool = JSON,
) -> None:
    """Train a trial again and compare every value of its curves; exit code 1 if it differs without a known cause.

    \b
      tuner replay study.db --chain outer-2 --trial 17
    """
    from tuner.cli.chosen import results_of
    from tuner.cli.console import console, print_json

    results = results_of(study, name)
    stored = results.whole(chain, results.trial(chain, trial))  # wrong arguments are reported before torch is loaded
    from tuner.search.forkserver import start_forkserver

    start_forkserver()
    from tuner.search.replay import replay

    found = replay(results.study, chain, stored, device, trusted=trust)
    if json:
        print_json({"name": results.name, "chain": chain, "trial": trial, "identical": found.identical,
                    "close": found.close, "values": found.values, "largest": found.largest,
                    "verdict": _verdict(found)})  # fmt: skip
    else:
        text = f"trial {trial} of {chain}: {_verdict(found)}"
        console().print(text, markup=False, soft_wrap=True)
    if not (found.identical or found.close):
        raise typer.Exit(DIFFERENT)


def _verdict(found: Replay) -> str:
    """Whether the trial came out as it is stored; if not, how far apart, and which versions or machines differ."""
    because = f", because {', '.join(found.changed)}" if found.changed else ""
    if found.identical and found.stored.state == "failed":
        return f"failed again, as before: {found.stored.reason}"
    if found.identical:
        return f"identical in all {found.values:,} values"
    if found.close:
        return f"close (at most {found.largest:.2g} apart){because}"
    if found.stored.state == found.again.state and not found.differences:
        return f"different scores, at most {found.largest:.2g} apart, of the same curves"
    if found.stored.state != found.again.state:
        before, now = (
            f"{each.state}" + (f" ({each.reason})" if each.reason else "") for each in (found.stored, found.again)
        )
        return f"different: it was {before} and is {now}"
    first = found.differences[0]
    return (
        f"different in {len(found.differences):,} of {found.values:,} values, first in the {first.curve} of fold "
        f"{first.fold}, epoch {first.epoch}: {first.stored} → {first.again}{because}"
    )
