"""Sequences: files of the UEA and UCR archive, or a long table with a row per step (CSV, TSV, Parquet)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from tuner.data.dataset import Dataset
from tuner.data.inputs import Numbers, Rows
from tuner.data.levels import texts
from tuner.data.precision import Narrowed, as_numbers, joined, narrow
from tuner.data.roles import Roles
from tuner.data.settings import NumberSettings
from tuner.data.target import PerPosition, Target
from tuner.errors import DataError
from tuner.experiment.settings import used_when
from tuner.metrics.parts.sums import IGNORED
from tuner.sources.columns.roles import group_codes, is_role_name, times, unassigned_roles
from tuner.sources.columns.standing import unused_times
from tuner.sources.columns.target import as_target
from tuner.sources.columns.written import as_written
from tuner.sources.loading.head import CERTAIN, Head, Sniffed
from tuner.sources.readers.beginning import NUMBER
from tuner.sources.readers.files import PathOrPaths, all_located
from tuner.sources.readers.frames import DELIMITED, check_columns, check_complete, listed, read_frame
from tuner.sources.readers.lines import lines_of
from tuner.sources.readers.numbers import MISSING, numbers_of
from tuner.sources.readers.settings import DelimitedSettings
from tuner.sources.readers.ts import read_cases

ARCHIVE, TABLE = "a file of the UCR archive", "a table"
OF_TABLES = used_when(storage=(TABLE,))
FEW = 20  # lines of a first look
MANY = 10  # columns of numbers without a header
LARGEST, SHARE = 2**28, 0.02  # numbers of an array, above which less than this share may be more than padding


class Settings(NumberSettings, DelimitedSettings):
    inherited: ClassVar = dict.fromkeys([key for key in DELIMITED if key != "encoding"], OF_TABLES)
    name: Literal["sequences"] = "sequences"
    path: PathOrPaths = Field(description="the file, relative to the experiment file; or several that are put together")
    id: str | None = Field(None, description="the column that names the sequence of a row", json_schema_extra=OF_TABLES)
    time: str | None = Field(
        None, description="column that orders the steps; else they stand in order", json_schema_extra=OF_TABLES
    )
    target: str | None = Field(
        None, description="the column to predict, one value in a sequence", json_schema_extra=OF_TABLES
    )
    features: str | tuple[str, ...] = Field(
        (), description="the channels; default: all other columns", json_schema_extra=OF_TABLES
    )
    drop: str | tuple[str, ...] = Field((), description="columns to leave out", json_schema_extra=OF_TABLES)
    groups: str | None = Field(
        None, description="column of what stays together in a fold, as patients", json_schema_extra=OF_TABLES
    )
    task: Literal["auto", "classification", "regression", "tagging"] = Field(
        "auto", description="tagging: the target of every step; auto: text, true/false or few whole numbers are classes"
    )


def load(settings: Settings, folder: Path) -> Dataset:
    """Sequences (N, T, D) with 0 after their ends; all `path`s are of one kind."""
    paths = all_located(folder, settings.path)
    return _archived(settings, paths) if ARCHIVE in storage(settings, folder) else _tabled(settings, paths)


def sniff(head: Head) -> Sniffed | None:
    """Certain for `.ts` files; likely for `.tsv` files with many numbers in a line and no header."""
    if head.suffix == ".ts":
        return Sniffed(CERTAIN)
    archived = not head.folder and _is_archive(head.path, head.encoded.get("encoding"))
    return Sniffed(4) if archived and len(head.frame.columns) > MANY else None


def storage(settings: Settings, folder: Path) -> tuple[str, ...]:
    """How the sequences are stored. Raises `DataError`."""
    paths = all_located(folder, settings.path)
    kinds = {_is_archive(path, settings.encoding) for path in paths}
    if len(kinds) > 1:
        raise DataError(f"{paths[0].name} and others are of two kinds", "only .ts files, or only tables", "path")
    return (ARCHIVE if kinds.pop() else TABLE,)


def _is_archive(path: Path, encoding: str | None) -> bool:
    """Whether a file is one of the archive's: a `.ts` file, or a `.tsv` file whose first line is numbers."""
    name = path.name.lower().removesuffix(".gz")
    if not name.endswith(".tsv"):
        return name.endswith(".ts")
    first = next((line for line in lines_of(path, first=FEW, encoding=encoding) if line.strip()), "")
    label, *cells = map(str.strip, first.split("\t"))
    numbers = "," not in first and all(NUMBER.fullmatch(cell) or cell.lower() in MISSING for cell in cells)
    return len(cells) > 1 and numbers and bool(NUMBER.fullmatch(label))


