"""A child process forked from the fork server; it runs one function and ends with this process."""

from __future__ import annotations

import contextlib
import fcntl
import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tuner.errors import LimitReached
from tuner.process import use_one_thread
from tuner.search.forkserver import running_server, start_forkserver

FIRST = 200  # descriptor of its end of the pipe: too high for code that closes or writes to low descriptors
RESTART = 0.5  # seconds
LAST = 1.0  # seconds that a process whose pipe has ended may take to end
SIGNALS = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)
UNHEARD_OF = 255  # the exit code that Python reports if the fork server, which knows the real one, has died
UNKNOWN = "and its fork server too"
KILLED = "closed or wrote to the pipe that tuner uses"  # it is running, but its pipe is closed
_mask = threading.local()  # the signals that were blocked before a fork
NO_ROOM = "check the limits of processes, memory and open files (ulimit -u, ulimit -v, ulimit -n, or the container's)"


@dataclass(frozen=True, eq=False)
class Child:
    """The process, and this end of its pipe."""

    process: ForkServerProcess
    pipe: Connection
    server: int | None  # the process id of its fork server, if known

    @classmethod
    def start(cls, target: Callable[..., None], *arguments: Any) -> Child:
        """Run `target` with the other end of the pipe and the arguments: in 0.03 s, with torch loaded. Raises
        `LimitReached`."""
        context = multiprocessing.get_context("forkserver")
        start_forkserver()  # no effect if a command has done so before
        here, there = context.Pipe()
        for pause in (RESTART, None):
            process = context.Process(target=_run, args=(dict(os.environ), target, there, *arguments), daemon=True)
            server = running_server()
            try:
                process.start()
                break
            except (OSError, EOFError) as error:
                if pause is None:
                    here.close()
                    there.close()
                    raise LimitReached(f"no worker process can be started ({_words(error)}): {NO_ROOM}") from error
                time.sleep(pause)  # the fork server may have been killed: then the next start makes another
        there.close()
        return cls(process, here, server if running_server() == server else None)

    def answer(self, timeout: float | None = None) -> Any:
        """The next object that it sends. Raises `TimeoutError`; and `EOFError` if it has ended, even if a process that
        it started still holds its end of the pipe."""
        if not wait([self.pipe, self.process.sentinel], timeout):
            raise TimeoutError
        return received(self.pipe)

    def ended(self, patience: float = 0.0) -> str:
        """Wait up to `patience` seconds for the process to end, then kill it and its process group.

        Returns:
            How it ended, such as "SIGKILL" or "exit code 1".
        """
        self.process.join(patience)
        had_to_kill = patience > 0 and self.process.is_alive()
        self.process.kill()
        self.process.join()
        if self.process.pid:  # 0 would be the group of this process
            with contextlib.suppress(OSError):
                os.killpg(self.process.pid, signal.SIGKILL)
        code = self.process.exitcode or 0
        if had_to_kill:
            return KILLED
        if code == UNHEARD_OF and self._server_died():
            return UNKNOWN
        return _signal(-code) if code < 0 else f"exit code {code}"

    def _server_died(self) -> bool:
        """Whether the server that forked it has died, or is about to: its files are closed before it is gone."""
        deadline = time.monotonic() + LAST
        while self.server is not None and running_server() == self.server:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def died(self, when: str) -> LimitReached:
        """The error that it has died for a reason outside of its work."""
        return LimitReached(f"the process that {when} has died ({self.ended()}): {NO_ROOM}")

    def end(self) -> None:
        """End it; unfinished work is discarded."""
        self.ended()
        self.pipe.close()


def received(pipe: Connection) -> Any:
    """The object that was sent. Raises `EOFError` if there is none, or it cannot be unpickled: user code in the child
    can write into the pipe, or close it."""
    if not pipe.poll():
        raise EOFError
    try:
        return pipe.recv()
    except (EOFError, OSError):
        raise
    except Exception as error:
        raise EOFError from error


def _signal(number: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


def _words(error: Exception) -> str:
    return str(error) or "the server that forks them has ended"


def _run(environment: dict[str, str], target: Callable[..., None], pipe: Connection, *arguments: Any) -> None:
    """In the child."""
    os.environ.clear()  # the server has the environment of its start
    os.environ.update(environment)
    os.setsid()  # a new process group: processes that it starts are killed with it
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]  # a loader may start one
    # a service manager may send these to all processes of a search, and only the driver reacts. Programs and processes
    # that the user's code starts must still react to them
    leave_signals_to_the_driver()
    multiprocessing.set_start_method(None, force=True)  # the platform's default, for the user's code
    random.seed(0)  # the user's code may draw while it is imported
    np.random.seed(0)
    torch.manual_seed(0)
    threading.Thread(target=_end_with_driver, daemon=True).start()
    with contextlib.suppress(OSError):  # without memory, kill a worker before other programs: it can be replaced
        Path("/proc/self/oom_score_adj").write_text("500")
    use_one_thread()
    try:
        target(_out_of_the_way(pipe), *arguments)
    except BaseException:  # in tuner's code, if the user's code has replaced a part of Python: no traceback
        os._exit(1)


def leave_signals_to_the_driver() -> None:
    """Ignore the signals in this process, but not in processes that it forks."""
    for number in SIGNALS:
        signal.signal(number, _left_to_the_driver)
    os.register_at_fork(before=_hold_signals, after_in_parent=_release_signals, after_in_child=_as_usual)


def _out_of_the_way(pipe: Connection) -> Connection:
    with contextlib.suppress(OSError):  # the limit of descriptors is lower
        moved = Connection(fcntl.fcntl(pipe.fileno(), fcntl.F_DUPFD_CLOEXEC, FIRST))
        pipe.close()
        return moved
    return pipe


def _left_to_the_driver(number: int, frame: object) -> None:
    """Do nothing. With `SIG_IGN`, programs that this process starts would ignore the signal too."""


def _hold_signals() -> None:
    """Block them during a fork: one that reached the child before `_as_usual` would be lost, and who sent it may wait
    for the child for ever."""
    _mask.before = signal.pthread_sigmask(signal.SIG_BLOCK, ())  # known, even if a handler raises in the next line
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def _release_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _mask.before)


def _as_usual() -> None:
    """In a process that the user's code has forked: the signals end it, as they end any other."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    _release_signals()


def _end_with_driver() -> None:
    """Wait until the driver ends for any reason, then kill this process group, so that no orphan keeps training."""
    driver = multiprocessing.parent_process()
    assert driver is not None
    driver.join()
    os.killpg(os.getpid(), signal.SIGKILL)
