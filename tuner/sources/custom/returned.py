"""Turns what the user's own loader returned into a `Dataset`: arrays, a table, or torch's data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, IterableDataset, TensorDataset
from torch.utils.data import Dataset as TorchDataset

from tuner.data.dataset import Dataset
from tuner.data.inputs import LAYOUTS
from tuner.data.precision import EXACT_KINDS, as_numbers, narrow
from tuner.data.target import Target
from tuner.errors import DataError, did_you_mean
from tuner.sources.columns.roles import ROLES, read_roles, step_counts
from tuner.sources.columns.target import as_positions, as_target
from tuner.sources.custom.checked import check_rows, checked_dataset
from tuner.sources.readers.in_memory import plain_frame
from tuner.sources.table import ColumnSettings, of_frame

if TYPE_CHECKING:
    from tuner.sources.custom.loader import LoaderSettings

ARRAYS = ("features", "target", "groups", "time", "split", "lengths", "weights")
MAY = (
    "return (X, y) or (X, y, groups); a dict of arrays called "
    + ", ".join(ARRAYS)
    + "; a pandas DataFrame; a torch.utils.data.Dataset or a list of pairs (x, y); or tuner's own Dataset"
)
OF_ARRAYS = ("scale", "impute", "task", "weights_for")
OF_A_FRAME = ("target", *(name for name in ColumnSettings.model_fields if name not in OF_ARRAYS))


def as_dataset(returned: Any, settings: LoaderSettings, name: str) -> Dataset:
    """The data that a loader called `name` returned. Raises `DataError`."""
    if isinstance(returned, pd.DataFrame):
        if settings.target is None:
            text = f"{name} returns a table, and nothing says which column is the target"
            raise DataError(text, f"dataset.target: one of {', '.join(map(str, returned.columns[:12]))}", "target")
        return of_frame(plain_frame(returned, name), settings, settings.target, name)
    if isinstance(returned, tuple) and len(returned) in (2, 3) and isinstance(returned[0], pd.DataFrame):
        return _of_table_and_target(returned, settings, name)
    _check_unused(settings, OF_A_FRAME, name, "a DataFrame, which it does not return")
    if isinstance(returned, Dataset):
        _check_unused(settings, OF_ARRAYS, name, "data that is not yet tuner's own Dataset")
        return checked_dataset(returned, name)
    return _of_arrays(_named_arrays(returned, name), settings, name)


def _check_unused(settings: LoaderSettings, keys: Sequence[str], name: str, of: str) -> None:
    for key in keys:
        if getattr(settings, key) != type(settings).model_fields[key].default:
            raise DataError(f"{name}: dataset.{key} is of {of}", "leave it out", key)


def _of_table_and_target(returned: tuple[Any, ...], settings: LoaderSettings, name: str) -> Dataset:
    """scikit-learn's way: a table of features and a column of targets, maybe one of groups."""
    frame, target, *groups = returned
    if isinstance(target, pd.Series | pd.DataFrame):
        _check_index(frame.index, target.index, name)
    _check_unused(settings, ("target",), name, "one table with the target in it")
    columns = plain_frame(pd.DataFrame(target).reset_index(drop=True), f"{name}, y")
    check_rows(len(frame), len(columns), "targets", name)
    called = ["target" if column == "0" else str(column) for column in columns.columns]
    columns.columns = pd.Index(called)
    if taken := [column for column in called if column in map(str, frame.columns)]:
        raise DataError(f"{name}: '{taken[0]}' is both a feature and the target", "leave it out of the features")
    whole = pd.concat([plain_frame(frame, name), columns], axis=1)
    if groups:
        _check_unused(settings, ("groups",), name, "a table without groups beside it")
        check_rows(len(frame), len(np.asarray(groups[0])), "groups", name)
        whole = whole.assign(**{"groups of its rows": np.asarray(groups[0])})
        settings = settings.model_copy(update={"groups": "groups of its rows"})
    return of_frame(whole, settings, called[0] if len(called) == 1 else tuple(called), name)


