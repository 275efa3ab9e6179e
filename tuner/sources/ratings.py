"""Ratings of items by users: MovieLens' and RecBole's files, any table of users, items and ratings, and side tables.

A line is user, item, rating and, if known, the time: between tabs, `::`, `|` or commas. Without a header the columns
stand in that order, and are called user, item, rating and timestamp.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from tuner.data.dataset import Dataset
from tuner.data.inputs import PADDING, UNKNOWN, Ids, Rows
from tuner.data.roles import Roles
from tuner.data.target import Amounts
from tuner.errors import DataError, DataErrors
from tuner.sources.columns.roles import looks_like_time, times
from tuner.sources.columns.side import Side, SideSettings, read_side, side_by_side
from tuner.sources.columns.written import as_written
from tuner.sources.loading.head import CERTAIN, Head, Sniffed
from tuner.sources.readers.files import located
from tuner.sources.readers.frames import check_columns, check_complete, listed
from tuner.sources.readers.numbers import numbers_of
from tuner.sources.readers.plain import TYPED_NAME, labels_of, read_plain, values_of

COLUMNS = ("user", "item", "rating", "timestamp")  # of a file without a header
CALLED = {
    "user": {"user", "customer", "reviewer"},
    "item": {"item", "movie", "film", "book", "product", "song", "track", "artist"},
    "rating": {"rating", "score", "stars"},
    "time": {"timestamp", "time", "date"},
}


class Settings(SideSettings):
    reads: ClassVar = ("path", "users", "items")
    name: Literal["ratings"] = "ratings"
    path: str = Field(description="the file, relative to the experiment file")
    user: str | None = Field(None, description="column of users; default: one called user, userId, user_id, …")
    item: str | None = Field(None, description="column of items; default: one called item, movieId, product_id, …")
    rating: str | None = Field(None, description="column of ratings; default: one called rating, score or stars")
    time: str | None = Field(None, description="column of numbers or dates: folds go forward in time")
    lowest: float | None = Field(None, description="of the ratings' scale; a rating below is an error")
    highest: float | None = Field(None, description="of the ratings' scale; a rating above is an error")
    users: str | None = Field(None, description="file of what is known of each user, in columns beside the id")
    items: str | None = Field(None, description="file of what is known of each item, in columns beside the id")
    drop: str | tuple[str, ...] = Field((), description="columns of users and items to leave out")


def load(settings: Settings, folder: Path) -> Dataset:
    """Ids (N, 2) of users and items, and beside them what side tables know (N, D); the rating."""
    path = located(folder, settings.path)
    where = path.name
    frame = read_plain(path, "path", lambda cells: not _is_rating(cells[2:3]), COLUMNS, settings.encoding)
    columns, errors = {}, DataErrors()
    for key in ("user", "item", "rating"):
        with errors.collect():
            columns[key] = getattr(settings, key) or _column(frame, key, where)
    named = {**columns, "time": settings.time} if settings.time is not None else columns
    with errors.collect():
        check_columns(frame, named.items(), where)
    errors.raise_all()
    frame, written = as_written(frame, [columns["rating"]], where)
    ratings = _ratings(settings, frame[columns["rating"]], where)
    coded = [_coded(frame[columns[key]], where, key) for key in ("user", "item")]
    sides = _sides(settings, folder, columns, [ids for _, ids in coded])
    side_inputs = [
        replace(side.numbers, values=side.numbers.values[codes])
        for side, (codes, _) in zip(sides, coded, strict=True)
        if side is not None
    ]
    moments = None if settings.time is None else times(pd.DataFrame({settings.time: values_of(frame[settings.time])}),
                                                       settings.time, where)  # fmt: skip
    pairs = np.stack([codes for codes, _ in coded], axis=1) + 2
    vocabularies = tuple((PADDING, UNKNOWN, *ids) for _, ids in coded)
    return Dataset(
        name=where,
        inputs=Ids(pairs, vocabularies, ("user", "item"), side_by_side(side_inputs) if side_inputs else None),
        target=Amounts(np.array(ratings, dtype=np.float64)[:, None], ("rating",)),
        roles=Roles(order=moments),
        hints=() if settings.time is not None else tuple(looks_like_time(name) for name in _found(frame, "time")),
        notes=(*frame.attrs.get("notes", ()), *written, *_again(pairs)),
    )


def sniff(head: Head) -> Sniffed | None:
    """Certain for tables with a user and a rating, and for MovieLens' other files."""
    if head.table:
        rated = any("user" in name for name in head.columns) and not CALLED["rating"].isdisjoint(head.columns)
        return Sniffed(CERTAIN, head.encoded) if rated else None
    lines = head.lines
    if lines and all(map(TYPED_NAME.fullmatch, lines[0].split("\t"))):
        return Sniffed(CERTAIN, head.encoded)
    found = all(line.count("::") >= 2 for line in lines) or (head.suffix == ".data" and all(map(_all_numbers, lines)))
    return Sniffed(CERTAIN, head.encoded) if lines and found else None


