"""Writes a study file, in one process at a time, which holds the lock of the file."""

from __future__ import annotations

import shutil
import sqlite3
import time
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.errors import StorageError, StudyBusy, TunerError
from tuner.experiment.header import Runs, SizeCurve, StudyHeader
from tuner.experiment.records import RefitRecord, TrialRecord, to_checked_json, to_json
from tuner.files import resolve_link, write_atomically
from tuner.store.reading import (
    ATTRIBUTES,
    HEADER,
    KEYS,
    PATIENCE,
    RECORD,
    REFIT,
    attributes,
    check_file,
    connect,
    held_by_another,
    holds_something,
    is_busy,
    optuna_storage,
)
from tuner.store.signature import is_ours, signature

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

SCHEMA = 12  # version of Optuna's tables
TRIAL_TABLES = (
    "trial_user_attributes", "trial_system_attributes", "trial_params", "trial_values", "trial_intermediate_values",
    "trial_heartbeats",
)  # fmt: skip
STUDY_TABLES = ("trials", "study_user_attributes", "study_system_attributes", "study_directions", "studies")
PAUSE = 1.0  # seconds between two tries
REPLACED = "SQLITE_READONLY_DBMOVED"  # the file was replaced by another
WRITERS = ("sqlalchemy", "optuna", "alembic")


@dataclass(frozen=True)
class Entry:
    """A finished trial, with what Optuna's own tools show of it, or a finished refit."""

    chain: str
    record: TrialRecord | RefitRecord
    trial: FrozenTrial | None = None


class Store:
    """The study file, open for writing. Each method is one transaction: complete, or without effect.

    Optuna makes the tables; the rows are written by SQL, because Optuna's `add_trial` queries the database once per
    value: 25 ms per trial instead of 1 ms. Here, the records of several chains are written together.
    """

    def __init__(
        self,
        path: Path,
        empty: Callable[[], Path] | None = None,
        held: Callable[[], None] = lambda: None,
        busy: Callable[[float], None] | None = None,
    ) -> None:
        """Open a study file for writing, or create it.

        Args:
            path: the study file.
            empty: returns the path of an empty storage to copy; None: create one here.
            held: called before each write; raises if the lock has been lost.
            busy: called every second with the number of seconds that another program has held the file; raises to give
                up.
                None: give up after `PATIENCE` seconds.

        Raises:
            StorageError: the file is damaged, foreign, or of another Optuna schema.
            StudyBusy: another program holds the file.
        """
        self.path, self._held, self._busy = path, held, busy or partial(_not_long, path)
        with _storage_errors(path):
            if holds_something(path):
                self._check()
            else:
                made = empty() if empty else None
                make(path, made if made and made.exists() else None)
            self._db = connect(path, timeout=PAUSE)
            (version,) = self._wait_while_locked("SELECT schema_version FROM version_info").fetchone()
        if version != SCHEMA:
            text = f"{path} was written by another Optuna (schema {version}, not {SCHEMA})"
            raise StorageError(text, "optuna storage upgrade, or name another file with --study")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def create(self, header: StudyHeader) -> None:
        """Make the studies of all chains, and store the header with the last one."""
        direction = "MAXIMIZE" if header.maximize else "MINIMIZE"
        with self._transaction():
            for chain in header.chains:
                study = self._insert("studies", study_name=f"{header.name}/{chain.name}")
                self._insert("study_directions", study_id=study, direction=direction, objective=0)
            self._insert("study_user_attributes", study_id=study, key=HEADER, value_json=_json(header))

    def keep(self, name: str, value: StudyHeader | Runs | SizeCurve) -> None:
        """Store a value with a study; it replaces the stored value of the same type. Raises `StorageError`."""
        key, text = KEYS[type(value)], _json(value)
        with self._transaction():
            bearers = self._db.execute(ATTRIBUTES, (HEADER,)).fetchall()
            study = next((number for number, full, _ in bearers if full.rpartition("/")[0] == name), None)
            if study is None:
                raise StorageError(f"{self.path} has no study '{name}' any more", "restore it from a copy")
            self._db.execute("DELETE FROM study_user_attributes WHERE study_id = ? AND key = ?", (study, key))
            self._insert("study_user_attributes", study_id=study, key=key, value_json=text)

    def rename(self, old: str, new: str) -> None:
        """Rename a study."""
        with self._transaction():
            before = attributes(self._db, StudyHeader)[old]
            header = replace(before, name=new)
            for chain in header.chains:
                study = self._study(f"{old}/{chain.name}")
                self._db.execute("UPDATE studies SET study_name = ? WHERE study_id = ?", (f"{new}/{chain.name}", study))
            self._db.execute("UPDATE study_user_attributes SET value_json = ? WHERE study_id = ? AND key = ?",
                             (_json(header, sign=is_ours(before)), study, HEADER))  # fmt: skip

    def delete(self, name: str) -> None:
        """Remove the study of this name; other tools' studies stay."""
        with self._transaction():
            header = attributes(self._db, StudyHeader).get(name)
            for study in [self._study(f"{name}/{chain.name}") for chain in (header.chains if header else ())]:
                trials = "(SELECT trial_id FROM trials WHERE study_id = ?)"
                for table in TRIAL_TABLES:
                    self._db.execute(f"DELETE FROM {table} WHERE trial_id IN {trials}", (study,))
                for table in STUDY_TABLES:
                    self._db.execute(f"DELETE FROM {table} WHERE study_id = ?", (study,))

    def write(self, name: str, entries: Sequence[Entry]) -> None:
        """Write finished trials and refits, all of them or none."""
        with self._transaction():
            for entry in entries:
                study = self._study(f"{name}/{entry.chain}")
                if entry.trial is None:
                    key, value = f"{REFIT}{entry.record.number}", to_json(entry.record, entry.chain)
                    self._insert("study_user_attributes", study_id=study, key=key, value_json=value)
                else:
                    self._write_trial(study, entry, entry.trial)

    def forget(self, name: str, chain: str, trials: Collection[int], refits: Collection[int]) -> None:
        """Remove some trials and refits of a chain."""
        with self._transaction():
            study = self._study(f"{name}/{chain}")
            for number in trials:
                rows = "(SELECT trial_id FROM trials WHERE study_id = ? AND number = ?)"
                for table in (*TRIAL_TABLES, "trials"):
                    self._db.execute(f"DELETE FROM {table} WHERE trial_id IN {rows}", (study, number))
            for number in refits:
                self._db.execute("DELETE FROM study_user_attributes WHERE study_id = ? AND key = ?",
                                 (study, f"{REFIT}{number}"))  # fmt: skip

    def _write_trial(self, study: int, entry: Entry, trial: FrozenTrial) -> None:
        from optuna.distributions import distribution_to_json

        record = entry.record
        there = ("SELECT 1 FROM trials JOIN trial_user_attributes USING (trial_id) "
                 "WHERE study_id = ? AND number = ? AND key = ?")  # fmt: skip
        if self._db.execute(there, (study, record.number, RECORD)).fetchone():
            text = f"{self.path} has a trial {record.number} already: another search is writing the same chain"
            raise StorageError(text, "end the other one; the same command goes on")
        ended = datetime.now(UTC).replace(tzinfo=None)
        started = ended - timedelta(seconds=record.seconds)
        row = self._insert("trials", number=record.number, study_id=study, state=trial.state.name,
                           datetime_start=str(started), datetime_complete=str(ended))  # fmt: skip
        for path, value in trial.params.items():
            kind = trial.distributions[path]
            self._insert("trial_params", trial_id=row, param_name=path, param_value=kind.to_internal_repr(value),
                         distribution_json=distribution_to_json(kind))  # fmt: skip
        if trial.values is not None:
            self._insert("trial_values", trial_id=row, objective=0, value=trial.values[0], value_type="FINITE")
        for step, value in trial.intermediate_values.items():
            self._insert("trial_intermediate_values", trial_id=row, step=step, intermediate_value=value,
                         intermediate_value_type="FINITE")  # fmt: skip
        self._insert("trial_user_attributes", trial_id=row, key=RECORD, value_json=to_json(record, entry.chain))

    def _insert(self, table: str, **values: Any) -> int:
        columns, marks = ", ".join(values), ", ".join("?" * len(values))
        done = self._db.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", tuple(values.values()))
        return int(done.lastrowid or 0)

    def _study(self, full_name: str) -> int:
        query = "SELECT study_id FROM studies WHERE study_name = ?"
        if (row := self._db.execute(query, (full_name,)).fetchone()) is None:
            raise StorageError(f"{self.path} is damaged: it has no chain {full_name}", "restore it from a copy")
        return int(row[0])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with _storage_errors(self.path):
            self._held()
            try:
                self._wait_while_locked("BEGIN IMMEDIATE")
                yield
                self._wait_while_locked("COMMIT")
            except BaseException:
                self._db.rollback()
                raise

    def _check(self) -> None:
        """Refuse a file that is damaged or foreign, waiting while another program holds it."""
        start = time.monotonic()
        while True:
            try:
                return check_file(self.path)
            except StudyBusy:
                self._busy(time.monotonic() - start)

    def _wait_while_locked(self, statement: str) -> sqlite3.Cursor:
        """Execute it, waiting while another program holds the file."""
        start = time.monotonic()
        while True:
            try:
                return self._db.execute(statement)
            except sqlite3.OperationalError as error:
                if not is_busy(error):
                    raise
            self._busy(time.monotonic() - start)


