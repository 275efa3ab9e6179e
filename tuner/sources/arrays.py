"""Arrays in an NPZ, NPY or safetensors file: rows, sequences, images, tokens or ids; classes, numbers, tags, masks."""

import math
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from tuner.data.dataset import Dataset
from tuner.data.inputs import LAYOUTS, PADDING, UNKNOWN, Ids, Inputs, Layout, Rows, Tokens
from tuner.data.precision import Narrowed, as_numbers
from tuner.data.settings import NumberSettings
from tuner.data.target import Target
from tuner.errors import DataError, either
from tuner.sources.columns.roles import ROLES, RoleSettings, read_roles, step_counts, unassigned_roles
from tuner.sources.columns.target import as_positions, as_target
from tuner.sources.loading.head import CERTAIN, Head, Sniffed
from tuner.sources.readers.stored_arrays import Find, Stored, finder

FEATURES = "X"
Choice = Literal["auto", "flat", "sequence", "image", "tokens", "ids"]
Tasks = Literal["auto", "classification", "multilabel", "regression", "tagging", "segmentation"]
SHAPES = {
    "flat": "(N, D)", "sequence": "(N, T, D) or (N, T)", "image": "(N, C, H, W) or (N, H, W)",
    "tokens": "(N, T)", "ids": "(N, F)", "auto": "(N, D), (N, T, D) or (N, C, H, W)",
}  # fmt: skip
DIMENSIONS = {"flat": range(2, 65), "sequence": (2, 3), "image": (3, 4), "tokens": (2,), "ids": (2,), "auto": LAYOUTS}
PLACES = {"tagging": ("step", "(N, T)", ("sequence", "tokens")), "segmentation": ("pixel", "(N, H, W)", ("image",))}


class Settings(NumberSettings, RoleSettings):
    reads: ClassVar = (
        "path",
        "target",
        *ROLES,
        "lengths",
    )  # with an NPY file, each of these settings names another file
    name: Literal["arrays"] = "arrays"
    path: str = Field(description="the file, relative to the experiment file; an NPY file is the features")
    features: str = Field(FEATURES, description="the array of features")
    target: str = Field("y", description="the array of targets; beside an NPY file a file, as every array below")
    layout: Choice = Field("auto", description="what a row is; auto: by the dimensions, as numbers")
    lengths: str | None = Field(None, description="array (N,) of the steps of each sequence that count")
    task: Tasks = Field(
        "auto", description="auto: text, true/false or few whole numbers are classes; (N, L) of 0/1 are labels"
    )


def load(settings: Settings, folder: Path) -> Dataset:
    """Read the arrays that are named.

    Numbers are features (N, D), (N, T, D) or (N, C, H, W). Tokens (N, T) are whole numbers from 0 up, of which 0 is
    padding: at the end of a row it ends the text. Ids (N, F) are too, and there 0 is an id as any other. A tag or mask
    of -1 is no label; what stands after the end of a sequence is not read. Raises `DataError`."""
    find, names = finder(folder, settings.path, settings.features if settings.features != FEATURES else None)
    where = str(folder / settings.path)
    stored, target = find(settings.features, "features"), find(settings.target, "target").read()
    if not stored.shape or target.ndim == 0 or len(target) != stored.shape[0]:
        rows = len(target) if target.ndim else "none"
        raise DataError(f"{where}: {(stored.shape or ('no',))[0]} rows of features but {rows} of targets", key="target")
    if 0 in (*stored.shape, *target.shape):
        what = "the target is" if 0 in target.shape else f"'{settings.features}' is"
        raise DataError(f"{where}: {what} empty")
    layout = _layout(settings, stored, where)
    roles = _roles(find, settings, stored.shape[0], where)
    lengths = None
    if settings.lengths is not None:
        lengths = step_counts(roles, settings.lengths, stored.shape[1], where)
    inputs = _inputs(settings, stored, layout, lengths, where)
    name = Path(settings.path).name
    read = read_roles(roles, settings.roles, name, settings.weights_for)
    return Dataset(
        name=name,
        inputs=inputs,
        target=_target(settings, target, inputs, where),
        roles=read.roles,
        hints=_others(find, names, settings, stored.shape[0]),
        notes=(*read.notes, *_warnings(settings, stored, inputs.array, layout)),
    )


