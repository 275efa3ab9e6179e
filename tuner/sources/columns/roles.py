"""Columns that are not features: groups, times, which fold tests a row, and how much a row counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from tuner.data.roles import Roles, WeightsFor
from tuner.data.settings import DatasetSettings
from tuner.errors import DataError, DataErrors
from tuner.experiment.settings import GIVEN, used_when
from tuner.sources.columns.dates import as_order
from tuner.sources.columns.dates import times as read_times
from tuner.sources.columns.split import ROLE, read_split
from tuner.sources.columns.words import WORDS
from tuner.sources.readers.frames import check_complete

GROUPS = {
    "patient", "subject", "person", "participant", "user", "customer", "client", "household", "family", "school",
    "site", "hospital", "device", "session", "speaker", "author", "group",
}  # fmt: skip
TIMES = {"date", "time", "datetime", "timestamp", "day", "month", "year", "week", "created", "updated"}
CUTS = ("groups", "time", "split")
ROLES = (*CUTS, "weights")


class RoleSettings(DatasetSettings):
    """Columns, or arrays with one value per row, that have a role and are not features."""

    groups: str | None = Field(
        None, description="column: equal values, as of a patient, stay in one fold; not a feature"
    )
    time: str | None = Field(None, description="column of numbers or dates: folds go forward in time; not a feature")
    split: str | None = Field(None, description=f"column of {ROLE}; not a feature")
    weights: str | None = Field(None, description="column of how much a row counts, numbers from 0 up; not a feature")
    weights_for: WeightsFor = Field(
        "both",
        description="where weights count: both is training and scores",
        json_schema_extra=used_when(weights=GIVEN),
    )

    @property
    def roles(self) -> dict[str, str]:
        """The column of each role that is named."""
        return {role: column for role in ROLES if (column := getattr(self, role)) is not None}

    @property
    def cut(self) -> bool:
        """Whether a column says how rows are cut into folds."""
        return any(getattr(self, role) for role in CUTS)


class ReadRoles(NamedTuple):
    """The roles of rows, and what the user should know about how they were read."""

    roles: Roles
    notes: tuple[str, ...]


def read_roles(
    frame: pd.DataFrame, columns: Mapping[str, str], where: str, weights_for: WeightsFor = "both"
) -> ReadRoles:
    """Read the columns of the frame that have a role.

    Args:
        columns: the column of each role: `groups`, `time`, `split` and `weights`, if there is one.
        where: what errors call the frame.
        weights_for: where the weights count.

    Raises:
        DataError: a value is missing, or is not what the role takes.
    """
    errors = DataErrors()
    with errors.collect():
        if weights_for != "both" and "weights" not in columns:
            text = f"{where}: weights_for is {weights_for}, and no row has a weight"
            raise DataError(text, "give the weights, or leave it out", "weights_for")
    with errors.collect():
        groups = group_codes(frame, columns.get("groups"), where, "groups")
    with errors.collect():
        order = times(frame, columns.get("time"), where)
    with errors.collect():
        split = read_split(frame, columns.get("split"), where)
    with errors.collect():
        weights = row_weights(frame, columns.get("weights"), where)
    errors.raise_all()
    roles = Roles(groups=groups, order=order, split=split.codes, weights=weights, weights_for=weights_for)
    return ReadRoles(roles, split.notes)


def group_codes(frame: pd.DataFrame, column: str | None, where: str, key: str) -> NDArray[np.int64] | None:
    """The group of each row (N,), as a number. Raises `DataError` if one is missing."""
    if column is None:
        return None
    check_complete(frame[column], where, key)
    return np.asarray(pd.factorize(frame[column], sort=True)[0], dtype=np.int64)


def times(frame: pd.DataFrame, column: str | None, where: str) -> NDArray[np.float64] | None:
    """The time of each row (N,), as a number that grows with time. Raises `DataError`."""
    return None if column is None else as_order(read_times(frame[column], where).values)


def row_weights(frame: pd.DataFrame, column: str | None, where: str) -> NDArray[np.float64] | None:
    """The weight of each row (N,): numbers from 0 up, not all of them 0. Raises `DataError`."""
    if column is None:
        return None
    check_complete(frame[column], where, "weights")
    numbers = pd.to_numeric(frame[column], errors="coerce")
    weights = np.array(numbers.to_numpy(dtype=np.float64, na_value=np.nan))  # a copy: pandas may lock its own
    wrong = np.flatnonzero(~((weights >= 0) & np.isfinite(weights)))
    if len(wrong):
        text = f"{where}: '{column}' of data row {wrong[0] + 1} is '{frame[column].iloc[wrong[0]]}'"
        raise DataError(text, "a weight is a number from 0 up", "weights")
    if not weights.any():
        raise DataError(f"{where}: '{column}' is 0 in every row", "some row must count", "weights")
    return weights


def step_counts(frame: pd.DataFrame, column: str | None, steps: int, where: str) -> NDArray[np.int64] | None:
    """How many of its `steps` each sequence (N,) has: whole numbers. Raises `DataError`."""
    if column is None:
        return None
    told = frame[column].to_numpy()
    numeric = told.dtype.kind in "iuf"
    right = (told >= 0) & (told <= steps) & (told == np.round(told)) if numeric else np.zeros(len(told), dtype=bool)
    if not right.all():
        row = int(right.argmin())
        text = f"{where}: '{column}' of data row {row + 1} is {told[row]}, and a sequence has {steps} steps"
        raise DataError(text, f"whole numbers from 1 to {steps}", "lengths")
    return told.astype(np.int64)


def looks_like_time(column: str) -> str:
    """The hint for a column that looks like time, and is not used as such."""
    return f"column '{column}' looks like time: dataset.time: {column} trains on the past only"


def is_role_name(column: str) -> bool:
    """Whether a column's name says that rows belong together or follow each other."""
    return bool(_words(column) & (GROUPS | TIMES))


def is_time_name(column: str) -> bool:
    """Whether a column's name says that rows follow each other."""
    return bool(_words(column) & TIMES)


def unassigned_roles(frame: pd.DataFrame, targets: Sequence[str], *, timed: bool = True) -> tuple[str, ...]:
    """Hints for columns whose name suggests groups or, if the source is `timed`, times; also for dropped columns."""
    found = []
    for column in (str(name) for name in frame.columns if name not in targets):
        words = _words(column)
        values = frame[column].nunique() if words & (GROUPS | TIMES) else 0
        if words & GROUPS and 1 < values < len(frame):
            found.append(f"column '{column}' has {values} values in {len(frame):,} rows; if they belong together, "
                         f"dataset.groups: {column} keeps them in one fold")  # fmt: skip
        elif timed and words & TIMES and values > 1:
            found.append(looks_like_time(column))
    return tuple(found)


def large_ids(frame: pd.DataFrame, columns: Sequence[str]) -> Iterator[str]:
    """Warnings about columns that number the rows, with numbers so large that different ones are equal in float32.
    `describe` warns of smaller ones."""
    for column in columns:
        values = frame[column].to_numpy()
        if (
            values.dtype.kind in "iuf"
            and len(values) > 10
            and float(values.max()) > 2**24
            and values.dtype != np.float32
        ):
            ordered = np.sort(values)
            if (ordered[1:] - ordered[:-1] == 1).all():
                yield f"column '{column}' numbers the rows: it cannot help to predict new rows; drop it"


def _words(column: str) -> set[str]:
    return {word.lower().removesuffix("s") for word in WORDS.findall(column)}
