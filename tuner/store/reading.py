"""Reads a study file by plain SQL, read-only: 5,000 trials load in 0.08 s, and through Optuna in 3.7 s."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, TypeVar

from tuner.errors import NoStudyYet, StorageError, StudyBusy, TunerError
from tuner.experiment.header import Run, Runs, SizeCurve, StudyHeader
from tuner.experiment.records import (
    CHECKSUM,
    CURVES,
    DAMAGED,
    RefitRecord,
    TrialRecord,
    failed_externally,
    from_checked_json,
    place_of,
    trial_from_json,
)
from tuner.files import SQLITE, regular_file, resolve_link
from tuner.process import silence_optuna
from tuner.store import version3

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import RDBStorage

T = TypeVar("T")
HEADER, RECORD, REFIT = "tuner:header", "tuner:record", "tuner:refit:"
KEYS: Mapping[type, str] = {StudyHeader: HEADER, Runs: "tuner:runs", SizeCurve: "tuner:curve"}
TABLES = {"studies", "trials", "study_user_attributes", "trial_user_attributes", "version_info"}
PATIENCE = 5.0  # seconds to wait for another program that holds the file
FORMAT = 6  # version of tuner's records in the file
ATTRIBUTES = (
    "SELECT s.study_id, s.study_name, a.value_json FROM studies s JOIN study_user_attributes a USING (study_id) "
    "WHERE a.key = ? ORDER BY s.study_id"
)
_RECORDS = (
    "SELECT a.value_json, t.number FROM studies s JOIN trials t USING (study_id) JOIN trial_user_attributes a "
    "USING (trial_id) WHERE s.study_name = ? AND a.key = ?"
)
_STRAY = (  # records under a damaged key
    "SELECT count(*) FROM (SELECT key, value_json FROM study_user_attributes UNION ALL "
    "SELECT key, value_json FROM trial_user_attributes) WHERE key NOT IN (?, ?, ?, ?) AND key NOT LIKE ? "
    f"AND value_json LIKE '%{CHECKSUM}%'"
)
_ERRORS = (sqlite3.Error, OSError, ValueError, AttributeError, KeyError, TypeError, IndexError, RecursionError)


@dataclass(frozen=True)
class StoredChain:
    """One chain as stored in the file.

    Attributes:
        trials: in order of number.
        refits: by trial number.
        doubled: trial numbers that occur twice, because two searches ran at the same time; the first trial is used.
        foreign: number of trials that another program has added through Optuna; they are ignored.
    """

    trials: tuple[TrialRecord, ...] = ()
    refits: Mapping[int, RefitRecord] = field(default_factory=dict)
    doubled: tuple[int, ...] = ()
    foreign: int = 0

    @property
    def failed_externally(self) -> tuple[list[int], list[int]]:
        """The numbers of trials and of refits that failed because of the machine."""
        trials = [trial.number for trial in self.trials if failed_externally(trial)]
        return trials, [number for number, refit in self.refits.items() if failed_externally(refit)]

    def without(self, trials: Collection[int], refits: Collection[int]) -> StoredChain:
        """The chain without some trials and refits."""
        kept = {number: refit for number, refit in self.refits.items() if number not in refits}
        return replace(self, trials=tuple(t for t in self.trials if t.number not in trials), refits=kept)


@dataclass(frozen=True)
class StoredStudy:
    """One experiment's study: its header, chains in the plan's order, runs, and curve over training size."""

    name: str
    header: StudyHeader
    chains: Mapping[str, StoredChain]
    runs: tuple[Run, ...] = ()
    curve: SizeCurve | None = None

    @property
    def trials(self) -> int:
        """The number of trials in all chains."""
        return sum(len(chain.trials) for chain in self.chains.values())


def read(path: Path, *, curves: bool = True, older: bool = False) -> dict[str, StoredStudy]:
    """Every tuner study of a file, by name. The file is never created or changed.

    Args:
        path: the study file.
        curves: also parse the curves of trials, nine tenths of the file; `read_trial` reads those of one trial.
        older: also read studies of older versions that this version can only report.

    Raises:
        StorageError: the file is not a study, or is damaged.
        StudyBusy: another program holds the file.
    """
    check_file(path, older=older)
    try:
        with _reading(path) as db:
            if db.execute(_STRAY, (RECORD, *KEYS.values(), f"{REFIT}%")).fetchone()[0]:
                raise ValueError(DAMAGED)
            runs, curve = attributes(db, Runs), attributes(db, SizeCurve)
            return {
                name: StoredStudy(
                    name, header, _chains(db, name, header, curves), runs.get(name, Runs()).runs, curve.get(name)
                )
                for name, header in attributes(db, StudyHeader).items()
            }
    except _ERRORS as error:
        raise _unreadable(path, error) from error


def _check_formats(path: Path, db: sqlite3.Connection, *, older: bool) -> None:
    """Refuse studies of other versions of tuner; with `older`, except those that can be reported."""
    formats = [json.loads(value)["schema"] for _, _, value in db.execute(ATTRIBUTES, (HEADER,))]
    if {*formats} == {version3.FORMAT}:
        if not older:
            raise StorageError(f"{path} {version3.SENTENCE}", version3.HINT)
        return
    if max(formats, default=FORMAT) > FORMAT:
        raise StorageError(f"{path} was written by a newer tuner", "pip install --upgrade tuner")
    if min(formats, default=FORMAT) < FORMAT:
        text = f"{path} was written by an older tuner, and keeps too little for this one"
        raise StorageError(text, "read it with that one, or search anew with --study OTHER.db")


def attributes(db: sqlite3.Connection, kind: type[T]) -> dict[str, T]:
    """The values of this kind that are stored with the studies, by name of the study, oldest first."""
    rows = db.execute(ATTRIBUTES, (KEYS[kind],))
    if _is_version3(db):
        reading: Any = {StudyHeader: version3.header, Runs: version3.runs, SizeCurve: version3.curve}[kind]
        return {name.rpartition("/")[0]: reading(value) for _, name, value in rows}
    return {name.rpartition("/")[0]: from_checked_json(value, kind, KEYS[kind]) for _, name, value in rows}


def _is_version3(db: sqlite3.Connection) -> bool:
    """Whether the file is of version 0.1.0; all studies of a file are of one version."""
    found = db.execute(ATTRIBUTES, (HEADER,)).fetchone()
    return found is not None and json.loads(found[2])["schema"] == version3.FORMAT


def _trial(db: sqlite3.Connection, text: str, chain: str, number: int) -> TrialRecord:
    return version3.trial(text) if _is_version3(db) else trial_from_json(text, chain, number)


def read_trial(path: Path, name: str, chain: str, number: int) -> TrialRecord:
    """One trial with its curves."""
    try:
        with _reading(path) as db:
            query = f"{_RECORDS} AND t.number = ? ORDER BY t.trial_id"
            text, _ = db.execute(query, (f"{name}/{chain}", RECORD, number)).fetchone()
            return _trial(db, text, chain, number)
    except _ERRORS as error:
        raise _unreadable(path, error) from error


@contextmanager
def as_optuna(path: Path, name: str, chain: str) -> Iterator[Study]:
    """A chain as an Optuna study, loaded from a copy: Optuna would open the file for writing."""
    import optuna

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), ExitStack() as stack:
        warnings.simplefilter("ignore")
        silence_optuna()
        copy = Path(folder) / "study.db"
        with _reading(path) as db, closing(connect(copy)) as other:
            db.backup(other)
        try:
            study = optuna.load_study(study_name=f"{name}/{chain}", storage=stack.enter_context(optuna_storage(copy)))
            study.get_trials()  # loads the trials before the file is deleted
        except Exception as error:  # Optuna's and SQLAlchemy's, for rows that it would not write
            raise _unreadable(path, error) from error
        yield study


@contextmanager
def optuna_storage(path: Path) -> Iterator[RDBStorage]:
    """A file as an Optuna storage; Optuna creates the tables if there are none."""
    from optuna.storages import RDBStorage

    # a creator instead of a URL: no path can be misread as one
    storage = RDBStorage("sqlite:///study.db", engine_kwargs={"creator": lambda: connect(path)})
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def is_busy(error: Exception) -> bool:
    """Whether another program holds the file."""
    code: int = getattr(error, "sqlite_errorcode", 0)  # errors of Python's own module have none
    return code & 0xFF == sqlite3.SQLITE_BUSY


def held_by_another(path: Path) -> StudyBusy:
    """The error of a file that another program held for too long."""
    return StudyBusy(f"another program holds {path}", "close it there, or save what it changes; then try again")


def _unreadable(path: Path, error: Exception) -> TunerError:
    if is_busy(error):
        return held_by_another(path)
    told = isinstance(error, ValueError | OSError | sqlite3.Error) and "Could not decode" not in str(error)
    reason = error if told else DAMAGED  # SQLite would print the text itself
    return StorageError(f"{path} is damaged, or cannot be read: {reason}", "restore it from a copy")


def _chains(db: sqlite3.Connection, name: str, header: StudyHeader, curves: bool) -> dict[str, StoredChain]:
    there = {full for (full,) in db.execute("SELECT study_name FROM studies")}
    if name != header.name or not there >= {f"{name}/{chain.name}" for chain in header.chains}:
        raise ValueError(f"the chains of '{header.name}' are not those of its header")
    return {chain.name: _chain(db, name, chain.name, curves) for chain in header.chains}


def _chain(db: sqlite3.Connection, name: str, chain: str, curves: bool) -> StoredChain:
    study, query, old = f"{name}/{chain}", f"{_RECORDS} ORDER BY t.number, t.trial_id", _is_version3(db)
    if not curves:
        before = f"instr(a.value_json, '{version3.CUT if old else CURVES}')"
        text = f"CASE {before} WHEN 0 THEN a.value_json ELSE substr(a.value_json, 1, {before} - 1) || '}}' END"
        query = query.replace("a.value_json", text, 1)
    texts = db.execute(query, (study, RECORD))
    records = [version3.trial(text) if old else trial_from_json(text, chain, number) for text, number in texts]
    first: dict[int, TrialRecord] = {}
    doubled = [record.number for record in records if first.setdefault(record.number, record) is not record]
    count = "SELECT count(*) FROM trials JOIN studies USING (study_id) WHERE study_name = ?"
    foreign = db.execute(count, (study,)).fetchone()[0] - len(records)
    refits = db.execute(
        "SELECT a.key, a.value_json FROM studies s JOIN study_user_attributes a USING (study_id) "
        "WHERE s.study_name = ? AND a.key LIKE ? ORDER BY a.key",
        (study, REFIT + "%"),
    )
    by_number = {int(number) if (number := key.removeprefix(REFIT)).isdecimal() else -1: text for key, text in refits}
    done = {
        n: version3.refit(text) if old else from_checked_json(text, RefitRecord, place_of(chain, n))
        for n, text in by_number.items()
    }
    return StoredChain(tuple(first.values()), done, tuple(doubled), foreign)


def holds_something(path: Path) -> bool:
    """Whether there is a file that is not empty; an empty one, such as mktemp makes, is as good as none.

    Raises `StorageError` if there is something other than a regular file."""
    about = regular_file(path)
    return about is not None and about.st_size > 0


def check_file(path: Path, *, older: bool = False) -> None:
    """Raise `StorageError` unless the file is an undamaged Optuna storage of tuner; the file is not changed. With
    `older`, it may be of a version whose studies can only be reported."""
    if regular_file(path) is None:
        raise StorageError(f"{path}: no such file", f"tuner search FILE --study {quote(str(path))} makes it")
    try:
        with path.open("rb") as file:
            start = file.read(len(SQLITE))
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error
    if not start:
        raise NoStudyYet(
            f"{path} is empty: nothing has been written to it yet", "tuner search FILE makes a study in it"
        )
    if start != SQLITE:
        raise StorageError(f"{path} is not a study: not an SQLite file", "name another file")
    other = "name another file"
    try:
        with _reading(path) as db:
            _check_sound(db)
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if not tables >= TABLES:
                raise StorageError(f"{path} is an SQLite file of something else", other)
            studies = db.execute("SELECT count(*) FROM studies").fetchone()[0]
            ours = db.execute("SELECT count(*) FROM study_user_attributes WHERE key = ?", (HEADER,)).fetchone()[0]
            _check_formats(path, db, older=older)
    except _ERRORS as error:
        raise _unreadable(path, error) from error
    if studies and not ours:
        raise StorageError(f"{path} holds Optuna studies, but none of tuner's", other)


def _check_sound(db: sqlite3.Connection) -> None:
    """Let SQLite check its own structures, which the checksums of records do not cover. Takes 0.1 s for 60 MB."""
    (found,) = db.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise ValueError(found)


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file read-only.

    A run that was killed while writing leaves a journal that only a writer may roll back. Then a copy of both files is
    read, and the originals are left to the next search."""
    path = resolve_link(path)
    with closing(connect(path, read_only=True)) as db:
        try:
            db.execute("BEGIN")  # read one consistent state
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            journal = path.with_name(path.name + "-journal")
            if is_busy(error) or regular_file(journal) is None:
                raise
        else:
            yield db
            return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "study.db"
        shutil.copyfile(path, copy)
        shutil.copyfile(journal, copy.with_name("study.db-journal"))
        with closing(connect(copy)) as db:
            yield db


def connect(path: Path, *, read_only: bool = False, timeout: float | None = None) -> sqlite3.Connection:
    """A connection to the file; `timeout` is how many seconds it waits for a lock (None: `PATIENCE`)."""
    patience = PATIENCE if timeout is None else timeout
    if read_only:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=patience)
    return sqlite3.connect(path, timeout=patience, check_same_thread=False, isolation_level=None)
