"""The study that a verb reads: the one that is named, or the newest of the file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

LARGE = 2**21  # bytes of a study that takes a moment to read

if TYPE_CHECKING:
    from tuner.report.results import Results


def results_of(study: Path, name: str | None, **how: Any) -> Results:
    """The results of one study of a file, read as `how` says; a line on standard error tells which was taken of
    several. Raises `UsageError`, `StorageError`."""
    from tuner.cli.console import announce

    if os.path.isfile(study) and study.stat().st_size > LARGE:
        announce(f"reading {study}")  # before the imports below, which take a third of a second
    from tuner.escapes import line
    from tuner.report.results import load

    results = load(study, name, **how)
    if name is None and results.others:
        others = " or ".join(f"--name {each}" for each in results.others[:5])
        print(line(f"{study} holds {len(results.others) + 1} studies; this is the one that ran last, {results.name}; "
                   f"else {others}"), file=sys.stderr)  # fmt: skip
    return results
