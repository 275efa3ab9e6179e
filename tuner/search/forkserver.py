"""Starts the server that workers are forked from, early: it loads torch while this process does other things."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import forkserver
from pathlib import Path

from tuner import registry, store

LATE = "torch.fx.experimental.symbolic_shapes"  # torch imports it in the first backward pass: 0.5 s in every worker


def start_forkserver() -> None:
    """Begin loading torch and the models there; fork after torch has used threads would hang, this cannot."""
    models = [f"tuner.models.{name}" for name in registry.names("tuner.models")]
    preload = ["tuner.search.forked", "tuner.search.trial", *models, LATE]
    multiprocessing.get_context("forkserver").set_forkserver_preload(preload)
    os.environ["PYTHONSAFEPATH"] = "1"  # it starts as `python -c`: a random.py in the working directory is none of ours
    # from a terminal, Ctrl-C reaches it too: in the middle of an import it would print a traceback
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        forkserver.ensure_running()
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def empty_storage() -> Iterator[Callable[[], Path]]:
    """Make an empty storage in a worker, while this process still reads its data: Optuna needs a second for that.

    Gives a function that waits for the file and tells its place; it is gone when the context ends.
    """
    with tempfile.TemporaryDirectory(prefix="tuner-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "empty.db"
        thread = threading.Thread(target=_run, args=(path,), daemon=True)  # starting a worker waits for the server
        thread.start()

        def made() -> Path:
            thread.join()
            return path

        yield made


def _make(path: Path) -> None:
    """Silently: the folder may be gone by now, and the search can make the file itself."""
    with suppress(Exception):
        store.make(path)


def _run(path: Path) -> None:
    worker = multiprocessing.get_context("forkserver").Process(target=_make, args=(path,), daemon=True)
    worker.start()
    worker.join()
