"""The study file: an ordinary Optuna storage in SQLite, one Optuna study per chain; only this file knows how.

Written by one process at a time (a kernel lock beside the file); read by anybody, read-only, by plain SQL, because
loading 5,000 trials through Optuna takes 3.7 s and so 0.08 s. A study's header and refits are attributes of its Optuna
studies, a trial's record is one attribute of its Optuna trial.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.errors import StorageError, TunerError
from tuner.spec.records import CURVES, RefitRecord, TrialRecord, refit_from_json, to_json, trial_from_json

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

HEADER, RUNS, CURVE, RECORD, REFIT = "tuner:header", "tuner:runs", "tuner:curve", "tuner:record", "tuner:refit:"
TABLES = {"studies", "trials", "study_user_attributes", "trial_user_attributes", "version_info"}
MAGIC = b"SQLite format 3\0"
SCHEMA, FORMAT = 12, 1  # of Optuna's tables, of what tuner keeps in them
TRIAL_TABLES = (
    "trial_user_attributes", "trial_system_attributes", "trial_params", "trial_values", "trial_intermediate_values",
    "trial_heartbeats",
)  # fmt: skip
STUDY_TABLES = ("trials", "study_user_attributes", "study_system_attributes", "study_directions", "studies")
WRITERS = ("sqlalchemy", "optuna", "alembic")
_ATTRIBUTES = (
    "SELECT s.study_id, s.study_name, a.value_json FROM studies s JOIN study_user_attributes a USING (study_id) "
    "WHERE a.key = ? ORDER BY s.study_id"
)
_RECORDS = (
    "SELECT a.value_json FROM studies s JOIN trials t USING (study_id) JOIN trial_user_attributes a "
    "USING (trial_id) WHERE s.study_name = ? AND a.key = ?"
)
_ERRORS = (sqlite3.Error, OSError, ValueError, AttributeError, KeyError, TypeError)


@dataclass(frozen=True)
class StoredChain:
    """One chain as found in the file: trials in order of number, refits by trial number."""

    trials: tuple[TrialRecord, ...] = ()
    refits: Mapping[int, RefitRecord] = field(default_factory=dict)


@dataclass(frozen=True)
class StoredStudy:
    """One experiment's study: its header and runs (plain JSON values), and its chains, in the plan's order."""

    name: str
    header: Mapping[str, Any]
    chains: Mapping[str, StoredChain]
    runs: tuple[Mapping[str, Any], ...] = ()
    curve: Mapping[str, Any] | None = None  # over training size: the trial, and a point per share


@dataclass(frozen=True)
class Entry:
    """Something finished: a trial with how Optuna's own tools shall see it, or a refit."""

    chain: str
    record: TrialRecord | RefitRecord
    trial: FrozenTrial | None = None


def read(path: Path, *, curves: bool = True) -> dict[str, StoredStudy]:
    """Every tuner study of the file, read-only; never creates or changes anything.

    Without `curves`, nine tenths of the file need not be parsed: `read_trial` gives one trial whole.
    """
    check_file(path)
    try:
        with _reading(path) as db:
            headers, runs, curve = (_attributes(db, key) for key in (HEADER, RUNS, CURVE))
            if any(header["schema"] > FORMAT for header in headers.values()):
                raise StorageError(f"{path} was written by a newer tuner", "pip install --upgrade tuner")
            return {
                name: StoredStudy(
                    name, header, _chains(db, name, header, curves), tuple(runs.get(name, ())), curve.get(name)
                )
                for name, header in headers.items()
            }
    except _ERRORS as error:
        raise _unreadable(path, error) from error


def _attributes(db: sqlite3.Connection, key: str) -> dict[str, Any]:
    """What hangs on the studies under this key, by name, oldest study first."""
    return {name.rpartition("/")[0]: json.loads(value) for _, name, value in db.execute(_ATTRIBUTES, (key,))}


