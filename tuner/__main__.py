"""The `tuner` command; also `python -m tuner`."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

from tuner.process import set_up_command


def main() -> None:
    """Run the command line and exit with its code. Skips interpreter shutdown, which takes torch most of a second."""
    set_up_command()
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # until `run` handles it: no traceback from an import
    _ready_streams()
    from tuner.cli.app import run

    code = run(sys.argv[1:])
    if started := sys.modules.get("tuner.search.forkserver"):  # which most commands never load
        started.stop_forkserver()
    with suppress(OSError):  # `run` has reported it
        sys.stdout.flush()
    os._exit(code)


def _ready_streams() -> None:
    """Replace a standard stream that the caller has closed by the null device, also for child processes: otherwise a
    file that is opened later would take its place. Characters that standard output cannot encode become '?'."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, os.fdopen(number, mode))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]


if __name__ == "__main__":
    main()
