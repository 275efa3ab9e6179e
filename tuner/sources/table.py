"""A CSV, TSV, Parquet, Feather or Excel file: numbers, categories, dates, missing values, one or several targets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from tuner.data.dataset import Dataset
from tuner.data.levels import texts
from tuner.data.settings import NumberSettings
from tuner.errors import DataError, DataErrors
from tuner.sources.columns.encode import Categories, inputs
from tuner.sources.columns.mixed import check_labels, nearly
from tuner.sources.columns.roles import ROLES, RoleSettings, large_ids, read_roles, unassigned_roles
from tuner.sources.columns.target import TaskChoice, as_target
from tuner.sources.columns.written import as_written
from tuner.sources.loading.head import Head, Sniffed
from tuner.sources.readers.files import located
from tuner.sources.readers.frames import UNNAMED, check_columns, check_complete, listed, read_frame
from tuner.sources.readers.settings import PLAIN, DelimitedSettings


def _some(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError("at least one name")
    return names


ROW_NAMES = {"", "id", "index", "row", "rowid", "row_id", "rowname", "rownames", "row.names", "row_names", "obs"}
OUTCOMES = ("target", "label", "class", "y", "outcome", "diagnosis", "species")
Names = str | Annotated[tuple[str, ...], AfterValidator(_some)]


class ColumnSettings(NumberSettings, RoleSettings):
    """The columns of a table, from whatever source; `target` is added by each source."""

    features: Names | None = Field(None, description="the columns to learn from; default: all that nothing else names")
    drop: str | tuple[str, ...] = Field((), description="columns to leave out")
    categories: Categories = Field("one_hot", description="one_hot: a column per level; embedded: codes, for mlp")
    task: TaskChoice = Field(
        "auto", description="auto: text, true/false or few whole numbers are classes; several columns of 0/1 are labels"
    )


class Settings(ColumnSettings, DelimitedSettings):
    name: Literal["table"] = "table"
    path: str = Field(description="the file, relative to the experiment file")
    target: Names = Field(description="the column to predict, or a list of columns: numbers, or labels of 0/1")
    sheet: int | str | None = Field(None, description="of an Excel file that has several: its name, or number from 1")


def load(settings: Settings, folder: Path) -> Dataset:
    """Read the file; a column is a feature unless it is a target, has a role or is dropped.

    A date becomes three numbers, `NAME: days` since 1970-01-01, `NAME: month` and `NAME: weekday` (Monday is 0), a time
    span its days. Embedded, a category that is missing is unknown, and numbers stand beside the codes."""
    path = located(folder, settings.path)
    taken = _taken(settings, settings.target)
    labels = (settings.groups, settings.split)
    frame = read_frame(path, settings, settings.sheet, lambda name: name not in taken, labels=labels)
    return of_frame(_without_blank_rows(frame), settings, settings.target, path.name, settings)


def _without_blank_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame without the rows that have no value at all, as at the end of some exports; its notes say so."""
    rows = np.flatnonzero(frame.iloc[:, 0].isna())
    blank = rows[frame.iloc[rows].isna().all(axis=1).to_numpy()]
    if not len(blank) or len(blank) == len(frame):
        return frame
    left: pd.DataFrame = frame.drop(index=blank.tolist()).reset_index(drop=True)
    count = "a row" if len(blank) == 1 else f"{len(blank)} rows"
    left.attrs["notes"] = (
        *frame.attrs.get("notes", ()),
        f"{count} without any value {'is' if len(blank) == 1 else 'are'} left out",
    )
    return left


def sniff(head: Head) -> Sniffed | None:
    """Possible for any table. Without a named target: a column with a usual name of targets, or the last one."""
    if not head.table:
        return None
    if head.target:
        return Sniffed(1, head.delimited)
    names = list(head.columns.values())
    outcome = next((head.columns[name] for name in OUTCOMES if name in head.columns), names[-1])
    return Sniffed(1, {**head.delimited, "target": outcome}, f"the target is '{outcome}'; else --target COLUMN")


