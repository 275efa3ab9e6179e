"""Arrays in an NPZ, NPY or safetensors file: rows, sequences, images, tokens or ids; classes, numbers, tags, masks."""

import math
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from tuner.data.dataset import LAYOUTS, PADDING, UNKNOWN, Dataset, Layout, NumberSettings, Rows, WeightsFor
from tuner.data.targets import tags, targets
from tuner.errors import DataError
from tuner.sources.columns.roles import (
    WEIGHTS_FOR,
    group_codes,
    overlooked,
    row_weights,
    step_counts,
    times,
    weights_for,
)
from tuner.sources.columns.split import ROLE, read_split
from tuner.sources.readers.stored_arrays import Find, Stored, finder

FEATURES = "X"
Choice = Literal["auto", "flat", "sequence", "image", "tokens", "ids"]
Tasks = Literal["auto", "classification", "multilabel", "regression", "tagging", "segmentation"]
CUTS, ROLES = ("groups", "time", "split"), ("groups", "time", "split", "weights", "lengths")
SHAPES = {
    "flat": "(N, D)", "sequence": "(N, T, D) or (N, T)", "image": "(N, C, H, W) or (N, H, W)",
    "tokens": "(N, T)", "ids": "(N, F)", "auto": "(N, D), (N, T, D) or (N, C, H, W)",
}  # fmt: skip
DIMENSIONS = {"flat": range(2, 65), "sequence": (2, 3), "image": (3, 4), "tokens": (2,), "ids": (2,), "auto": LAYOUTS}
PLACES = {"tagging": ("step", "(N, T)", ("sequence", "tokens")), "segmentation": ("pixel", "(N, H, W)", ("image",))}


class Settings(NumberSettings):
    reads: ClassVar = ("path", "target", *ROLES)  # with an NPY file, each of these settings names another file
    name: Literal["arrays"] = "arrays"
    path: str = Field(description="the file, relative to the experiment file; an NPY file is the features")
    features: str = Field(FEATURES, description="the array of features")
    target: str = Field("y", description="the array of targets; beside an NPY file a file, as every array below")
    layout: Choice = Field("auto", description="what a row is; auto: by the dimensions, as numbers")
    lengths: str | None = Field(None, description="array (N,) of the steps of each sequence that count")
    groups: str | None = Field(None, description="array (N,) of what stays together in a fold, such as a patient")
    time: str | None = Field(None, description="array (N,) of numbers or dates: folds go forward in time")
    split: str | None = Field(None, description=f"array (N,) of {ROLE}")
    weights: str | None = Field(None, description="array (N,) of how much a row counts, numbers from 0 up")
    weights_for: WeightsFor = WEIGHTS_FOR
    task: Tasks = Field(
        "auto", description="auto: text, true/false or few whole numbers are classes; (N, L) of 0/1 are labels"
    )


def load(settings: Settings, folder: Path) -> Dataset:
    """Read the arrays that are named.

    Numbers are features (N, D), (N, T, D) or (N, C, H, W). Tokens (N, T) are whole numbers from 0 up, of which 0 is
    padding: at the end of a row it ends the text. Ids (N, F) are too, and there 0 is an id as any other. A tag or mask
    of -1 asks nothing; what stands after the end of a sequence is not read."""
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
    features, about = (_codes if layout in ("tokens", "ids") else _numbers)(settings, stored, layout, where)
    lengths = _lengths(features, roles, settings, layout, where)
    task, codes, classes = _targets(settings, target, features, layout, lengths, where)
    name = Path(settings.path).name
    split = read_split(roles, settings.split, name)
    return Dataset(
        name=name,
        task=task,
        features=features,
        targets=codes,
        feature_names=(),
        target_names=_target_names(settings.target, codes),
        classes=classes,
        scale=settings.scale,
        impute=settings.impute,
        lengths=lengths,
        groups=group_codes(roles, settings.groups, name, "groups"),
        order=times(roles, settings.time, name),
        split=split.codes,
        weights=row_weights(roles, settings.weights, name),
        weights_for=weights_for(settings.weights_for, settings.weights, name),
        hints=_others(find, names, settings, stored.shape[0]),
        notes=(*split.notes, *_doubts(settings, stored, features, layout)),
        **about,
    )


def _layout(settings: Settings, stored: Stored, where: str) -> Layout:
    """As told, or by the number of dimensions; checked against the shape and the type of the array."""
    told, dimensions = settings.layout, len(stored.shape)
    codes = told in ("tokens", "ids")
    if stored.dtype.kind not in "biuf" or dimensions not in DIMENSIONS[told]:
        text = f"{where}: '{settings.features}' is {stored.dtype} of shape {stored.shape}"
        raise DataError(text, f"{'whole ' if codes else ''}numbers of shape {SHAPES[told]}", "features")
    if settings.lengths is not None and (LAYOUTS[dimensions] if told == "auto" else told) not in ("sequence", "tokens"):
        text = f"{where}: lengths are of sequences and tokens, and '{settings.features}' has the shape {stored.shape}"
        raise DataError(text, "leave lengths out, or say layout: sequence or tokens", "lengths")
    return LAYOUTS[dimensions] if told == "auto" else told


