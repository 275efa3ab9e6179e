"""Side tables: what is known of each user or item, as numbers beside a rating."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from tuner.data.inputs import Numbers
from tuner.data.precision import as_numbers, narrow
from tuner.data.settings import NumberSettings
from tuner.errors import DataError, at
from tuner.sources.columns.encode import inputs
from tuner.sources.readers.plain import labels_of, read_plain, values_of
from tuner.sources.readers.settings import EncodedSettings

BETWEEN = "|"  # between several words in a cell, such as the genres of a film


class SideSettings(NumberSettings, EncodedSettings):
    """The settings that say how side tables are read."""


@dataclass(frozen=True, eq=False)
class Side:
    """Numbers (V, D), a row for each id, NaN where nothing is known; and the columns of the file."""

    numbers: Numbers
    columns: tuple[str, ...]


# parameters: the file, the ids to find in it, and what to leave out
def read_side(
    path: Path, key: str, ids: Sequence[str], called: str, dropped: Sequence[str], settings: SideSettings
) -> Side:
    """The table of these ids, found in the column `called` so, or the first. If nothing is imputed, every id has a row,
    and every row all values. Raises `DataError` with `key`, the setting that names the file."""
    complete = settings.impute == "none"
    known = frozenset(ids)
    frame = read_plain(path, key, lambda cells: cells[0] not in known, encoding=settings.encoding)
    of = called if called in frame.columns else str(frame.columns[0])
    labels = labels_of(frame[of])
    if twice := np.flatnonzero(labels.duplicated()).tolist():
        text = f"{path.name}: '{of}' {labels[twice[0]]!r} of data row {twice[0] + 1} has a row already"
        raise DataError(text, "one row for each", key)
    index = {label: row for row, label in enumerate(labels)}
    if complete and (absent := next((each for each in ids if each not in index), None)) is not None:
        text = f"{path.name} has no row for '{of}' {absent!r}, which has ratings"
        raise DataError(text, "add it, or fill numbers per fold with impute: mean", key)
    if not any(each in index for each in ids):
        text = f"{path.name}: none of the {len(ids):,} {of}s with ratings has a row; the first is of {labels[0]!r}"
        raise DataError(text, "its first column, or the one called as in the ratings, has the ids", key)
    columns = [str(c) for c in frame.columns if c != of and c not in dropped]
    if not columns:
        raise DataError(f"{path.name}: no column is left beside '{of}'", f"leave {key} out", key)
    read = [_numbers(frame[column], path.name, key, settings) for column in columns]
    for column, each in zip(columns, read, strict=True):
        if complete and len(missing := np.flatnonzero(np.isnan(each.values).any(axis=1))):
            text = f"{path.name}: '{column}' of data row {missing[0] + 1} is missing"
            raise DataError(text, "fill numbers per fold with impute: mean or impute: median", key)
    found = side_by_side(read)
    table = np.concatenate([found.values, np.full_like(found.values[:1], np.nan)])  # the last row for ids without one
    numbers = table[[index.get(each, -1) for each in ids]]
    return Side(replace(found, values=numbers), (of, *map(str, frame.columns.drop(of))))


def side_by_side(parts: Sequence[Numbers]) -> Numbers:
    """Columns (N, D) of several parts, which are scaled and imputed alike."""
    categories, width = [], 0
    for part in parts:
        categories += [slice(run.start + width, run.stop + width) for run in part.categories]
        width += part.values.shape[1]
    offsets = [part.offsets for part in parts if part.offsets is not None]
    coarse = [part.coarse for part in parts if part.coarse is not None]
    return replace(
        parts[0],
        values=np.concatenate([part.values for part in parts], axis=1),
        names=tuple(name for part in parts for name in part.names),
        categories=tuple(categories),
        offsets=np.concatenate(offsets),
        coarse=np.concatenate(coarse),
    )


def _numbers(column: pd.Series, where: str, key: str, settings: NumberSettings) -> Numbers:
    """One column as numbers: one-hot for a category, and for several words in a cell."""
    column = values_of(column)
    if column.dtype == object and column.str.contains(BETWEEN, regex=False).any():
        several = column.fillna("").str.get_dummies(BETWEEN).astype(np.float32)
        several[column.isna()] = np.nan
        return as_numbers(narrow(several.to_numpy()), settings, [f"{column.name}={word}" for word in several.columns])
    with at(key):
        found = inputs(column.to_frame(), [str(column.name)], where, settings)
    assert isinstance(found, Numbers)  # embedded it would be ids
    return found