def _check_index(rows: pd.Index, others: pd.Index, name: str) -> None:
    """Raise `DataError` if X and y have the same index in another order: are rows meant by their place, or their
    index?"""
    if len(rows) == len(others) and not rows.equals(others) and rows.sort_values().equals(others.sort_values()):
        text = (
            f"{name}: the index of y has the labels of X in another order, so which rows belong together is not clear"
        )
        raise DataError(text, "y = y.loc[X.index]; or, if they go by their places, y = y.set_axis(X.index)")


def _named_arrays(returned: Any, name: str) -> dict[str, NDArray[Any]]:
    """The arrays by their names, `features`, `target`, …. Raises `DataError`."""
    if isinstance(returned, TensorDataset):
        returned = returned.tensors
    if isinstance(returned, IterableDataset):
        text = f"{name} returns an {type(returned).__name__}, whose number of rows is not known"
        raise DataError(text, "return list(itertools.islice(it, 10000)), say")
    if isinstance(returned, TorchDataset | list):
        return _stacked(returned, name)
    if isinstance(returned, Mapping):
        for key in returned:
            if key not in ARRAYS:
                raise DataError(f"{name} returns a dict with '{key}'", did_you_mean(str(key), ARRAYS))
        for key in ARRAYS[:2]:
            if key not in returned:
                raise DataError(f"{name} returns a dict without '{key}'", MAY)
        return {key: _array(value, key, name) for key, value in returned.items() if value is not None}
    if isinstance(returned, tuple) and len(returned) in (2, 3):
        return {key: _array(value, key, name) for key, value in zip(ARRAYS, returned, strict=False)}
    text = f"{name} returned a value of type {type(returned).__name__}, not data"
    if isinstance(returned, tuple):
        text = f"{name} returned {len(returned)} values, not (X, y) or (X, y, groups)"
    if isinstance(returned, DataLoader):
        raise DataError(text, "return its data set, loader.dataset: the batches are tuner's")
    if isinstance(returned, tuple) and len(returned) in (4, 6):
        raise DataError(text, "return all rows: tuner splits them; a dict with 'split' names the rows of each part")
    raise DataError(text, MAY)


def _array(values: Any, key: str, name: str) -> NDArray[Any]:
    if isinstance(values, Mapping):
        keys = ", ".join(f"'{each}'" for each in list(values)[:3])
        text = f"{name}: its {key} are a dict ({keys}, …), and a model reads one array"
        raise DataError(text, "numpy.concatenate them; or return a DataFrame, whose columns have names")
    try:
        if isinstance(values, torch.Tensor):
            values = values.detach().cpu().numpy()
        if hasattr(values, "toarray"):  # scipy's sparse matrices
            values = values.toarray()
        if np.ma.is_masked(values):
            text = f"{name}: its {key} are a masked array, whose masked values would be used"
            raise DataError(text, "return its .filled(numpy.nan), and set impute")
        array = np.asarray(values)
        if key in ARRAYS[1:] and array.dtype.kind in "OU":
            _check_known(np.asarray(values, dtype=object), key, name)
        if array.dtype == object:  # as pandas keeps text; what is none of both, `as_target` refuses
            array = np.asarray(array.tolist())
    except (ValueError, TypeError, RuntimeError, MemoryError) as error:
        hint = "rows of one shape; sequences of several lengths are padded, with lengths in a dict"
        raise DataError(f"{name}: its {key} cannot be made an array: {error}", hint) from error
    return array


def _check_known(values: NDArray[Any], key: str, name: str) -> None:
    """Refuse a missing value, which would be the text "nan" among texts."""
    missing = np.argwhere(pd.isna(values))
    if len(missing):
        what = "label" if key == "target" else key.removesuffix("s")
        text = f"{name}: the {what} of data row {missing[0, 0] + 1} is missing"
        raise DataError(text, "drop that row")