def sniff(head: Head) -> Sniffed | None:
    """Certain for NPZ, NPY and safetensors files."""
    return Sniffed(CERTAIN) if head.suffix in (".npz", ".npy", ".safetensors") else None


def _layout(settings: Settings, stored: Stored, where: str) -> Layout:
    """The layout that the settings name, or that of the number of dimensions. Raises `DataError` if it does not fit."""
    told, dimensions = settings.layout, len(stored.shape)
    codes = told in ("tokens", "ids")
    if stored.dtype.kind not in "biuf" or dimensions not in DIMENSIONS[told]:
        text = f"{where}: '{settings.features}' is {stored.dtype} of shape {stored.shape}"
        raise DataError(text, f"{'whole ' if codes else ''}numbers of shape {SHAPES[told]}", "features")
    if settings.lengths is not None and (LAYOUTS[dimensions] if told == "auto" else told) not in ("sequence", "tokens"):
        text = f"{where}: lengths are of sequences and tokens, and '{settings.features}' has the shape {stored.shape}"
        raise DataError(text, "leave lengths out, or say layout: sequence or tokens", "lengths")
    return LAYOUTS[dimensions] if told == "auto" else told


def _inputs(settings: Settings, stored: Stored, layout: Layout, lengths: Rows | None, where: str) -> Inputs:
    """The array as inputs of that layout; steps after the end of a sequence or text become 0."""
    if layout == "ids":
        return _ids(_codes(settings, stored, layout, where))
    if layout == "tokens":
        return _tokens(_codes(settings, stored, layout, where), lengths)
    found = as_numbers(_numbers(stored, layout), settings, lengths=lengths)
    if lengths is not None:
        found.values[np.arange(found.values.shape[1]) >= lengths[:, None]] = 0
    return found


def _numbers(stored: Stored, layout: Layout) -> Narrowed:
    """The array as numbers in the shape of its layout, with one channel if it has none."""
    rows, *sizes = stored.shape
    if layout == "flat":
        shape: tuple[int, ...] = (rows, math.prod(sizes))
    elif layout == "sequence":
        shape = (rows, *sizes) if len(sizes) == 2 else (rows, *sizes, 1)
    else:
        shape = (rows, *sizes) if len(sizes) == 3 else (rows, 1, *sizes)
    return stored.floats(shape, 1 if layout == "image" else len(shape) - 1)


def _codes(settings: Settings, stored: Stored, layout: Layout, where: str) -> NDArray[Any]:
    """The array as whole numbers from 0 up. Raises `DataError`."""
    values = stored.read()
    wrong = np.argwhere((values < 0) | _broken(values))
    if len(wrong):
        row, column = wrong[0].tolist()
        text = f"{where}: '{settings.features}' is {values[row, column]} at row {row + 1}, column {column + 1}"
        raise DataError(text, f"{layout} are whole numbers from 0 up", "features")
    return values


def _tokens(values: NDArray[Any], lengths: Rows | None) -> Tokens:
    """Texts whose vocabulary is the tokens that occur. 0 is padding; at the end of a row it ends the text."""
    shown = np.unique(values[values > 0])
    codes = np.where(values > 0, np.searchsorted(shown, values) + 2, 0).astype(np.int64)
    if lengths is None and codes.size and (codes[:, -1] == 0).any():
        lengths = codes.shape[1] - np.argmax(codes[:, ::-1] > 0, axis=1)
        lengths[~codes.any(axis=1)] = 0
    if lengths is not None:
        codes[np.arange(codes.shape[1]) >= lengths[:, None]] = 0
    return Tokens(codes, _words(shown), None if lengths is None else lengths.astype(np.int64))


def _ids(values: NDArray[Any]) -> Ids:
    """Ids with a vocabulary for each column: the ids that occur in it."""
    columns = [np.unique(column, return_inverse=True) for column in values.T]
    codes = np.stack([places + 2 for _, places in columns], axis=1) if columns else np.empty(values.shape, np.int64)
    return Ids(codes, tuple(_words(shown) for shown, _ in columns))


