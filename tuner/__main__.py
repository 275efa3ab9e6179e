"""The `tuner` command; also `python -m tuner`."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

from tuner.process import set_up_command


def main() -> None:
    """Run the command line and exit with its code; at once, for torch needs most of a second to take itself apart."""
    set_up_command()
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # until `run` hears it: no traceback from an import
    _ready_streams()
    from tuner.cli.app import run

    code = run(sys.argv[1:])
    if started := sys.modules.get("tuner.search.forkserver"):  # which most commands never load
        started.stop_forkserver()
    with suppress(OSError):  # `run` has told of it
        sys.stdout.flush()
    os._exit(code)


def _ready_streams() -> None:
    """A standard stream that the caller has closed becomes the null device, also for children: so no file of ours takes
    its place. Letters that standard output cannot show become '?', never an error."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, os.fdopen(number, mode))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]


if __name__ == "__main__":
    main()