def _all_numbers(line: str) -> bool:
    return all(cell.replace(".", "", 1).lstrip("-").isdigit() for cell in line.split())


def _is_rating(cells: Sequence[str]) -> bool:
    try:
        return bool(cells) and np.isfinite(float(cells[0]))
    except ValueError:
        return False


def _found(frame: pd.DataFrame, key: str) -> list[str]:
    """Columns whose name means it, such as userId, user_id or USER."""
    plain = {str(c): "".join(filter(str.isalpha, str(c).lower())) for c in frame.columns}
    return [column for column, name in plain.items() if {name, name.removesuffix("id")} & CALLED[key]]


def _column(frame: pd.DataFrame, key: str, where: str) -> str:
    """The only column whose name means it. Raises `DataError`."""
    found = _found(frame, key)
    if len(found) != 1:
        which = " and ".join(f"'{column}'" for column in found) or "no column"
        text = f"{where}: {which} could be the {key}, by name"
        raise DataError(text, f"{key}: one of {', '.join(map(str, frame.columns[:12]))}", key)
    return found[0]


def _ratings(settings: Settings, column: pd.Series, where: str) -> NDArray[np.float64]:
    check_complete(column := values_of(column), where, "rating")
    ratings = numbers_of(column, where, "rating", "correct or drop that row")
    low = -np.inf if settings.lowest is None else settings.lowest
    high = np.inf if settings.highest is None else settings.highest
    if len(outside := np.flatnonzero((ratings < low) | (ratings > high))):
        row = outside[0]
        text = f"{where}: '{column.name}' of data row {row + 1} is {ratings[row]:g}, outside {low:g} … {high:g}"
        raise DataError(text, "correct or drop that row, or widen the scale",
                        "lowest" if ratings[row] < low else "highest")  # fmt: skip
    return ratings


def _coded(column: pd.Series, where: str, key: str) -> tuple[Rows, list[str]]:
    """The code of each row's id (N,), and the ids in order: as numbers if all are numbers, else as text."""
    labels = labels_of(column)
    check_complete(labels.where(labels != "", None), where, key)
    ids = sorted(labels.unique())
    if all(each.isascii() and each.isdigit() for each in ids):
        ids.sort(key=int)
    return pd.Index(ids).get_indexer(pd.Index(labels)).astype(np.int64), ids


def _sides(
    settings: Settings, folder: Path, columns: dict[str, str], ids: Sequence[Sequence[str]]
) -> tuple[Side | None, Side | None]:
    """The side tables of users and of items, if there are any."""
    dropped = listed(settings.drop)
    paths = {"users": settings.users, "items": settings.items}
    users, items = (
        None if path is None
        else read_side(located(folder, path, key), key, of, columns[key[:-1]], dropped, settings)
        for (key, path), of in zip(paths.items(), ids, strict=True)
    )  # fmt: skip
    given = {column for side in (users, items) if side is not None for column in side.columns}
    if absent := [column for column in dropped if column not in given]:
        raise DataError(f"no side table has a column '{absent[0]}'", f"one of: {', '.join(sorted(given))}", "drop")
    return users, items


def _again(pairs: Rows) -> tuple[str, ...]:
    """A note about pairs that are rated more than once."""
    again = len(pairs) - len(np.unique(pairs[:, 0] * (pairs[:, 1].max() + 1) + pairs[:, 1]))
    return (f"{again:,} of {len(pairs):,} (user, item) pairs occur more than once",) if again else ()