def _words(shown: NDArray[Any]) -> tuple[str, ...]:
    return (PADDING, UNKNOWN, *(str(int(code)) for code in shown))


def _target(settings: Settings, target: NDArray[Any], inputs: Inputs, where: str) -> Target:
    """The target. A class at every step or pixel needs `task`, because it looks like several amounts."""
    layout, lengths = inputs.layout, None if isinstance(inputs, Ids) else inputs.lengths
    features = inputs.array
    places = {"sequence": features.shape[:2], "tokens": features.shape, "image": (len(features), *features.shape[2:])}
    wanted = places.get(layout)
    if target.ndim > 2 and wanted is not None and target.size == np.prod(wanted):
        target = target.reshape(wanted) if 1 in (target.shape[1], target.shape[-1]) else target
    whole = target.dtype.kind in "biu" or (target.dtype.kind == "f" and not _broken(target).any())
    if settings.task in ("tagging", "segmentation"):
        place, shape, layouts = PLACES[settings.task]
        if layout not in layouts or target.shape != wanted:
            text = (f"{where}: '{settings.target}' of shape {target.shape} has no class at every {place} of "
                    f"'{settings.features}', which is read as {layout} of shape {features.shape}")  # fmt: skip
            raise DataError(text, f"targets {shape}; layout: {either(layouts)}", "target")
        return as_positions(target, lengths, f"{where}: '{settings.target}'", settings.target, settings.task)
    if settings.task == "auto" and whole and target.shape == wanted and target[0].size > 1:
        task = "segmentation" if layout == "image" else "tagging"
        text = f"{where}: '{settings.target}' of shape {target.shape} has a whole number at every {PLACES[task][0]}"
        raise DataError(text, f"task: {task} if they are classes, task: regression if amounts", "task")
    return as_target(target, settings.task, Path(where).name, settings.target)  # type: ignore[arg-type]  # no tags


def _broken(numbers: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each number is not whole, or not finite."""
    broken: NDArray[np.bool_] = ~np.isfinite(numbers) | (numbers != np.round(numbers))
    return broken


def _roles(find: Find, settings: Settings, rows: int, where: str) -> pd.DataFrame:
    """The arrays that hold one value per row, as columns of a table."""
    named = settings.roles if settings.lengths is None else {**settings.roles, "lengths": settings.lengths}
    arrays = {name: find(name, key).read() for key, name in named.items()}
    for (key, name), array in zip(named.items(), arrays.values(), strict=False):
        if array.ndim != 1:
            raise DataError(f"{where}: '{name}' has the shape {array.shape}", "one value per row", key)
        if len(array) != rows:
            raise DataError(f"{where}: {rows} rows of features but {len(array)} of '{name}'", key=key)
    return pd.DataFrame(arrays)


def _others(find: Find, names: tuple[str, ...], settings: Settings, rows: int) -> tuple[str, ...]:
    """Hints: arrays of one value per row that no setting names, and that may tell how rows should be cut."""
    if settings.cut:
        return ()
    taken, found = (settings.features, settings.target, settings.weights, settings.lengths), {}
    for name in (name for name in names if name not in taken):
        with suppress(DataError):  # nobody asked for it
            stored = find(name, "features")
            if stored.shape == (rows,):
                found[name] = stored.read()
    return unassigned_roles(pd.DataFrame(found), ())


def _warnings(settings: Settings, stored: Stored, features: NDArray[Any], layout: Layout) -> tuple[str, ...]:
    """Notes about arrays that may be meant differently: channels last, and padding in front."""
    if layout == "image" and len(stored.shape) == 4 and stored.shape[3] in (1, 3, 4) and stored.shape[1] > 4:
        shape = " × ".join(map(str, stored.shape[2:]))
        return (f"'{settings.features}' is read as {stored.shape[1]} channels of {shape} pixels; if the channels come "
                "last, numpy.moveaxis(X, -1, 1) puts them first",)  # fmt: skip
    if layout == "tokens" and features.size and (count := int((features[:, 0] == 0).sum())):
        return (f"{count:,} rows of '{settings.features}' begin with padding (0), which is read; at the end it is not",)
    return ()
