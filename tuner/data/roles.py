"""Columns that are no features: who belongs together, what came first, which fold tests a row."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tuner.errors import DataError

GROUPS = {
    "patient", "subject", "person", "participant", "user", "customer", "client", "household", "family", "school",
    "site", "hospital", "device", "session", "speaker", "author", "group",
}  # fmt: skip
TIMES = {"date", "time", "datetime", "timestamp", "day", "month", "year", "week", "created", "updated"}
WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")  # of visit_date, visitDate or VISIT-DATE


def group_codes(frame: pd.DataFrame, column: str | None, where: str, key: str) -> NDArray[np.int64] | None:
    """A number (N,) for every value of the column."""
    if column is None:
        return None
    _complete(frame[column], where, key)
    return np.asarray(pd.factorize(frame[column], sort=True)[0], dtype=np.int64)


def times(frame: pd.DataFrame, column: str | None, where: str) -> NDArray[np.float64] | None:
    """The column (N,) as numbers that grow with time: as it stands, or as dates."""
    if column is None:
        return None
    _complete(frame[column], where, "time")
    if pd.api.types.is_numeric_dtype(frame[column]):
        return frame[column].to_numpy(dtype=np.float64)
    try:
        moments = pd.to_datetime(frame[column], format="ISO8601", utc=True)
    except (ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:120]
        text = f"{where}: column '{column}' holds neither numbers nor dates such as 2024-03-25: {reason}"
        raise DataError(text, "write its dates like that", "time") from error
    return np.asarray(moments.astype("int64"), dtype=np.float64)


def overlooked(frame: pd.DataFrame, targets: Sequence[str]) -> tuple[str, ...]:
    """Columns whose name says that rows belong together or follow each other, dropped ones too."""
    found = []
    for column in (str(name) for name in frame.columns if name not in targets):
        values = frame[column].nunique()
        words = {word.lower().removesuffix("s") for word in WORDS.findall(column)}
        if words & GROUPS and 1 < values < len(frame):
            found.append(f"column '{column}' has {values} values in {len(frame):,} rows; if they belong together, "
                         f"dataset.groups: {column} keeps them in one fold")  # fmt: skip
        elif words & TIMES and values > 1:
            found.append(f"column '{column}' looks like time: dataset.time: {column} trains on the past only")
    return tuple(found)


def _complete(column: pd.Series, where: str, key: str) -> None:
    missing = np.flatnonzero(column.isna().to_numpy())
    if len(missing):
        raise DataError(f"{where}: '{column.name}' of data row {missing[0] + 1} is missing", "fill it in", key)
