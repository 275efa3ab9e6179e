"""The `tuner` command; also `python -m tuner`."""

from __future__ import annotations

import gc
import os
import signal
import sys


def main() -> None:
    """Run the command line and exit with its code; at once, for torch needs most of a second to take itself apart."""
    gc.set_threshold(100_000, 20, 20)  # imports make half a million objects to keep: looking for garbage takes 0.3 s
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # until `run` hears it: no traceback from an import
    from tuner.cli.app import run

    code = run(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