def _numbers(
    settings: Settings, stored: Stored, layout: Layout, where: str
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """The features in the shape of their layout: one channel where the array has none."""
    rows, *sizes = stored.shape
    if layout == "flat":
        shape: tuple[int, ...] = (rows, math.prod(sizes))
    elif layout == "sequence":
        shape = (rows, *sizes) if len(sizes) == 2 else (rows, *sizes, 1)
    else:
        shape = (rows, *sizes) if len(sizes) == 3 else (rows, 1, *sizes)
    found = stored.floats(shape, 1 if layout == "image" else len(shape) - 1)
    return found.values, {"offsets": found.offsets, "coarse": found.coarse}


def _codes(settings: Settings, stored: Stored, layout: Layout, where: str) -> tuple[Rows, dict[str, Any]]:
    """Whole numbers as places in a vocabulary of those that occur: one of all tokens, or one per column of ids."""
    values = stored.read()
    wrong = np.argwhere((values < 0) | _broken(values))
    if len(wrong):
        row, column = wrong[0].tolist()
        text = f"{where}: '{settings.features}' is {values[row, column]} at row {row + 1}, column {column + 1}"
        raise DataError(text, f"{layout} are whole numbers from 0 up", "features")
    if layout == "tokens":
        shown = np.unique(values[values > 0])
        codes = np.where(values > 0, np.searchsorted(shown, values) + 2, 0)
        return codes.astype(np.int64), {"vocabularies": (_words(shown),)}
    columns = [np.unique(column, return_inverse=True) for column in values.T]
    ids = np.stack([places + 2 for _, places in columns], axis=1) if columns else np.empty(values.shape, dtype=np.int64)
    side = np.empty((len(ids), 0), dtype=np.float32) if len(columns) == 1 else None
    return ids, {"vocabularies": tuple(_words(shown) for shown, _ in columns), "side": side}


def _words(shown: NDArray[Any]) -> tuple[str, ...]:
    return (PADDING, UNKNOWN, *(str(int(code)) for code in shown))


def _lengths(
    features: NDArray[Any], roles: pd.DataFrame, settings: Settings, layout: Layout, where: str
) -> Rows | None:
    """The steps that count: as told, or of tokens all up to the last that is not padding. What follows becomes 0."""
    if settings.lengths is not None:
        lengths = step_counts(roles, settings.lengths, features.shape[1], where)
        assert lengths is not None
    elif layout == "tokens" and features.size and (features[:, -1] == 0).any():
        lengths = features.shape[1] - np.argmax(features[:, ::-1] > 0, axis=1)
        lengths[~features.any(axis=1)] = 0
    else:
        return None
    features[np.arange(features.shape[1]) >= lengths[:, None]] = 0
    return lengths.astype(np.int64)


def _targets(
    settings: Settings, target: NDArray[Any], features: NDArray[Any], layout: Layout, lengths: Rows | None, where: str
) -> tuple[Any, NDArray[np.int64] | NDArray[np.float64], tuple[str, ...]]:
    """Task, targets and classes. A class at every step or pixel must be asked for, as several numbers look alike."""
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
            raise DataError(text, f"targets {shape}; layout: {' or '.join(layouts)}", "target")
        return (settings.task, *tags(target, lengths, f"{where}: '{settings.target}'"))
    if settings.task == "auto" and whole and target.shape == wanted and target[0].size > 1:
        task = "segmentation" if layout == "image" else "tagging"
        text = f"{where}: '{settings.target}' of shape {target.shape} has a whole number at every {PLACES[task][0]}"
        raise DataError(text, f"task: {task} if they are classes, task: regression if amounts", "task")
    return targets(target, settings.task, Path(where).name)  # type: ignore[arg-type]  # two of the tasks are gone


def _broken(numbers: NDArray[Any]) -> NDArray[np.bool_]:
    """Where a number is not whole, or none at all."""
    broken: NDArray[np.bool_] = ~np.isfinite(numbers) | (numbers != np.round(numbers))
    return broken


def _target_names(name: str, codes: NDArray[Any]) -> tuple[str, ...]:
    several = codes.dtype.kind == "f" and codes.shape[1] > 1
    return tuple(f"{name}[{output}]" for output in range(codes.shape[1])) if several else (name,)


def _roles(find: Find, settings: Settings, rows: int, where: str) -> pd.DataFrame:
    """The arrays of one value per row, as columns."""
    named = {key: getattr(settings, key) for key in ROLES if getattr(settings, key) is not None}
    arrays = {name: find(name, key).read() for key, name in named.items()}
    for (key, name), array in zip(named.items(), arrays.values(), strict=False):
        if array.ndim != 1:
            raise DataError(f"{where}: '{name}' has the shape {array.shape}", "one value per row", key)
        if len(array) != rows:
            raise DataError(f"{where}: {rows} rows of features but {len(array)} of '{name}'", key=key)
    return pd.DataFrame(arrays)


def _others(find: Find, names: tuple[str, ...], settings: Settings, rows: int) -> tuple[str, ...]:
    """What arrays of one value per row that nothing names may say of cutting."""
    if any(getattr(settings, key) for key in CUTS):
        return ()
    taken, found = (settings.features, settings.target, settings.weights, settings.lengths), {}
    for name in (name for name in names if name not in taken):
        with suppress(DataError):  # nobody asked for it
            stored = find(name, "features")
            if stored.shape == (rows,):
                found[name] = stored.read()
    return overlooked(pd.DataFrame(found), ())


def _doubts(settings: Settings, stored: Stored, features: NDArray[Any], layout: Layout) -> tuple[str, ...]:
    """What is read as it stands, and may be meant otherwise."""
    if layout == "image" and len(stored.shape) == 4 and stored.shape[3] in (1, 3, 4) and stored.shape[1] > 4:
        shape = " × ".join(map(str, stored.shape[2:]))
        return (f"'{settings.features}' is read as {stored.shape[1]} channels of {shape} pixels; if the channels come "
                "last, numpy.moveaxis(X, -1, 1) puts them first",)  # fmt: skip
    if layout == "tokens" and features.size and (count := int((features[:, 0] == 0).sum())):
        return (f"{count:,} rows of '{settings.features}' begin with padding (0), which is read; at the end it is not",)
    return ()