def read_trial(path: Path, name: str, chain: str, number: int) -> TrialRecord:
    """One trial with its curves."""
    try:
        with _reading(path) as db:
            (found,) = db.execute(f"{_RECORDS} AND t.number = ?", (f"{name}/{chain}", RECORD, number))
            return trial_from_json(found[0])
    except _ERRORS as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> StorageError:
    return StorageError(f"{path} cannot be read: {error}", "restore it from a copy")


def _chains(db: sqlite3.Connection, name: str, header: Mapping[str, Any], curves: bool) -> dict[str, StoredChain]:
    chains = {}
    for chain in header["chains"]:
        study = f"{name}/{chain['name']}"
        query = f"{_RECORDS} ORDER BY t.number"
        if not curves:
            before = f"instr(a.value_json, '{CURVES}')"
            text = f"CASE {before} WHEN 0 THEN a.value_json ELSE substr(a.value_json, 1, {before} - 1) || '}}' END"
            query = query.replace("a.value_json", text, 1)
        trials = db.execute(query, (study, RECORD))
        refits = db.execute(
            "SELECT a.value_json FROM studies s JOIN study_user_attributes a USING (study_id) "
            "WHERE s.study_name = ? AND a.key LIKE ? ORDER BY a.key",
            (study, REFIT + "%"),
        )
        done = [refit_from_json(text) for (text,) in refits]
        records = tuple(trial_from_json(text) for (text,) in trials)
        chains[chain["name"]] = StoredChain(records, {refit.number: refit for refit in done})
    return chains


def holds_something(path: Path) -> bool:
    """Whether there is a file that is not empty; an empty one, such as mktemp makes, is as good as none."""
    try:
        return path.exists() and path.stat().st_size > 0
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}", "name another file with --study") from error


def check_file(path: Path) -> None:
    """Raise `StorageError` unless the file is an Optuna storage of ours (or an empty one); it is not touched."""
    try:
        with path.open("rb") as file:
            start = file.read(len(MAGIC))
    except FileNotFoundError as error:
        raise StorageError(f"{path}: no such study", "tuner search FILE makes one") from error
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error
    if start != MAGIC:
        raise StorageError(f"{path} is not a study: not an SQLite file", "name another file with --study")
    other = "name another file with --study"
    try:
        with _reading(path) as db:
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if not tables >= TABLES:
                raise StorageError(f"{path} is an SQLite file of something else", other)
            studies = db.execute("SELECT count(*) FROM studies").fetchone()[0]
            ours = db.execute("SELECT count(*) FROM study_user_attributes WHERE key = ?", (HEADER,)).fetchone()[0]
    except sqlite3.Error as error:
        raise StorageError(f"{path} is damaged: {error}", "restore it from a copy") from error
    if studies and not ours:
        raise StorageError(f"{path} holds Optuna studies, but none of tuner's", other)


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """The file, read-only. A run that was killed while writing leaves a journal that only a writer may roll back:

    then a copy of both is read, and the file is left to the next search."""
    with closing(_connect(path, read_only=True)) as db:
        try:
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError:
            journal = path.with_name(path.name + "-journal")
            if not journal.exists():
                raise
        else:
            yield db
            return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "study.db"
        shutil.copyfile(path, copy)
        shutil.copyfile(journal, copy.with_name("study.db-journal"))
        with closing(_connect(copy)) as db:
            yield db


def _connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    if read_only:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)
    return sqlite3.connect(path, timeout=30, check_same_thread=False, isolation_level=None)


