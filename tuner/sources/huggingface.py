"""A data set of the Hugging Face hub, or a folder of theirs: columns of a table, or a text; needs tuner[datasets]."""

import os
import socket
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import urlparse

import pandas as pd
from pydantic import Field

from tuner.data.dataset import Dataset
from tuner.data.settings import NumberSettings
from tuner.errors import DataError
from tuner.experiment.settings import GIVEN, used_when
from tuner.process import stay_offline
from tuner.sources.columns.target import TaskChoice, as_target
from tuner.sources.columns.tokens import TextSettings, read_texts
from tuner.sources.readers.fetched import fetched
from tuner.sources.readers.frames import check_columns, check_complete, listed
from tuner.sources.readers.in_memory import plain_frame
from tuner.sources.table import ColumnSettings, Names, of_frame, target_of

HUB = "https://huggingface.co"
OF_TABLES, OF_TEXTS = used_when(text=(None,)), used_when(text=GIVEN)
ON_DISK = ("dataset_dict.json", "state.json")  # what save_to_disk writes


class Settings(NumberSettings, TextSettings):
    inherited: ClassVar = {
        **dict.fromkeys(("scale", "impute"), OF_TABLES),
        **dict.fromkeys(("tokens", "lowercase", "max_length"), OF_TEXTS),
    }
    name: Literal["huggingface"] = "huggingface"
    path: str = Field(description="its name on the hub, as imdb; or a folder, also one that save_to_disk wrote")
    config: str | None = Field(None, description="which of its configurations, where there are several")
    split: str = Field("train", description="which of its splits; all folds are cut from it")
    text: str | None = Field(None, description="the column of texts; null: its columns are a table")
    target: Names = Field(description="the column to predict, or a list of numeric columns")
    drop: str | tuple[str, ...] = Field((), description="columns of a table to leave out", json_schema_extra=OF_TABLES)
    groups: str | None = Field(
        None, description="column of what stays together in a fold; not a feature", json_schema_extra=OF_TABLES
    )
    time: str | None = Field(
        None, description="column of times: folds go forward in time; not a feature", json_schema_extra=OF_TABLES
    )
    task: TaskChoice = Field("auto", description="auto: text, true/false or few whole numbers are classes")


def load(settings: Settings, folder: Path) -> Dataset:
    """Fetch it, or read it from the library's cache or the folder; labels are called by their names. Raises
    `DataError`."""
    name = settings.path
    loaded = _loaded(settings, folder)
    frame = loaded.to_pandas()
    for column, feature in loaded.features.items():
        if hasattr(feature, "names") and pd.api.types.is_integer_dtype(frame[column]):  # a ClassLabel; -1 is no label
            frame[column] = [feature.names[code] if code >= 0 else None for code in frame[column]]
    if settings.text is None:
        given = {key: getattr(settings, key) for key in ("drop", "groups", "time", "task", "scale", "impute")}
        return of_frame(plain_frame(frame, name), ColumnSettings(**given), settings.target, name)
    wanted = listed(settings.target)
    check_columns(frame, [("text", settings.text), *(("target", column) for column in wanted)], name)
    frame = plain_frame(frame[[settings.text, *wanted]], name)
    check_complete(frame[settings.text], name, "text")
    if not all(isinstance(text, str) for text in frame[settings.text]):
        raise DataError(f"{name}: column '{settings.text}' holds no texts", "dataset.text: COLUMN", "text")
    return Dataset(
        name=name,
        inputs=read_texts(frame[settings.text].tolist(), settings, name),
        target=as_target(target_of(frame, wanted, name), settings.task, name, wanted),
    )


def _loaded(settings: Settings, folder: Path) -> Any:
    """The rows of the split, as the library has them."""
    location = (folder / settings.path).resolve()
    if not location.is_dir():
        _know_whether_offline()
    try:
        import datasets
    except ImportError as error:
        raise DataError("the library of Hugging Face is not installed", 'pip install "tuner[datasets]"') from error
    if any((location / name).is_file() for name in ON_DISK):
        rows, _ = fetched(lambda: datasets.load_from_disk(str(location)), settings.path, "its folder", "", "path")
        if not isinstance(rows, datasets.DatasetDict):
            return rows
        if settings.split not in rows:
            raise DataError(f"{settings.path} has no split '{settings.split}'", f"one of: {', '.join(rows)}", "split")
        return rows[settings.split]
    what = str(location) if location.is_dir() else settings.path
    datasets.disable_progress_bars()
    more = f", {settings.config!r}" if settings.config else ""
    rows, _ = fetched(
        lambda: datasets.load_dataset(what, settings.config, split=settings.split),
        settings.path,
        "the cache of Hugging Face",
        f"""python -c "from datasets import load_dataset as f; f({settings.path!r}{more})\"""",
        "path",
    )
    return rows


def _know_whether_offline() -> None:
    """Without a network the library would retry for half a minute; set to offline before its import, it only looks in
    its cache."""
    try:
        socket.getaddrinfo(urlparse(os.environ.get("HF_ENDPOINT", HUB)).hostname, 443)
    except OSError:
        stay_offline()