def _json(value: StudyHeader | Runs | SizeCurve, *, sign: bool = True) -> str:
    """The value as JSON with a checksum; a header also with its signature."""
    if isinstance(value, StudyHeader):
        raw = {**value.unsigned(), "signature": signature(value) if sign else value.signature}
    else:
        raw = asdict(value)
    return to_checked_json(raw, KEYS[type(value)])


def _not_long(path: Path, seconds: float) -> None:
    if seconds > PATIENCE:
        raise held_by_another(path)


def make(path: Path, like: Path | None = None) -> None:
    """Write an empty storage atomically."""
    write_atomically(path, lambda new: shutil.copyfile(like, new) if like else _make_tables(new))


def _make_tables(new: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with optuna_storage(new):
            pass


def roll_back(path: Path) -> None:
    """Roll back an incomplete write of a killed run. The caller must hold the lock."""
    study = resolve_link(path)
    if study.with_name(study.name + "-journal").exists():
        with _storage_errors(path), closing(connect(path)) as db:
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except TunerError:
        raise
    except Exception as error:  # SQLAlchemy's and Optuna's errors too, without importing them
        if not isinstance(error, sqlite3.Error | OSError) and type(error).__module__.split(".")[0] not in WRITERS:
            raise
        if is_busy(error):
            raise held_by_another(path) from error
        if isinstance(error, sqlite3.Error) and (
            not path.exists() or getattr(error, "sqlite_errorname", "") == REPLACED
        ):
            hint = "put it back to go on, or run the same command to begin anew"
            raise StorageError(f"{path} was moved, deleted or replaced during the run", hint) from error
        cause = error.__cause__ or error
        reason = " ".join(str(getattr(cause, "orig", cause)).split())
        hint = "free disk space or repair the file, then run the same command again: finished trials are kept"
        raise StorageError(f"{path} cannot be written: {reason}", hint) from error
