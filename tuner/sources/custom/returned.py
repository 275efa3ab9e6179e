"""What the user's own loader may return, as a `Dataset`: arrays, a table, or torch's own kind of data."""

from __future__ import annotations

import reprlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_type_hints

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import IterableDataset, TensorDataset

from tuner.data.dataset import LAYOUTS, Dataset, Task
from tuner.data.precision import EXACT_KINDS, narrow
from tuner.data.targets import tags, targets
from tuner.errors import DataError, did_you_mean
from tuner.metrics.parts.sums import IGNORED
from tuner.sources.columns.roles import group_codes, row_weights, step_counts, times, weights_for
from tuner.sources.columns.split import read_split
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
OF_ROWS = {  # of a Dataset, if it is there
    "groups": "int64", "split": "int64", "lengths": "int64", "order": "float64", "until": "float64",
    "weights": "float64", "side": "float32", "naive": "float64", "last": "float64",
}  # fmt: skip
OF_ARRAYS = ("scale", "impute", "task", "weights_for")
DECLARED = ConfigDict(arbitrary_types_allowed=True, strict=True)
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
        return _sound(returned, name)
    return _of_arrays(_named_arrays(returned, name), settings, name)


def _sound(dataset: Dataset, name: str) -> Dataset:
    """A Dataset whose arrays torch can take, unless one is not what the docstring of `Dataset` says."""
    _check_declared(dataset, name)
    found = {key: getattr(dataset, key) for key in ("features", "targets", *OF_ROWS)}
    wanted = {"features": "int64" if dataset.vocabularies else "float32",
              "targets": "int64" if dataset.classes else "float64", **OF_ROWS}  # fmt: skip
    found = {key: array for key, array in found.items() if array is not None}
    for field, array in [*found.items()]:
        if wanted[field] == "float64" and getattr(array, "dtype", None) == np.float32:
            found[field] = array.astype(np.float64)  # exact
    for key, array in found.items():
        kind = str(getattr(array, "dtype", type(array).__name__))
        if kind != wanted[key]:
            raise DataError(f"{name} returns a Dataset with {key} of {kind}", wanted[key])
        if array.ndim not in _dimensions(dataset, key):
            raise DataError(f"{name} returns a Dataset with {key} of shape {array.shape}")
        _check_rows(len(dataset.features), len(array), key, name)
    _check_codes(dataset, name)
    _check_horizon(dataset, name)
    told = pd.DataFrame({key: found[key] for key in ("lengths", "weights") if key in found})
    step_counts(told, "lengths" if "lengths" in told else None, dataset.features.shape[1], name)
    row_weights(told, "weights" if "weights" in told else None, name)
    return replace(dataset, **{key: np.require(array, requirements=["C", "W"]) for key, array in found.items()})


def _check_declared(dataset: Dataset, name: str) -> None:
    """Everything but the arrays has its declared type."""
    for key, declared in get_type_hints(Dataset).items():
        if key not in ("features", "targets", *OF_ROWS, "offsets", "coarse"):
            value = getattr(dataset, key)
            try:
                TypeAdapter(declared, config=DECLARED).validate_python(value)
            except ValidationError as error:
                said = error.errors()[0]["msg"].removeprefix("Input should be ")
                text = f"{name} returns a Dataset whose {key} is {reprlib.repr(value)}"
                raise DataError(text, f"{said}, as the annotation {declared} says") from None


def _dimensions(dataset: Dataset, key: str) -> Collection[int]:
    """How many dimensions an array of a Dataset may have."""
    if key == "features":
        return (2,) if dataset.vocabularies else LAYOUTS
    if key == "targets":
        return (1, 2, 3) if dataset.classes else (2,)
    return (2,) if key in ("side", "naive", "last") else (1,)


def _check_codes(dataset: Dataset, name: str) -> None:
    """Every class has a name, and every code a word."""
    target, codes = dataset.targets, dataset.features
    if dataset.classes and target.size and not IGNORED <= target.min() <= target.max() < len(dataset.classes):
        text = f"{name} returns a Dataset with class codes {target.min()} … {target.max()}"
        raise DataError(text, f"it has {len(dataset.classes)} classes, so 0 … {len(dataset.classes) - 1}")
    if dataset.layout == "ids" and codes.shape[1] != len(dataset.vocabularies):
        text = f"{name} returns a Dataset with {codes.shape[1]} columns of codes and {len(dataset.vocabularies)}"
        raise DataError(f"{text} vocabularies", "one for each")
    columns = [codes] if dataset.layout == "tokens" else list(codes.T)
    for words, column in zip(dataset.vocabularies, columns, strict=False):
        if column.size and not 0 <= column.min() <= column.max() < len(words):
            text = f"{name} returns a Dataset with codes {column.min()} … {column.max()}"
            raise DataError(text, f"the vocabulary has {len(words)} words, so 0 … {len(words) - 1}")


def _check_horizon(dataset: Dataset, name: str) -> None:
    """A horizon is a part of the outputs."""

    if dataset.horizon < 1 or (not dataset.classes and dataset.outputs % dataset.horizon):
        text = f"{name} returns a Dataset with {dataset.outputs} outputs of horizon {dataset.horizon}"
        raise DataError(text, "steps times columns make the outputs")