def of_frame(
    frame: pd.DataFrame, settings: ColumnSettings, target: Names, name: str, signs: DelimitedSettings = PLAIN
) -> Dataset:
    """The data set of a frame, whose texts may hold numbers with these `signs`; errors call it `name`. Raises
    `DataError`."""
    check_columns(frame, _named(settings, target), name)
    taken, wanted = _taken(settings, target), listed(target)
    index = [] if settings.features else _row_names(frame, taken)
    notes = list(frame.attrs.get("notes", ()))
    for column in index:
        nameless = UNNAMED.fullmatch(column) or not column.strip()
        called = "a column without a name" if nameless else f"column '{column}'"
        notes.append(f"{called} only numbers the rows: it is left out")
    columns = _features(settings, [str(c) for c in frame.columns if c not in taken and c not in index])
    errors = DataErrors()
    with errors.collect():
        read = read_roles(frame, settings.roles, name, settings.weights_for)
    with errors.collect():
        frame, written = as_written(frame, [*columns, *wanted], name, signs)
        with errors.collect():
            features = inputs(frame, columns, name, settings, settings.categories)
        with errors.collect():
            if settings.task == "auto" and len(wanted) == 1:
                check_labels(frame[wanted[0]], name)
            target_read = as_target(target_of(frame, wanted, name), settings.task, name, wanted)
    errors.raise_all()
    single = wanted[0] if len(wanted) == 1 and settings.task == "auto" else None
    return Dataset(
        name=name,
        inputs=features,
        target=target_read,
        roles=read.roles,
        hints=() if settings.cut else unassigned_roles(frame, wanted),
        notes=(*notes, *written, *read.notes, *large_ids(frame, columns), *nearly(frame, columns, single, signs)),
    )


def _named(settings: ColumnSettings, target: Names) -> Iterator[tuple[str, str]]:
    """Every (setting, column that it names)."""
    yield from (("target", column) for column in listed(target))
    for key in ("features", "drop", *ROLES):
        yield from ((key, column) for column in listed(getattr(settings, key)))


def _taken(settings: ColumnSettings, target: Names) -> set[str]:
    """The columns that are no features."""
    return {column for key, column in _named(settings, target) if key != "features"}


def _row_names(frame: pd.DataFrame, taken: set[str]) -> list[str]:
    """The columns that only number the rows, as pandas and R write them: without a name, or called index, rownames and
    the like, with the numbers from 0 or 1 in any order. In a table sorted by its target, they would reveal the target.
    None if there is no other column to learn from."""
    free = [str(column) for column in frame.columns if column not in taken]
    named = [column for column in free if UNNAMED.fullmatch(column) or column.strip().lower() in ROW_NAMES]
    found = [column for column in named if _numbers_rows(frame[column])]
    return found if len(found) < len(free) else []


def _numbers_rows(column: pd.Series) -> bool:
    if not pd.api.types.is_numeric_dtype(column) or len(column) < 2:
        return False
    numbers = np.sort(column.to_numpy(dtype=np.float64, na_value=np.nan))
    return any(np.array_equal(numbers, np.arange(len(column)) + first) for first in (0, 1))


def _features(settings: ColumnSettings, others: list[str]) -> list[str]:
    """The columns to learn from: those named, or all `others`."""
    if settings.features is not None and settings.drop:
        text = "features names the columns to learn from, so there is nothing to drop"
        raise DataError(text, "leave drop out", "drop")
    return others if settings.features is None else listed(settings.features)


def target_of(frame: pd.DataFrame, wanted: list[str], where: str) -> NDArray[Any]:
    """The columns (N,) or (N, M) as `as_target` takes them; no value may be missing."""
    for column in wanted:
        check_complete(frame[column], where, "target")
    if len(wanted) > 1:
        return np.asarray(frame[wanted])
    target = frame[wanted[0]]
    if pd.api.types.is_numeric_dtype(target) or pd.api.types.is_bool_dtype(target):
        return np.asarray(target)
    return texts(target)
