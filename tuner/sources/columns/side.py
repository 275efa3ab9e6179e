"""Side tables: what is known of each user or item, as numbers to stand beside a rating."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tuner.data.precision import Narrowed, joined, narrow
from tuner.errors import DataError
from tuner.sources.columns.encode import inputs
from tuner.sources.readers.plain import labels_of, read_plain, values_of

BETWEEN = "|"  # between several words in a cell, such as the genres of a film


@dataclass(frozen=True, eq=False)
class Side:
    """Numbers (V, D), a row for each id, NaN where nothing is known, and their D names; which columns are one category;
    and the columns of the file."""

    numbers: Narrowed
    names: tuple[str, ...]
    categories: tuple[slice, ...]
    columns: tuple[str, ...]


def read_side(path: Path, key: str, ids: Sequence[str], called: str, dropped: Sequence[str], *, complete: bool) -> Side:
    """The table of these ids, found in the column `called` so, or the first. If it must be `complete`, every id has a
    row, and every row all values. Raises `DataError` with `key`, the setting that names the file."""
    known = frozenset(ids)
    frame = read_plain(path, key, lambda cells: cells[0] not in known)
    of = called if called in frame.columns else str(frame.columns[0])
    labels = labels_of(frame[of])
    if twice := np.flatnonzero(labels.duplicated()).tolist():
        text = f"{path.name}: '{of}' {labels[twice[0]]!r} of data row {twice[0] + 1} has a row already"
        raise DataError(text, "one row for each", key)
    place = {label: row for row, label in enumerate(labels)}
    if complete and (absent := next((each for each in ids if each not in place), None)) is not None:
        text = f"{path.name} has no row for '{of}' {absent!r}, which has ratings"
        raise DataError(text, "add it, or fill numbers per fold with impute: mean", key)
    if not any(each in place for each in ids):
        text = f"{path.name}: none of the {len(ids):,} {of}s with ratings has a row; the first is of {labels[0]!r}"
        raise DataError(text, "its first column, or the one called as in the ratings, has the ids", key)
    columns = [str(c) for c in frame.columns if c != of and c not in dropped]
    if not columns:
        raise DataError(f"{path.name}: no column is left beside '{of}'", f"leave {key} out", key)
    blocks: list[Narrowed] = []
    names: list[str] = []
    categories: list[slice] = []
    for column in columns:
        read = _numbers(frame[column], path.name, key)
        block = Narrowed(read["features"], read["offsets"], read["coarse"])
        if complete and len(missing := np.flatnonzero(np.isnan(block.values).any(axis=1))):
            text = f"{path.name}: '{column}' of data row {missing[0] + 1} is missing"
            raise DataError(text, "fill numbers per fold with impute: mean or impute: median", key)
        categories += [slice(len(names), len(names) + block.values.shape[1])] if read["categories"] else []
        names += read["feature_names"]
        blocks.append(block)
    found = joined(blocks)
    table = np.concatenate([found.values, np.full_like(found.values[:1], np.nan)])  # the last row for ids without one
    numbers = table[[place.get(each, -1) for each in ids]]
    others = map(str, frame.columns.drop(of))
    return Side(replace(found, values=numbers), tuple(names), tuple(categories), (of, *others))


def _numbers(column: pd.Series, where: str, key: str) -> dict[str, Any]:
    """A number, or a column for each category or each of several words in a cell, as `inputs` gives them."""
    column = values_of(column)
    if column.dtype == object and column.str.contains(BETWEEN, regex=False).any():
        several = column.fillna("").str.get_dummies(BETWEEN).astype(np.float32)
        several[column.isna()] = np.nan
        names = tuple(f"{column.name}={word}" for word in several.columns)
        found = narrow(several.to_numpy())
        return {"features": found.values, "feature_names": names, "categories": (),
                "offsets": found.offsets, "coarse": found.coarse}  # fmt: skip
    try:
        return inputs(column.to_frame(), [str(column.name)], where)
    except DataError as error:
        raise DataError(error.message, error.hint, key) from error