def _archived(settings: Settings, paths: Sequence[Path]) -> Dataset:
    where = paths[0].name
    if settings.task == "tagging":
        raise DataError(f"{where} has one label for a sequence", "leave task out", "task")
    cases = read_cases(paths, settings.encoding)
    values = _steps_target(cases.labels)
    lengths = np.array([len(steps) for steps in cases.steps], dtype=np.int64)
    found = narrow(np.concatenate(cases.steps))
    names = [f"channel {number}" for number in range(1, found.values.shape[1] + 1)]
    return Dataset(
        name=_name(paths),
        inputs=_sequences(found, lengths, settings, names, where),
        target=as_target(values, cases.task if settings.task == "auto" else settings.task, where, "label"),
    )


def _sequences(found: Narrowed, lengths: Rows, settings: Settings, names: Sequence[str], where: str) -> Numbers:
    """Steps (ΣT, D) of one sequence after another as inputs (N, T, D)."""
    padded = replace(found, values=_padded(found.values, lengths, where, np.float32(0)))
    return as_numbers(padded, settings, names, None if (lengths == lengths[0]).all() else lengths)


@dataclass(frozen=True, eq=False)
class SequenceTable:
    """The sequences of one table: D channels (ΣT,) and the targets (ΣT,), sequence by sequence; the lengths (N,), the
    first row of each (N rows), its columns other than channels, the ids, and notes."""

    channels: tuple[NDArray[Any], ...]
    targets: pd.Series
    lengths: Rows
    first_rows: pd.DataFrame
    columns: tuple[str, ...]
    ids: frozenset[Any]
    notes: tuple[str, ...]


class Ordered(NamedTuple):
    """All rows, sequence by sequence in time (ΣT,), and the lengths of the sequences (N,)."""

    rows: Rows
    lengths: Rows

    @property
    def first(self) -> Rows:
        """The first row of each sequence (N,)."""
        return np.asarray(self.rows[np.cumsum(self.lengths) - self.lengths])


def _tabled(settings: Settings, paths: Sequence[Path]) -> Dataset:
    """Sequences in the order in which they first appear, each sorted by time. An id in two files is two sequences."""
    where, tagged = _name(paths), settings.task == "tagging"
    parts: list[SequenceTable] = []
    for path in paths:
        parts.append(_part(settings, path))
        if parts[-1].columns != parts[0].columns:
            text = f"{path.name} has other columns than {paths[0].name}"
            raise DataError(text, f"the columns {', '.join(parts[0].columns[:12])}", "path")
    columns = _channels(settings, parts[0].columns)
    lengths = np.concatenate([part.lengths for part in parts])
    starts = np.cumsum(lengths) - lengths
    asked = _steps_target(pd.concat([part.targets for part in parts], ignore_index=True))
    kind = "classification" if settings.task == "tagging" else settings.task
    target: Target = as_target(asked if tagged else asked[starts], kind, where, str(settings.target))
    if tagged:
        tags = _padded(target.values, lengths, where, np.int64(IGNORED))
        target = PerPosition(tags, target.classes, target.names, "tagging")
    first_rows = pd.concat([part.first_rows for part in parts], ignore_index=True)
    channels = _joined([part.channels for part in parts])
    return Dataset(
        name=where,
        inputs=_sequences(channels, lengths, settings, columns, where),
        target=target,
        roles=Roles(groups=group_codes(first_rows, settings.groups, where, "groups")),
        hints=() if settings.groups else unassigned_roles(first_rows, (), timed=False),
        notes=(*next((part.notes for part in parts if part.notes), ()), *_again(parts, paths, str(settings.id))),
    )


def _joined(parts: Sequence[tuple[NDArray[Any], ...]]) -> Narrowed:
    """The channels (ΣT, D) of all files, each with one offset."""
    return joined([narrow(np.concatenate(several)[:, None]) for several in zip(*parts, strict=True)])


def _part(settings: Settings, path: Path) -> SequenceTable:
    """Read one table; errors name its rows. Channels are not copied into a wider type."""
    where = path.name
    named = {key: getattr(settings, key) for key in ("id", "time", "target", "groups")}
    roles = {column for column in named.values() if column is not None}
    labels = (settings.id, settings.groups)
    frame = read_frame(path, settings, narrow=lambda name: name not in roles and not is_role_name(name), labels=labels)
    for key in ("id", "target"):
        if named[key] is None:
            text = f"{where} is a table, and nothing says which column is the {key}"
            raise DataError(text, f"{key}: one of {', '.join(map(str, frame.columns[:12]))}", key)
    wanted = [(key, column) for key, column in named.items() if column is not None]
    more = [(key, column) for key in ("drop", "features") for column in listed(getattr(settings, key))]
    check_columns(frame, [*wanted, *more], where)
    columns = _channels(settings, tuple(map(str, frame.columns)))
    if not columns:
        raise DataError(f"{where}: no column is left as a channel")
    frame, written = as_written(frame, columns, where, settings)
    ordered = _order(frame, named["id"], times(frame, settings.time, where), where)
    channels = []
    for column in columns:
        ordering = "" if settings.time else f"; or time: {column}, if it orders the steps"
        hint = f"leave it out with drop, or write it as numbers{ordering}"
        channels.append(numbers_of(frame[column], where, "features", hint)[ordered.rows])
    if settings.task == "tagging":
        check_complete(frame[named["target"]], where, "target")
    for key in ("groups",) if settings.task == "tagging" else ("target", "groups"):
        if named[key] is not None:
            _check_constant(frame, ordered, named, key, where)
    known = [*([settings.groups] if settings.groups else []), *_constant(frame, ordered, roles)]
    first_rows = frame[known].iloc[ordered.first]
    ids = frozenset(frame[named["id"]].iloc[ordered.first])
    unused = [str(name) for name in frame.columns if name not in {*roles, *listed(settings.features)}]
    unordered = () if settings.time else unused_times(frame, unused, *ordered, where)
    return SequenceTable(
        tuple(channels),
        frame[named["target"]].iloc[ordered.rows],
        ordered.lengths,
        first_rows,
        tuple(map(str, frame.columns)),
        ids,
        (*written, *unordered),
    )