def _stacked(rows: Any, name: str) -> dict[str, NDArray[Any]]:
    """The pairs (x, y) of a map-style Dataset, or of a list, as two arrays."""
    if not hasattr(rows, "__len__"):
        text = f"{name} returns a {type(rows).__name__} without __len__, so its number of rows is not known"
        raise DataError(text, "give it one")
    if len(rows) == 0:
        raise DataError(f"{name} returns no rows")
    features: NDArray[Any] = np.empty(0)
    labels: list[NDArray[Any]] = []
    for row in range(len(rows)):
        pair = rows[row]
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise DataError(f"{name}: row {row + 1} is a {type(pair).__name__}, not a pair (x, y)", MAY)
        x, y = (_array(part, f"{what} of row {row + 1}", name) for part, what in zip(pair, "xy", strict=True))
        if x.dtype.kind not in "biuf":
            raise DataError(f"{name}: x of row {row + 1} is {type(pair[0]).__name__}", "a tensor or array of numbers")
        if row == 0:
            features = np.empty((len(rows), *x.shape), dtype=x.dtype if x.dtype.name in EXACT_KINDS else np.float64)
        for part, first, what in ((x, features[0], "x"), (y, labels[0] if labels else y, "y")):
            if part.shape != first.shape:
                text = f"{name}: {what} of row {row + 1} has the shape {part.shape}, that of row 1 {first.shape}"
                raise DataError(text, "one shape for all; resize or pad them")
        if x.dtype != features.dtype and x.dtype.name not in EXACT_KINDS:
            features = features.astype(np.float64)
        features[row] = x
        labels.append(y)
    target = np.stack(labels)
    if target.dtype.kind in "OU":
        _check_known(np.stack([label.astype(object) for label in labels]), "target", name)
    return {"features": features, "target": target}


def _of_arrays(arrays: dict[str, NDArray[Any]], settings: LoaderSettings, name: str) -> Dataset:
    features = arrays["features"]
    if features.ndim not in LAYOUTS or features.dtype.kind not in "biuf":
        text = f"{name}: its features are {features.dtype} of shape {features.shape}"
        raise DataError(text, "numbers of shape (N, D), (N, T, D) or (N, C, H, W)")
    if len(features) == 0:
        raise DataError(f"{name} returns no rows")
    for key, array in arrays.items():
        check_rows(len(features), len(array) if array.ndim else 0, key, name)
        if key not in ARRAYS[:2] and array.ndim != 1:
            raise DataError(f"{name}: its {key} have the shape {array.shape}", "one value per row")
    columns = pd.DataFrame({key: arrays[key] for key in ARRAYS[2:] if key in arrays})
    told = "lengths" if "lengths" in arrays else None
    if told and features.ndim != 3:
        raise DataError(f"{name}: lengths are whole numbers beside sequences (N, T, D)", "leave them out")
    lengths = step_counts(columns, told, features.shape[1], name)
    if lengths is not None:
        features = np.where((np.arange(features.shape[1]) < lengths[:, None])[..., None], features, 0)
    narrowed = narrow(features, axis=1 if features.ndim == 4 else -1)
    roles = {role: role for role in ROLES if role in arrays}
    read = read_roles(columns, roles, name, settings.weights_for)
    dataset = Dataset(
        name=name,
        inputs=as_numbers(narrowed, settings, lengths=lengths),
        target=_target(features, arrays["target"], settings, name),
        roles=read.roles,
        notes=read.notes,
    )
    return checked_dataset(dataset, name)


def _target(features: NDArray[Any], target: NDArray[Any], settings: LoaderSettings, name: str) -> Target:
    """The target, as of a table; but whole numbers (N, H, W) with images are the classes of their pixels."""
    if target.ndim == 3 and features.ndim == 4 and target.dtype.kind in "biu":
        if target.shape[1:] != features.shape[2:]:
            raise DataError(f"{name}: images of {features.shape[2:]} pixels have targets of {target.shape[1:]}")
        return as_positions(target, None, f"{name}: its target", "target", "segmentation")
    if target.ndim > 2:
        raise DataError(f"{name}: its target has the shape {target.shape}", "(N,), (N, M); or (N, H, W) of images")
    return as_target(target, settings.task, name)
