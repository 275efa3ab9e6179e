"""The study file: an ordinary Optuna storage in SQLite, one Optuna study per chain; only this folder knows how.

Written by one process at a time (a kernel lock beside the file); read by anybody, read-only. A study's header and
refits are attributes of its Optuna studies, a trial's record is one attribute of its Optuna trial.
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
