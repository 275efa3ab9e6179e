"""A CSV, TSV or Parquet file: one row per line, numbers and categories, missing values, one or several targets."""

import csv
import mmap
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from tuner.data.dataset import Dataset, NumberSettings, as_float32
from tuner.data.roles import group_codes, overlooked, times
from tuner.data.targets import TaskChoice, targets
from tuner.errors import DataError, did_you_mean

MISSING = frozenset({"", "na", "nan", "n/a", "null", "none", "?"})  # in a column that otherwise holds numbers
MOST_CATEGORIES = 200
ROLES = ("groups", "time", "split")


class Settings(NumberSettings):
    name: Literal["table"] = "table"
    path: str = Field(description="the file, relative to the experiment file")
    target: str | tuple[str, ...] = Field(description="the column to predict, or a list of numeric columns")
    drop: str | tuple[str, ...] = Field((), description="columns to leave out")
    groups: str | None = Field(None, description="column of what stays together in a fold, as patients; no feature")
    time: str | None = Field(None, description="column of numbers or dates: folds go forward in time; no feature")
    split: str | None = Field(None, description="column of the outer fold that tests a row; no feature")
    separator: Literal[",", ";", "\t", "|"] | None = Field(None, description="of a CSV; default ',' (tab in .tsv)")
    task: TaskChoice = Field("auto", description="auto: text, true/false or few whole numbers are classes")


def load(settings: Settings, folder: Path) -> Dataset:
    """Read the file; a column is a feature unless it is a target or dropped."""
    path = folder / settings.path
    frame = _read(path, settings)
    wanted = [settings.target] if isinstance(settings.target, str) else list(settings.target)
    dropped = [settings.drop] if isinstance(settings.drop, str) else list(settings.drop)
    roles = {key: getattr(settings, key) for key in ROLES if getattr(settings, key) is not None}
    for key, column in (*(("target", c) for c in wanted), *(("drop", c) for c in dropped), *roles.items()):
        if column not in frame.columns:
            hint = did_you_mean(column, map(str, frame.columns))
            raise DataError(f"{path.name} has no column '{column}'", hint, key)
    if len(frame) == 0:
        raise DataError(f"{path.name} has a header but no rows")
    task, codes, classes = targets(_target(frame, wanted, path.name), settings.task, path.name)
    columns = [c for c in frame.columns if c not in (*wanted, *dropped, *roles.values())]
    if not columns:
        raise DataError(f"{path.name}: no column is left as a feature")
    names: list[str] = []
    blocks, categories = [], []
    for column in columns:
        block, levels = _feature(frame[column], f"{path.name}: column '{column}'")
        if levels:
            categories.append(slice(len(names), len(names) + len(levels)))
        names += [f"{column}={level}" for level in levels] or [str(column)]
        blocks.append(block)
    return Dataset(
        name=path.name,
        task=task,
        features=np.concatenate(blocks, axis=1),
        targets=codes,
        feature_names=tuple(names),
        target_names=tuple(wanted),
        classes=classes,
        categories=tuple(categories),
        scale=settings.scale,
        impute=settings.impute,
        groups=group_codes(frame, settings.groups, path.name, "groups"),
        order=times(frame, settings.time, path.name),
        split=group_codes(frame, settings.split, path.name, "split"),
        hints=() if roles else overlooked(frame, wanted),
    )


def _read(path: Path, settings: Settings) -> pd.DataFrame:
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            return pd.read_parquet(path)
        separator = settings.separator or ("\t" if path.suffix.lower() == ".tsv" else ",")
        _check_header(path, separator)
        # everything as text: pandas would turn a class called NA into a missing value
        frame = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file", "dataset.path is relative to the experiment file", "path") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 (byte {_wrong_byte(path)})", "save it as UTF-8", "path") from error
    except (OSError, ValueError, csv.Error) as error:  # pandas' and pyarrow's parser errors are ValueErrors
        reason = " ".join(str(error).split()).removeprefix("Error tokenizing data. C error: ")
        raise DataError(f"{path} is not a readable table: {reason}", key="path") from error
    if not isinstance(frame.index, pd.RangeIndex):
        text = f"{path.name} is not a readable table: rows have more fields than the header"
        raise DataError(text, f"name every column, or end no row with {separator!r}")
    return pd.DataFrame({str(c).strip(): _typed(frame[c]) for c in frame.columns})


