"""A data set that scikit-learn fetches and keeps: housing, forests, faces, intrusions."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from tuner.data.dataset import Dataset, as_float32
from tuner.data.inputs import Numbers
from tuner.data.settings import NumberSettings
from tuner.data.target import Classes
from tuner.experiment.settings import used_when
from tuner.sources.readers.fetched import bunch_of
from tuner.sources.readers.in_memory import plain_frame
from tuner.sources.table import ColumnSettings, of_frame

Name = Literal["california_housing", "covtype", "kddcup99", "lfw_people", "olivetti_faces"]


class Settings(NumberSettings):
    name: Literal["fetch"] = "fetch"
    set: Name = Field(description="name of the scikit-learn data set")
    faces: int | None = Field(
        None, ge=0, le=1000, description="people with so many images; default 70",
        json_schema_extra=used_when(set=("lfw_people",)),
    )  # fmt: skip


def load(settings: Settings, folder: Path) -> Dataset:
    """Fetch it, or read it from scikit-learn's cache."""
    return {
        "california_housing": _table,
        "covtype": _table,
        "kddcup99": _table,
        "lfw_people": _faces,
        "olivetti_faces": _faces,
    }[settings.set](settings)


def _table(settings: Settings) -> Dataset:
    frame = bunch_of(settings.set, as_frame=True).frame
    target = str(frame.columns[-1])
    frame = frame.apply(lambda column: column.map(_as_text) if column.dtype == object else column)
    columns = ColumnSettings(scale=settings.scale, impute=settings.impute)
    return of_frame(plain_frame(frame, settings.set), columns, target, settings.set)


def _as_text(value: Any) -> Any:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _faces(settings: Settings) -> Dataset:
    """Grey images (N, 1, H, W) from 0 to 1; the class is the person."""
    least = 70 if settings.faces is None else settings.faces
    how = {"min_faces_per_person": least} if settings.set == "lfw_people" else {}
    bunch = bunch_of(settings.set, **how)
    names = bunch.target_names if "target_names" in bunch else np.unique(bunch.target)
    return Dataset(
        name=settings.set,
        inputs=Numbers(as_float32(bunch.images)[:, None], ("grey",), scale=settings.scale, impute=settings.impute),
        target=Classes(np.asarray(bunch.target, dtype=np.int64), tuple(map(str, names)), ("person",)),
    )
