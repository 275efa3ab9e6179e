"""The study that a verb reads: the one that is named, or the newest of the file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuner.report.results import Results


def results_of(study: Path, name: str | None, **how: Any) -> Results:
    """The results of one study of a file, read as `how` says; a line on standard error tells which was taken of
    several. Raises `UsageError`, `StorageError`."""
    from tuner.escapes import line
    from tuner.report.results import load

    results = load(study, name, **how)
    if name is None and results.others:
        others = " or ".join(f"--name {each}" for each in results.others[:5])
        print(line(f"{study} holds {len(results.others) + 1} studies; this is the one that ran last, {results.name}; "
                   f"else {others}"), file=sys.stderr)  # fmt: skip
    return results