def _check_unused(settings: LoaderSettings, keys: Sequence[str], name: str, of: str) -> None:
    for key in keys:
        if getattr(settings, key) != type(settings).model_fields[key].default:
            raise DataError(f"{name}: dataset.{key} is of {of}", "leave it out", key)


def _of_table_and_target(returned: tuple[Any, ...], settings: LoaderSettings, name: str) -> Dataset:
    """scikit-learn's way: a table of features and a column of targets, maybe one of groups."""
    frame, target, *groups = returned
    _check_unused(settings, ("target",), name, "one table with the target in it")
    columns = plain_frame(pd.DataFrame(target).reset_index(drop=True), f"{name}, y")
    _check_rows(len(frame), len(columns), "targets", name)
    called = ["target" if column == "0" else str(column) for column in columns.columns]
    columns.columns = pd.Index(called)
    if taken := [column for column in called if column in map(str, frame.columns)]:
        raise DataError(f"{name}: '{taken[0]}' is both a feature and the target", "leave it out of the features")
    whole = pd.concat([plain_frame(frame, name), columns], axis=1)
    if groups:
        _check_unused(settings, ("groups",), name, "a table without groups beside it")
        _check_rows(len(frame), len(np.asarray(groups[0])), "groups", name)
        whole = whole.assign(**{"groups of its rows": np.asarray(groups[0])})
        settings = settings.model_copy(update={"groups": "groups of its rows"})
    return of_frame(whole, settings, called[0] if len(called) == 1 else tuple(called), name)


def _named_arrays(returned: Any, name: str) -> dict[str, NDArray[Any]]:
    """Arrays by what they are."""
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
    of = f" of {len(returned)}" if isinstance(returned, tuple) else ""
    raise DataError(f"{name} returned a value of type {type(returned).__name__}{of}, not data", MAY)


def _array(values: Any, key: str, name: str) -> NDArray[Any]:
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
        if array.dtype == object:  # as pandas keeps text; what is none of both, `targets` refuses
            array = np.asarray(array.tolist())
    except (ValueError, TypeError, RuntimeError, MemoryError) as error:
        hint = "rows of one shape; sequences of several lengths are padded, with lengths in a dict"
        raise DataError(f"{name}: its {key} cannot be made an array: {error}", hint) from error
    return array


def _check_known(values: NDArray[Any], key: str, name: str) -> None:
    """Refuse a missing value, which would be the text "nan" among texts."""
    missing = np.argwhere(pd.isna(values))
    if len(missing):
        text = (
            f"{name}: the {'label' if key == 'target' else key.removesuffix('s')} of row {missing[0, 0] + 1} is missing"
        )
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
        _check_rows(len(features), len(array) if array.ndim else 0, key, name)
        if key not in ARRAYS[:2] and array.ndim != 1:
            raise DataError(f"{name}: its {key} have the shape {array.shape}", "one value per row")
    columns = pd.DataFrame({key: arrays[key] for key in ARRAYS[2:] if key in arrays})
    named = {key: key if key in arrays else None for key in ARRAYS[2:]}
    if named["lengths"] and features.ndim != 3:
        raise DataError(f"{name}: lengths are whole numbers beside sequences (N, T, D)", "leave them out")
    task, codes, classes = _targets(features, arrays["target"], settings, name)
    several = not classes and codes.shape[1] > 1
    lengths = step_counts(columns, named["lengths"], features.shape[1], name)
    if lengths is not None:
        features = np.where((np.arange(features.shape[1]) < lengths[:, None])[..., None], features, 0)
    narrowed = narrow(features, axis=1 if features.ndim == 4 else -1)
    split = read_split(columns, named["split"], name)
    dataset = Dataset(
        name=name,
        task=task,
        features=narrowed.values,
        offsets=narrowed.offsets,
        coarse=narrowed.coarse,
        targets=codes,
        feature_names=(),
        target_names=tuple(f"target[{i}]" for i in range(codes.shape[1])) if several else ("target",),
        classes=classes,
        scale=settings.scale,
        impute=settings.impute,
        groups=group_codes(columns, named["groups"], name, "groups"),
        order=times(columns, named["time"], name),
        split=split.codes,
        notes=split.notes,
        lengths=lengths,
        weights=row_weights(columns, named["weights"], name),
        weights_for=weights_for(settings.weights_for, named["weights"], name),
    )
    return _sound(dataset, name)


def _targets(
    features: NDArray[Any], target: NDArray[Any], settings: LoaderSettings, name: str
) -> tuple[Task, NDArray[np.int64] | NDArray[np.float64], tuple[str, ...]]:
    """As in a table; but whole numbers (N, H, W) beside images are the classes of their pixels, `IGNORED` none."""
    if target.ndim == 3 and features.ndim == 4 and target.dtype.kind in "biu":
        if target.shape[1:] != features.shape[2:]:
            raise DataError(f"{name}: images of {features.shape[2:]} pixels have targets of {target.shape[1:]}")
        return ("segmentation", *tags(target, None, f"{name}: its target"))
    if target.ndim > 2:
        raise DataError(f"{name}: its target has the shape {target.shape}", "(N,), (N, M); or (N, H, W) of images")
    return targets(target, settings.task, name)


def _check_rows(rows: int, others: int, of: str, name: str) -> None:
    if rows != others:
        raise DataError(f"{name}: {rows} rows of features but {others} of {of}")
