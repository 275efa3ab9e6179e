"""The column that says which rows test: train and test, scikit-learn's fold numbers, or names of folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tuner.data.roles import NEVER_TESTED
from tuner.errors import DataError
from tuner.sources.columns.words import WORDS
from tuner.sources.readers.frames import check_complete

TRAIN, TEST = {"train", "training"}, {"test", "testing"}
VALIDATION = {"val", "valid", "validation", "dev"}
YES, NO = {"1", "true"}, {"0", "false"}
ROLE = "which rows test: train and test (validation rows train), fold names, or -1, 0, 1, … as in PredefinedSplit"
HINT = "write train and test, fold names such as a and b, or -1 (never tested), 0, 1, … as in PredefinedSplit"


@dataclass(frozen=True, eq=False)
class Split:
    """`codes` int64 (N,): the outer fold that tests each row, or `NEVER_TESTED`; None where no column is named.

    `notes`: what the user should know about how the column was read."""

    codes: NDArray[np.int64] | None
    notes: tuple[str, ...] = ()


def read_split(frame: pd.DataFrame, column: str | None, where: str) -> Split:
    """Read the column. Raises `DataError`.

    train and test: one fold, which tests the rows called test. Validation rows train: tuning cuts its own inner folds.
    Numbers with -1: as scikit-learn's PredefinedSplit, where -1 is never tested. 0 and 1, or true and false: only
    where the column's name says which of them tests. Anything else: one fold per value, in sorted order."""
    if column is None:
        return Split(None)
    values = frame[column]
    check_complete(values, where, "split")
    labels = np.array([_label(value) for value in values])
    found = set(labels)
    if found & (TRAIN | TEST):
        return _named(labels, found, f"{where}: the split column '{column}'")
    if found <= YES | NO:
        return Split(_by_name(labels, found, f"{where}: the split column '{column}'", column))
    numbers = pd.to_numeric(values.astype(str), errors="coerce").to_numpy()
    never = numbers == NEVER_TESTED
    if never.any() and not np.isnan(numbers).any():
        folds = np.unique(numbers[~never], return_inverse=True)[1]
        codes = np.full(len(values), NEVER_TESTED, dtype=np.int64)
        codes[~never] = folds
        return Split(codes)
    return Split(np.asarray(pd.factorize(values, sort=True)[0], dtype=np.int64))


def _label(value: Any) -> str:
    """A value as text that can be compared: without capitals, and 1 for 1.0."""
    text = (value.decode() if isinstance(value, bytes) else str(value)).strip().lower()
    return text.removesuffix(".0") if text in ("0.0", "1.0") else text


def _named(labels: NDArray[Any], found: set[str], where: str) -> Split:
    """A column of train and test. Raises `DataError`."""
    if other := sorted(found - TRAIN - TEST - VALIDATION):
        raise DataError(f"{where} holds train or test and also '{other[0]}'", HINT, "split")
    tested = np.isin(labels, sorted(TEST))
    if tested.all() or not tested.any():
        missing = "train" if tested.all() else "test"
        raise DataError(f"{where} calls no row {missing}", f"call the rows that {missing} '{missing}'", "split")
    count = int(np.isin(labels, sorted(VALIDATION)).sum())
    note = f"{where}: its {count:,} validation rows join training, where the inner folds are cut"
    return Split(np.where(tested, 0, NEVER_TESTED).astype(np.int64), (note,) if count else ())


def _by_name(labels: NDArray[Any], found: set[str], where: str, name: str) -> NDArray[np.int64]:
    """A column of 0 and 1 whose name says which of them tests, such as is_test. Raises `DataError`."""
    words = {word.lower() for word in WORDS.findall(name)}
    tests, trains = bool(words & TEST), bool(words & TRAIN)
    if tests == trains:
        text = f"{where} holds only {' and '.join(sorted(found))}, and its name does not say which of them tests"
        raise DataError(text, f"call it is_test or is_train; or {HINT}", "split")
    tested = np.isin(labels, sorted(YES if tests else NO))
    if tested.all() or not tested.any():
        text = f"{where} is the same in every row, so that no row {'trains' if tested.all() else 'tests'}"
        raise DataError(text, "mark some rows for each", "split")
    return np.where(tested, 0, NEVER_TESTED).astype(np.int64)
