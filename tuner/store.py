"""The study file: an ordinary Optuna storage in SQLite, one Optuna study per chain; only this file knows how.

Written by one process at a time (a kernel lock beside the file); read by anybody, read-only, by plain SQL, because
loading 5,000 trials through Optuna takes 3.7 s and so 0.08 s. A study's header and refits are attributes of its Optuna
studies, a trial's record is one attribute of its Optuna trial.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sqlite3
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.errors import StorageError, StudyBusy
from tuner.spec.records import RefitRecord, TrialRecord, refit_from_json, to_json, trial_from_json

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

HEADER, RECORD, REFIT = "tuner:header", "tuner:record", "tuner:refit:"
TABLES = {"studies", "trials", "study_user_attributes", "trial_user_attributes", "version_info"}
MAGIC = b"SQLite format 3\0"
_ERRORS = (sqlite3.Error, OSError, json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError)


@dataclass(frozen=True)
class StoredChain:
    """One chain as found in the file: trials in order of number, refits by trial number."""

    trials: tuple[TrialRecord, ...] = ()
    refits: Mapping[int, RefitRecord] = field(default_factory=dict)


@dataclass(frozen=True)
class StoredStudy:
    """One experiment's study: its header (plain JSON values) and its chains, in the plan's order."""

    name: str
    header: Mapping[str, Any]
    chains: Mapping[str, StoredChain]


def read(path: Path) -> dict[str, StoredStudy]:
    """Every tuner study of the file, read-only; never creates or changes anything."""
    check_file(path)
    try:
        with closing(_connect(path, read_only=True)) as db:
            headers = db.execute(
                "SELECT s.study_name, a.value_json FROM studies s JOIN study_user_attributes a USING (study_id) "
                "WHERE a.key = ? ORDER BY s.study_id",
                (HEADER,),
            )
            found = [(name.rpartition("/")[0], json.loads(header)) for name, header in headers]
            return {name: StoredStudy(name, header, _chains(db, name, header)) for name, header in found}
    except _ERRORS as error:
        raise StorageError(f"{path} cannot be read: {error}", "restore it from a copy") from error


def _chains(db: sqlite3.Connection, name: str, header: Mapping[str, Any]) -> dict[str, StoredChain]:
    chains = {}
    for chain in header["chains"]:
        study = f"{name}/{chain['name']}"
        trials = db.execute(
            "SELECT a.value_json FROM studies s JOIN trials t USING (study_id) JOIN trial_user_attributes a "
            "USING (trial_id) WHERE s.study_name = ? AND a.key = ? ORDER BY t.number",
            (study, RECORD),
        )
        refits = db.execute(
            "SELECT a.value_json FROM studies s JOIN study_user_attributes a USING (study_id) "
            "WHERE s.study_name = ? AND a.key LIKE ? ORDER BY a.key",
            (study, REFIT + "%"),
        )
        done = [refit_from_json(json.loads(text)) for (text,) in refits]
        records = tuple(trial_from_json(json.loads(text)) for (text,) in trials)
        chains[chain["name"]] = StoredChain(records, {refit.number: refit for refit in done})
    return chains


def check_file(path: Path) -> None:
    """Raise `StorageError` unless the file is an Optuna storage; it is not touched."""
    try:
        with path.open("rb") as file:
            start = file.read(len(MAGIC))
    except FileNotFoundError as error:
        raise StorageError(f"{path}: no such study", "tuner search FILE makes one") from error
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error
    if start != MAGIC:
        raise StorageError(f"{path} is not a study: not an SQLite file", "name another file with --study")
    try:
        with closing(_connect(path, read_only=True)) as db:
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error as error:
        raise StorageError(f"{path} is damaged: {error}", "restore it from a copy") from error
    if not tables >= TABLES:
        raise StorageError(f"{path} is an SQLite file of something else", "name another file with --study")


def _connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    if read_only:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)
    return sqlite3.connect(path, timeout=30, check_same_thread=False)


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold the study for this process; the kernel lets go when the process ends, however it ends."""
    beside = path.with_name(path.name + ".lock")
    try:
        file = beside.open("a+")
    except OSError as error:
        raise StorageError(f"{beside} cannot be written: {error.strerror}", "name another file with --study") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise StudyBusy(f"{path} is being searched by {holder}", "wait for it, or use another --study") from error
        file.truncate(0)
        file.write(f"pid {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}")
        file.flush()
        yield


class Store:
    """The study file, open for writing. Each method is one transaction: done, or never begun."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists() and path.stat().st_size:
            check_file(path)
        with _storage_errors(path):
            self._storage = _open(path)
        self._ids: dict[str, int] = {}

    def create(self, name: str, header: Mapping[str, Any], maximize: bool) -> None:
        """Make the chains' studies and write the header last: a study with a header is whole."""
        from optuna.study import StudyDirection

        directions = [StudyDirection.MAXIMIZE if maximize else StudyDirection.MINIMIZE]
        with _storage_errors(self.path):
            existing = {study.study_name for study in self._storage.get_all_studies()}
            for chain in header["chains"]:
                study = f"{name}/{chain['name']}"
                if study not in existing:
                    self._storage.create_new_study(directions, study)
        self.write_header(name, header)

    def write_header(self, name: str, header: Mapping[str, Any]) -> None:
        """Replace the header, which hangs on the last chain's study."""
        with _storage_errors(self.path):
            self._storage.set_study_user_attr(self._id(name, header["chains"][-1]["name"]), HEADER, header)

    def delete(self, name: str) -> None:
        """Remove every study of this name."""
        with _storage_errors(self.path):
            for study in self._storage.get_all_studies():
                if study.study_name.rpartition("/")[0] == name:
                    self._storage.delete_study(study._study_id)
        self._ids.clear()

    def add_trial(self, name: str, chain: str, record: TrialRecord, trial: FrozenTrial) -> None:
        """Write a finished trial; `trial` is how Optuna's own tools shall see it."""
        trial.set_user_attr(RECORD, to_json(record))
        with _storage_errors(self.path):
            self._storage.create_new_trial(self._id(name, chain), template_trial=trial)

    def add_refit(self, name: str, chain: str, record: RefitRecord) -> None:
        """Write a finished refit."""
        with _storage_errors(self.path):
            self._storage.set_study_user_attr(self._id(name, chain), f"{REFIT}{record.number}", to_json(record))

    def _id(self, name: str, chain: str) -> int:
        study = f"{name}/{chain}"
        if study not in self._ids:
            self._ids[study] = self._storage.get_study_id_from_name(study)
        return self._ids[study]


def _open(path: Path) -> RDBStorage:
    from optuna.storages import RDBStorage

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # a creator instead of a URL: no path can be misread as one
        return RDBStorage("sqlite:///study.db", engine_kwargs={"creator": lambda: _connect(path)})


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (OptunaError, SQLAlchemyError, sqlite3.Error, OSError, RuntimeError) as error:
        cause = error.__cause__ or error
        reason = " ".join(str(getattr(cause, "orig", cause)).split())
        hint = "make room or mend the file, then run the same command: what was finished is kept"
        raise StorageError(f"{path} cannot be written: {reason}", hint) from error
