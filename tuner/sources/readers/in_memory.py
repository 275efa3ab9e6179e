"""Frames that do not come from a file: from a library, or from the user's own loader."""

from __future__ import annotations

import datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd

from tuner.errors import DataError


def plain_frame(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Columns with a text as name, each of numbers, true/false, moments, time spans or text; missing text is None. An
    index that has a name is a column as well. Raises `DataError`."""
    if len(frame) == 0:
        raise DataError(f"{name}: the table has no rows")
    if isinstance(frame.columns, pd.MultiIndex):
        raise DataError(f"{name}: the table has a header of {frame.columns.nlevels} lines", "join them into one")
    index = [i for i, level in enumerate(frame.index.names) if level is not None and level not in frame.columns]
    frame = frame.reset_index(level=index, allow_duplicates=True) if index else frame
    names = [str(column).strip() for column in frame.columns]
    twice = sorted({each for each in names if names.count(each) > 1})
    if twice:
        raise DataError(f"{name}: the table has two columns called '{twice[0]}'", "rename one of them")
    return pd.DataFrame({each: _plain(frame.iloc[:, i], f"{name}: column '{each}'") for i, each in enumerate(names)})


def _plain(column: pd.Series, where: str) -> pd.Series:
    """A column without its index; categories become their values, periods their first moment, intervals a text. Raises
    `DataError`."""
    column = column.reset_index(drop=True)
    if isinstance(column.dtype, pd.CategoricalDtype):
        whole = column.cat.categories.dtype.kind in "iub" and column.isna().any()  # which cannot be missing
        column = pd.Series(np.asarray(column)) if whole else column.astype(column.cat.categories.dtype)
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    if column.dtype == object:
        column = column.infer_objects()
    kind = column.dtype.kind
    if kind in "iufbMm":
        return column
    if kind not in "OU":
        raise DataError(f"{where} holds {column.dtype}", "turn it into numbers, text or dates")
    column = column.astype(object).where(column.notna(), None)
    types = {type(value) for value in column if value is not None}
    if types & {Decimal, Fraction} and types <= {Decimal, Fraction, int, float}:
        return column.astype(float)
    if types and types <= {datetime.date, datetime.datetime, pd.Timestamp}:
        return pd.to_datetime(column)
    column = column.map(_as_text, na_action="ignore")
    for row, value in enumerate(column):
        if value is not None and not isinstance(value, str | bool | int | float):
            hint = "numbers, text, true/false or dates, one in a cell"
            raise DataError(f"{where}: row {row + 1} holds a value of type {type(value).__name__}", hint)
    return column


def _as_text(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    return str(value) if isinstance(value, pd.Interval | datetime.time) else value