def _channels(settings: Settings, columns: tuple[str, ...]) -> list[str]:
    taken = {settings.id, settings.time, settings.target, settings.groups, *listed(settings.drop)}
    return listed(settings.features) or [column for column in columns if column not in taken]


def _constant(frame: pd.DataFrame, ordered: Ordered, roles: Collection[str]) -> list[str]:
    """Columns whose names say that rows belong together, and that have one value in each sequence."""
    first = np.repeat(ordered.first, ordered.lengths)
    others = [str(column) for column in frame.columns if column not in roles and is_role_name(str(column))]
    codes = {column: pd.factorize(frame[column])[0] for column in others}
    return [column for column, code in codes.items() if np.array_equal(code[ordered.rows], code[first])]


def _again(parts: Sequence[SequenceTable], paths: Sequence[Path], column: str) -> tuple[str, ...]:
    """A note about ids that occur in several files."""
    seen: dict[Any, str] = {}
    for part, path in zip(parts, paths, strict=True):
        both = sorted((str(each), each) for each in part.ids if each in seen)
        if both:
            text = f"{column} '{both[0][0]}' is in {seen[both[0][1]]} and in {path.name} ({len(both)} such)"
            return (f"{text}: an id belongs to its file, so they are other sequences",)
        seen |= dict.fromkeys(part.ids, path.name)
    return ()


def _name(paths: Sequence[Path]) -> str:
    return paths[0].name + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")


def _order(frame: pd.DataFrame, column: str, when: NDArray[np.float64] | None, where: str) -> Ordered:
    """The rows of each sequence, named by the column, in the order of time. Raises `DataError`."""
    check_complete(frame[column], where, "id")
    codes = pd.factorize(frame[column])[0]
    if when is None:
        return Ordered(np.argsort(codes, kind="stable"), np.bincount(codes))
    order = np.lexsort((when, codes))
    same = np.flatnonzero((np.diff(codes[order]) == 0) & (np.diff(when[order]) == 0))
    if len(same):
        first, second = sorted(order[same[0] : same[0] + 2].tolist())
        text = f"{where}: data rows {first + 1} and {second + 1} have the same {column} '{frame[column].iloc[first]}'"
        raise DataError(f"{text} and the same time", "one row for each step", "time")
    return Ordered(order, np.bincount(codes))


def _check_constant(frame: pd.DataFrame, ordered: Ordered, named: Mapping[str, Any], key: str, where: str) -> None:
    """Raise `DataError` unless the column of role `key` has one value in each sequence."""
    column, of = named[key], named["id"]
    check_complete(frame[column], where, key)
    codes = pd.factorize(frame[column])[0]
    first = np.repeat(codes[ordered.first], ordered.lengths)
    if len(other := np.flatnonzero(codes[ordered.rows] != first)):
        row = ordered.rows[other[0]]
        text = f"{where}: '{column}' of {of} '{frame[of].iloc[row]}' is not constant (data row {row + 1})"
        raise DataError(
            text, "task: tagging asks for every step" if key == "target" else "one value in a sequence", key
        )


def _steps_target(values: pd.Series) -> NDArray[Any]:
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return np.asarray(values)
    return texts(values)


def _padded(steps: NDArray[Any], lengths: Rows, where: str, rest: Any) -> NDArray[Any]:
    """Steps (ΣT, …) of one sequence after another as (N, T, …), with `rest` after the ends."""
    shape = (len(lengths), int(lengths.max()), *steps.shape[1:])
    if np.prod(shape, dtype=float) > LARGEST and steps.size < SHARE * np.prod(shape, dtype=float):
        text = f"{where}: sequence {int(lengths.argmax()) + 1} has {shape[1]:,} steps, and the others are far shorter: "
        raise DataError(f"{text}padded alike they would take {np.prod(shape, dtype=float) * 4 / 2**30:,.0f} GiB",
                        "cut or drop the long ones", "path")  # fmt: skip
    padded = np.full(shape, rest, dtype=steps.dtype)
    padded[np.arange(shape[1]) < lengths[:, None]] = steps
    return padded
