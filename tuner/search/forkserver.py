"""Starts the server that workers are forked from, early: it loads torch while this process does other things."""

from __future__ import annotations

import multiprocessing
import signal
from multiprocessing import forkserver

from tuner import registry


def start_forkserver() -> None:
    """Begin loading torch and the models there; fork after torch has used threads would hang, this cannot."""
    models = [f"tuner.models.{name}" for name in registry.names("tuner.models")]
    multiprocessing.get_context("forkserver").set_forkserver_preload(["tuner.search.trial", *models])
    # from a terminal, Ctrl-C reaches it too: in the middle of an import it would print a traceback
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        forkserver.ensure_running()
    finally:
        signal.signal(signal.SIGINT, before)
