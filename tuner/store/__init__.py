"""The study file: an Optuna storage in SQLite with one Optuna study per chain; only this package accesses it.

Only one process at a time may write (a file lock enforces this); any process may read. A study's header and refits are
attributes of its Optuna studies, a trial's record is one attribute of its Optuna trial.
"""

from tuner.store.reading import (
    FORMAT,
    StoredChain,
    StoredStudy,
    as_optuna,
    check_file,
    holds_something,
    read,
    read_trial,
)
from tuner.store.signature import is_ours
from tuner.store.writing import Entry, Store, make, roll_back

__all__ = [
    "FORMAT",
    "Entry",
    "Store",
    "StoredChain",
    "StoredStudy",
    "as_optuna",
    "check_file",
    "holds_something",
    "is_ours",
    "make",
    "read",
    "read_trial",
    "roll_back",
]
