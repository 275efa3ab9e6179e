"""Parallel text for translation: a TSV or CSV of pairs, or two files of as many lines."""

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from tuner.data.dataset import Dataset
from tuner.data.roles import Roles
from tuner.errors import DataError
from tuner.sources.columns.tokens import TextSettings, answers, read_texts, tokenised
from tuner.sources.loading.head import Head, Sniffed
from tuner.sources.readers.files import located
from tuner.sources.readers.frames import check_columns
from tuner.sources.readers.lines import lines_of, text_frame
from tuner.sources.readers.settings import EncodedSettings, Separator

NAMES = (
    "source", "target", "src", "tgt", "input", "output", "text", "translation", "question", "answer", "english",
    "french", "german", "spanish", "italian", "portuguese", "dutch", "russian", "chinese", "japanese", "korean",
    "arabic", "turkish", "polish", "swedish", "hindi", "en", "fr", "de", "es", "it", "pt", "nl", "ru", "zh", "ja", "ko",
    "ar", "tr", "pl", "sv", "hi", "eng", "fra", "deu", "spa", "ita", "id", "attribution", "license",
)  # fmt: skip


class Settings(TextSettings, EncodedSettings):
    reads: ClassVar = ("path", "answers")
    name: Literal["pairs"] = "pairs"
    path: str = Field(description="the file of pairs, or of what is to be translated, relative to the experiment file")
    answers: str | None = Field(None, description="the file of the translations, line by line, if it is another")
    source: str | None = Field(None, description="column to translate; default the first, called 1 without a header")
    target: str | None = Field(None, description="column of its translation; default the second")
    separator: Separator | None = Field(None, description="of columns; default ',' in .csv, a tab elsewhere")


def load(settings: Settings, folder: Path) -> Dataset:
    """Tokens of both sides. Translations of the same text stay in one fold: they would tell of each other."""
    path = located(folder, settings.path)
    given, wanted = _pairs(path, settings, folder)
    read = read_texts(given, settings, f"{path.name}, to be translated")
    texts = tokenised(wanted, settings, settings.answers or f"{path.name}, the translations")
    same = np.unique(read.codes, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return Dataset(
        name=path.name,
        inputs=read,
        target=answers(texts, settings.target or "translation"),
        roles=Roles(groups=same if len(np.unique(same)) < len(same) else None),
    )


def sniff(head: Head) -> Sniffed | None:
    """Possible for tables whose first two columns are texts."""
    if not head.table or head.free_text != (True, True):
        return None
    return Sniffed(2, head.separated, "its first two columns are a text and its translation")


def _pairs(path: Path, settings: Settings, folder: Path) -> tuple[list[str], list[str]]:
    if settings.answers is not None:
        given = lines_of(path, encoding=settings.encoding)
        wanted = lines_of(located(folder, settings.answers, "answers"), "answers", encoding=settings.encoding)
        if len(given) != len(wanted):
            text = f"{path.name} has {len(given)} lines and {settings.answers} has {len(wanted)}"
            raise DataError(text, "a line of each per pair", "answers")
        return given, wanted
    named = {key: column for key in ("source", "target") if (column := getattr(settings, key)) is not None}
    frame = text_frame(path, settings.separator, NAMES, tuple(named.values()), encoding=settings.encoding)
    check_columns(frame, named.items(), path.name)
    if len(frame.columns) < 2:
        raise DataError(f"{path.name} has one column", "two, with a tab between; or dataset.answers: FILE", "path")
    if not named:
        _check_header(frame, path)
    columns = [named.get(key, frame.columns[index]) for index, key in enumerate(("source", "target"))]
    found: list[pd.Series] = [frame[column] for column in columns]
    return found[0].tolist(), found[1].tolist()


def _check_header(frame: pd.DataFrame, path: Path) -> None:
    """A first pair of which one side is the name of a language, say, may be a header or a pair of words."""
    first = [cell.strip() for cell in frame.iloc[0, :2]]
    known = [cell for cell in first if cell.lower() in NAMES and len(cell) > 2]
    if frame.columns[0] == "1" and known and all(len(cell.split()) == 1 for cell in first):
        text = f"{path.name}: is line 1, '{first[0]}' and '{first[1]}', a header?"
        raise DataError(text, "name its columns with dataset.source and dataset.target, or if it is none, by 1 and 2",
                        "path")  # fmt: skip
