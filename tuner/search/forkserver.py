"""Starts the fork server of workers early: it loads torch while this process does other things."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from multiprocessing import forkserver
from pathlib import Path

import psutil

from tuner import registry, store
from tuner.process import set_up_fork_server

PLACE = "TUNER_FORKSERVER"  # environment variable that gives the server its parent process and folder: "PID:FOLDER"
_made: list[Path] = []  # the folder, once there is one
LONGEST = 60  # bytes of the path of a folder for sockets
LATE = "torch.fx.experimental.symbolic_shapes"  # torch imports it in the first backward pass: 0.5 s in every worker


def start_forkserver() -> None:
    """Start the fork server, which preloads torch and the models.

    Forking this process after torch has used threads could hang; forking the server cannot."""
    models = [f"tuner.models.{name}" for name in registry.names("tuner.models")]
    preload = ["tuner.search.forked", "tuner.search.model_checks", "tuner.search.workers", *models, LATE]
    multiprocessing.get_context("forkserver").set_forkserver_preload(preload)
    set_up_fork_server(PLACE, f"{os.getpid()}:{_folder()}")
    # Ctrl-C in a terminal reaches the server, too: during an import it would print a traceback
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with nullcontext() if running_server() else _no_stderr():
            forkserver.ensure_running()
    finally:
        signal.signal(signal.SIGINT, before)


def stop_forkserver() -> None:
    """End the server, if there is one, and remove its folder: nothing outlives this process."""
    server: int | None = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    if server is not None:
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(server, signal.SIGKILL)  # by itself it would take a second: it holds torch
            os.waitpid(server, 0)
    if _made:
        shutil.rmtree(_made[0], ignore_errors=True)


def running_server() -> int | None:
    """The process id of the server, if it is running."""
    server: int | None = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    with suppress(psutil.NoSuchProcess):
        if server is not None and psutil.Process(server).status() != psutil.STATUS_ZOMBIE:
            return server
    return None


@contextmanager
def _no_stderr() -> Iterator[None]:
    """Start processes without standard error: an interpreter that cannot start would print a traceback."""
    with Path(os.devnull).open("w") as nowhere, os.fdopen(os.dup(2), "w") as kept:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept.fileno(), 2)


def _folder() -> Path:
    """The folder for sockets and temporary files of this process and its server; it is created again if it was
    deleted."""
    if not _made:
        _made.append(Path(tempfile.mkdtemp(prefix="tuner-", dir=_short())))
        multiprocessing.current_process()._config["tempdir"] = str(_made[0])  # type: ignore[attr-defined]
    _made[0].mkdir(mode=0o700, exist_ok=True)
    return _made[0]


def _short() -> str | None:
    """A folder for sockets, whose paths may have 107 letters: the user's own, if that is short enough."""
    return None if len(os.fsencode(tempfile.gettempdir())) <= LONGEST else "/tmp"


@contextmanager
def empty_storage() -> Iterator[Callable[[], Path]]:
    """Make an empty storage in a worker, while this process still reads its data: Optuna needs a second for that.

    Yields a function that waits for the file and returns its path; it is deleted when the context ends.
    """
    with tempfile.TemporaryDirectory(dir=_folder(), ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "empty.db"
        thread = threading.Thread(target=_run, args=(path,), daemon=True)  # starting a worker waits for the server
        thread.start()

        def made() -> Path:
            thread.join()
            return path

        yield made


def _make(path: Path) -> None:
    """Make the storage. Errors are ignored: the folder may be gone, and the search can create the file itself."""
    with suppress(Exception):
        store.make(path)


def _run(path: Path) -> None:
    """Run `_make` in a worker. Errors are ignored: if no worker can be started, the search reports it."""
    with suppress(Exception):
        worker = multiprocessing.get_context("forkserver").Process(target=_make, args=(path,), daemon=True)
        worker.start()
        worker.join()