def _wrong_byte(path: Path) -> int:
    """Where the file stops being UTF-8; the reader's own error counts from the start of a chunk."""
    try:
        path.read_bytes().decode()
    except UnicodeDecodeError as error:
        return error.start
    return 0


def _check_header(path: Path, separator: str) -> None:
    if not path.is_file() and path.exists() and not path.is_dir():
        raise DataError(f"{path} is a device, not a file", key="path")
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        file.seek(0)
        header = [name.strip() for name in next(csv.reader(file, delimiter=separator), [])]
    if not first:
        raise DataError(f"{path.name} is empty", "the first line names the columns", "path")
    with path.open("rb") as raw, mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        if whole.find(b"\0") >= 0:  # pandas would cut there what stands in a cell
            raise DataError(f"{path} holds NUL bytes, so it is not a CSV file", key="path")
    if len(header) < 2:
        other = next((s for s in ";\t|," if s != separator and first.count(s) > 0), None)
        hint = f"dataset.separator: {other!r}" if other else "the first line names the columns"
        raise DataError(f"{path.name} has {len(header)} column(s) when split at {separator!r}", hint)
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError(f"{path.name} has two columns called '{twice[0]}'", "rename one of them")


def _typed(column: pd.Series) -> pd.Series:
    """Text as numbers where every value is one (or plainly missing); else as it stands, empty as missing."""
    text = column.str.strip()
    absent = text.str.lower().isin(MISSING)
    if not absent.all():
        numbers = pd.to_numeric(text.where(~absent), errors="coerce")
        if numbers.notna().equals(~absent):
            return numbers
    return text.where(text != "", None).astype(object)


def _target(frame: pd.DataFrame, wanted: list[str], where: str) -> NDArray[Any]:
    for column in wanted:
        missing = np.flatnonzero(frame[column].isna().to_numpy())
        if len(missing):
            text = f"{where}: the target '{column}' of data row {missing[0] + 1} is missing ({len(missing)} rows)"
            raise DataError(text, "drop those rows, or fill them in", "target")
    if len(wanted) > 1:
        return np.asarray(frame[wanted])
    target = frame[wanted[0]]
    if pd.api.types.is_numeric_dtype(target) or pd.api.types.is_bool_dtype(target):
        return np.asarray(target)
    return _texts(target)


def _feature(column: pd.Series, where: str) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """One number column, or one column per category (levels returned); missing is NaN in all of them."""
    if pd.api.types.is_datetime64_any_dtype(column):
        raise DataError(f"{where} holds dates", "drop it, or turn it into numbers")
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return as_float32(column.to_numpy(dtype=np.float64, na_value=np.nan))[:, None], ()
    missing = column.isna().to_numpy()
    if missing.all():
        raise DataError(f"{where} is empty", "leave it out with drop")
    labels = _texts(column)
    levels = np.unique(labels[~missing])
    if {level.lower() for level in levels} <= {"true", "false"}:  # as in a Parquet file, where they are no text
        truth = np.char.lower(labels) == "true"
        return np.where(missing, np.nan, truth).astype(np.float32)[:, None], ()
    if len(levels) > MOST_CATEGORIES:
        raise DataError(f"{where} has {len(levels)} different texts", "drop it: it looks like an id or free text")
    block = (labels[:, None] == levels[None, :]).astype(np.float32)
    block[missing] = np.nan
    return block, tuple(str(level) for level in levels)


def _texts(column: pd.Series) -> NDArray[np.str_]:
    """The values as text; where one is missing, pandas' own `to_numpy(dtype=str)` keeps but their first letters."""
    return np.array([str(value) for value in column], dtype=str)
