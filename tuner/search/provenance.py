"""Provenance of a study: software versions, hardware and git commit of each run."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version

import torch

from tuner.errors import TunerError
from tuner.experiment.header import Conditions, Run, Runs
from tuner.store import Store

PACKAGES = ("tuner", "torch", "numpy", "optuna", "scikit-learn")


def conditions(devices: Sequence[str]) -> Conditions:
    """The present conditions."""
    return Conditions(
        versions={"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        cpu=torch.backends.cpu.get_cpu_capability(),
        threads=torch.get_num_threads(),
        devices=tuple(torch.cuda.get_device_name(d) if d.startswith("cuda") else d for d in devices),
    )


def differences(run: Conditions, now: Conditions) -> list[str]:
    """The changes since this run, such as "torch 2.13.0 → 2.14.0"."""
    before, after = (
        {**each.versions, "cpu": each.cpu, "threads": each.threads, "devices": each.devices} for each in (run, now)
    )
    return [f"{key} {_words(before.get(key))} → {_words(after[key])}" for key in after if before.get(key) != after[key]]


def _words(value: object) -> str:
    return "+".join(map(str, value)) if isinstance(value, tuple) else str(value)


def begun(now: Conditions, workers: int | None, finished: int, seconds: float | None) -> Run:
    """A run that begins now: `finished` trials exist already, and it may take `seconds`."""
    return Run(
        **vars(now), workers=workers, finished=finished, seconds=seconds,
        start=_now(), pid=os.getpid(), host=socket.gethostname(), commit=_commit(),
    )  # fmt: skip


@contextmanager
def recorded(store: Store, name: str, runs: Sequence[Run], run: Run) -> Iterator[None]:
    """Record in the study that a run has begun and, unless it is killed, how it ended."""
    store.keep(name, Runs((*runs, run)))
    try:
        yield
    finally:
        error = sys.exc_info()[1]
        ended = replace(run, end=_now(), ended_by=type(error).__name__ if error else "done")
        with suppress(TunerError):  # the error that ended the run is reported already
            store.keep(name, Runs((*runs, ended)))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _commit() -> str | None:
    """The git commit of the working directory, if it is in one, as "abc…" or "abc…-dirty". Nothing that the
    repository's own settings name is run: no hook, file system monitor or filter."""
    with suppress(OSError, subprocess.SubprocessError):
        commit = _git("rev-parse", "--verify", "HEAD")
        filters = _git("config", "--name-only", "--get-regexp", r"^filter\.", fails=True).split("\n")
        off = {name: "false" if name.endswith(".required") else "" for name in filters if name}
        status = ("status", "--porcelain", "--untracked-files=no", "--ignore-submodules=all", "--no-renames")
        return commit + ("-dirty" if _git(*status, settings=off) else "")
    return None


def _git(*words: str, settings: Mapping[str, str] | None = None, fails: bool = False) -> str:
    """The output of a git command; `fails`: a non-zero exit code is not an error."""
    safe = {"core.fsmonitor": "false", "core.hooksPath": os.devnull, **(settings or {})}
    named = {f"GIT_CONFIG_{part}_{n}": word for n, pair in enumerate(safe.items())
             for part, word in zip(("KEY", "VALUE"), pair, strict=True)}  # fmt: skip
    # in the environment, as a setting's name may contain "="; missing objects are not fetched
    env = {**os.environ, "GIT_CONFIG_COUNT": str(len(safe)), **named, "GIT_NO_LAZY_FETCH": "1"}
    command = ["git", "--no-optional-locks", *words]
    done = subprocess.run(command, capture_output=True, env=env, timeout=5, check=not fails)
    return done.stdout.decode("utf-8", "replace").strip()
