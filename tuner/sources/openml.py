"""A table of openml.org by its number or name, through scikit-learn and its cache."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from tuner.data.dataset import Dataset
from tuner.errors import DataError
from tuner.experiment.settings import GIVEN, used_when
from tuner.sources.readers.fetched import fetched
from tuner.sources.readers.in_memory import plain_frame
from tuner.sources.table import ColumnSettings, Names, of_frame

TOLD = ("Version ", "OpenML ", "Multiple active versions")  # warnings that are of the data, not of the net


class Settings(ColumnSettings):
    name: Literal["openml"] = "openml"
    id: int | None = Field(None, ge=1, description="the number of the data set, as 31 in openml.org/d/31")
    data: str | None = Field(None, description="or its name, as credit-g")
    version: int | None = Field(
        None, ge=1, description="of that name; null: the oldest that is active", json_schema_extra=used_when(data=GIVEN)
    )
    target: Names | None = Field(None, description="the column to predict; null: the set's own target")


def load(settings: Settings, folder: Path) -> Dataset:
    """Fetch it, or read it from the cache; its columns are those of a table. Raises `DataError`."""
    from sklearn.datasets import fetch_openml  # takes a second: not for the settings alone

    if (settings.id is None) == (settings.data is None):
        raise DataError("openml names a data set by its id or by its name", "id: 31, or data: credit-g", "name")
    called: dict[str, Any] = {"data_id": settings.id}
    if settings.data is not None:
        called = {"name": settings.data, "version": settings.version or "active"}
    name = f"openml {settings.id or settings.data}"
    given = ", ".join(f"{key}={value!r}" for key, value in called.items())
    bunch, messages = fetched(
        lambda: fetch_openml(**called, as_frame=True, n_retries=1, delay=0.1),
        name,
        "scikit-learn's cache",
        f"""python -c "from sklearn.datasets import fetch_openml as f; f({given.replace('"', "'")})\"""",
        "data" if settings.id is None else "id",
    )
    target = settings.target or tuple(map(str, bunch.target_names))
    if not target:
        columns = ", ".join(map(str, bunch.frame.columns[:12]))
        raise DataError(f"{name} has no target of its own", f"dataset.target: one of {columns}", "target")
    dataset = of_frame(plain_frame(bunch.frame, name), settings, target, name)
    return replace(dataset, notes=(*dataset.notes, *(text for text in messages if text.startswith(TOLD))))