class Store:
    """The study file, open for writing. Each method is one transaction: done, or never begun.

    Optuna makes the tables; the rows are written by SQL, because its own `add_trial` asks the database once per
    value: 25 ms a trial, where this takes one and writes the records of several chains together.
    """

    def __init__(
        self, path: Path, empty: Callable[[], Path] | None = None, held: Callable[[], None] = lambda: None
    ) -> None:
        """Open the file, or make it: as a copy of the `empty` storage, if somebody has made one.

        `held` is called before anything is written, and raises where another run may be writing.
        """
        self.path, self._held = path, held
        with _storage_errors(path):
            if holds_something(path):
                check_file(path)
            else:
                made = empty() if empty else None
                make(path, made if made and made.exists() else None)
            self._db = _connect(path)
            (version,) = self._db.execute("SELECT schema_version FROM version_info").fetchone()
        if version != SCHEMA:
            text = f"{path} was written by another Optuna (schema {version}, not {SCHEMA})"
            raise StorageError(text, "optuna storage upgrade, or name another file with --study")

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def create(self, name: str, header: Mapping[str, Any], maximize: bool) -> None:
        """Make the chains' studies, and hang the header on the last one."""
        direction = "MAXIMIZE" if maximize else "MINIMIZE"
        with self._transaction():
            for chain in header["chains"]:
                study = self._insert("studies", study_name=f"{name}/{chain['name']}")
                self._insert("study_directions", study_id=study, direction=direction, objective=0)
            self._insert("study_user_attributes", study_id=study, key=HEADER, value_json=json.dumps(header))

    def replace(self, name: str, key: str, value: object) -> None:
        """Hang an attribute on the study that bears the header: a new one, or another value."""
        with self._transaction():
            bearers = self._db.execute(_ATTRIBUTES, (HEADER,)).fetchall()
            study = next(number for number, full, _ in bearers if full.rpartition("/")[0] == name)
            self._db.execute("DELETE FROM study_user_attributes WHERE study_id = ? AND key = ?", (study, key))
            self._insert("study_user_attributes", study_id=study, key=key, value_json=json.dumps(value))

    def delete(self, name: str) -> None:
        """Remove the study of this name; other tools' studies stay."""
        with self._transaction():
            header = _attributes(self._db, HEADER).get(name, {"chains": []})
            for study in [self._study(f"{name}/{chain['name']}") for chain in header["chains"]]:
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
                    key, value = f"{REFIT}{entry.record.number}", to_json(entry.record)
                    self._insert("study_user_attributes", study_id=study, key=key, value_json=value)
                else:
                    self._write_trial(study, entry.record, entry.trial)

    def _write_trial(self, study: int, record: TrialRecord | RefitRecord, trial: FrozenTrial) -> None:
        from optuna.distributions import distribution_to_json

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
        self._insert("trial_user_attributes", trial_id=row, key=RECORD, value_json=to_json(record))

    def _insert(self, table: str, **values: Any) -> int:
        columns, marks = ", ".join(values), ", ".join("?" * len(values))
        done = self._db.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", tuple(values.values()))
        return int(done.lastrowid or 0)

    def _study(self, full_name: str) -> int:
        query = "SELECT study_id FROM studies WHERE study_name = ?"
        (study,) = self._db.execute(query, (full_name,)).fetchone()
        return int(study)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with _storage_errors(self.path), self._db:
            self._held()
            self._db.execute("BEGIN IMMEDIATE")
            yield


def make(path: Path, like: Path | None = None) -> None:
    """An empty storage, beside the place and then into it: a file there is whole."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    if like:
        shutil.copyfile(like, new)
    else:
        _make_tables(new)
    new.replace(path)


def _make_tables(new: Path) -> None:
    from optuna.storages import RDBStorage

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # a creator instead of a URL: no path can be misread as one
        storage = RDBStorage("sqlite:///study.db", engine_kwargs={"creator": lambda: _connect(new)})
        storage.remove_session()
        storage.engine.dispose()


def mend(path: Path) -> None:
    """Roll back what a killed run had half written; hold the lock."""
    if path.with_name(path.name + "-journal").exists():
        with _storage_errors(path), closing(_connect(path)) as db:
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
        if isinstance(error, sqlite3.Error) and not path.exists():
            hint = "put it back to go on, or run the same command to begin anew"
            raise StorageError(f"{path} was moved or deleted under the run", hint) from error
        cause = error.__cause__ or error
        reason = " ".join(str(getattr(cause, "orig", cause)).split())
        hint = "make room or mend the file, then run the same command: what was finished is kept"
        raise StorageError(f"{path} cannot be written: {reason}", hint) from error
