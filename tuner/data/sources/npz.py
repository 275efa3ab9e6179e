"""An NPZ file of arrays: features (N, D), (N, T, D) or (N, C, H, W), and a target; pickled arrays are refused."""

import zipfile
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from tuner.data.dataset import LAYOUTS, Dataset, NumberSettings, as_float32
from tuner.data.roles import group_codes, overlooked, times
from tuner.data.targets import TaskChoice, targets
from tuner.errors import DataError, did_you_mean


class Settings(NumberSettings):
    name: Literal["npz"] = "npz"
    path: str = Field(description="the file, relative to the experiment file")
    features: str = Field("X", description="the array of features")
    target: str = Field("y", description="the array of targets")
    groups: str | None = Field(None, description="array (N,) of what stays together in a fold, such as a patient")
    time: str | None = Field(None, description="array (N,) of numbers or dates: folds go forward in time")
    split: str | None = Field(None, description="array (N,) of the outer fold that tests a row")
    task: TaskChoice = Field("auto", description="auto: text, true/false or few whole numbers are classes")


def load(settings: Settings, folder: Path) -> Dataset:
    """Read both arrays; nothing in the file is executed."""
    path = folder / settings.path
    try:
        with path.open("rb") as file:
            archived = zipfile.is_zipfile(file)
        if not archived:
            raise DataError(f"{path} cannot be read as NPZ: it is not an archive", "write it with numpy.savez")
        with np.load(path, allow_pickle=False) as archive:
            features = _array(archive, settings.features, path)
            target = _array(archive, settings.target, path)
            roles = _roles(archive, settings, path)
            others = _others(archive, settings, len(target) if target.ndim else 0)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file", "dataset.path is relative to the experiment file") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, MemoryError) as error:
        reason = "holds pickled objects" if "pickle" in str(error) else f"cannot be read as NPZ: {error}"
        raise DataError(f"{path} {reason}", "write plain arrays with numpy.savez") from error
    if features.ndim not in LAYOUTS or features.dtype.kind not in "biuf":
        text = f"{path}: '{settings.features}' is {features.dtype} of shape {features.shape}"
        raise DataError(text, "numbers of shape (N, D), (N, T, D) or (N, C, H, W)")
    if target.ndim == 0 or len(features) != len(target):
        rows = len(target) if target.ndim else "none"
        raise DataError(f"{path}: {len(features)} rows of features but {rows} of targets")
    for column in roles.columns:
        if len(roles) != len(features):
            raise DataError(f"{path}: {len(features)} rows of features but {len(roles)} of '{column}'")
    task, codes, classes = targets(target, settings.task, path.name)
    return Dataset(
        name=path.name,
        task=task,
        features=as_float32(features),
        targets=codes,
        feature_names=(),
        target_names=tuple(f"{settings.target}[{i}]" for i in range(target[0].size))
        if target[0].size > 1
        else (settings.target,),
        classes=classes,
        scale=settings.scale,
        impute=settings.impute,
        groups=group_codes(roles, settings.groups, path.name, "groups"),
        order=times(roles, settings.time, path.name),
        split=group_codes(roles, settings.split, path.name, "split"),
        hints=() if len(roles.columns) else overlooked(others, ()),
    )


def _roles(archive: np.lib.npyio.NpzFile, settings: Settings, path: Path) -> pd.DataFrame:
    """The arrays that say how to cut, as columns."""
    names = [name for name in (settings.groups, settings.time, settings.split) if name is not None]
    arrays = {name: _array(archive, name, path) for name in names}
    for name, array in arrays.items():
        if array.ndim != 1 or len(array) != len(next(iter(arrays.values()))):
            raise DataError(f"{path}: '{name}' has the shape {array.shape}", "one value per row")
    return pd.DataFrame(arrays)


def _others(archive: np.lib.npyio.NpzFile, settings: Settings, rows: int) -> pd.DataFrame:
    """The arrays of one value per row that nothing names."""
    taken = (settings.features, settings.target)
    arrays = {name: archive[name] for name in archive.files if name not in taken}
    return pd.DataFrame({name: array for name, array in arrays.items() if array.shape == (rows,)})


def _array(archive: np.lib.npyio.NpzFile, key: str, path: Path) -> np.ndarray:
    if key not in archive.files:
        raise DataError(f"{path} has no array '{key}'", did_you_mean(key, archive.files))
    return archive[key]
