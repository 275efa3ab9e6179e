"""Texts to classify or rate: CSV or TSV columns, a folder per class, a file per class of one text per line."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from tuner.data.dataset import Dataset
from tuner.data.levels import texts as as_texts
from tuner.errors import DataError
from tuner.sources.columns.roles import RoleSettings, is_role_name, read_roles, unassigned_roles
from tuner.sources.columns.target import TaskChoice, as_target
from tuner.sources.columns.tokens import TextSettings, read_tokens, tokenised
from tuner.sources.loading.head import Head, Sniffed
from tuner.sources.readers.files import PathOrPaths, all_located, inside, located, text_of
from tuner.sources.readers.frames import check_columns
from tuner.sources.readers.lines import lines_of, text_frame
from tuner.sources.readers.numbers import CODE, MISSING
from tuner.sources.readers.plain import values_of
from tuner.sources.readers.settings import EncodedSettings, Separator

TEXT = ("text", "sentence", "review", "comment", "document", "content", "message", "tweet", "title", "body",
        "review_text", "reviewtext", "review_body", "utterance", "headline")  # fmt: skip
TARGET = ("target", "label", "class", "category", "sentiment", "y", "stars", "rating", "score",
          "labels", "polarity", "mark", "points", "grade", "emotion", "topic", "intent")  # fmt: skip
OTHER = ("id", "index", "")
NAME = re.compile(r"[^\W\d][\w.-]*")  # of a column
FASTTEXT = "__label__"


class Settings(TextSettings, RoleSettings, EncodedSettings):
    reads: ClassVar = ("path", "labels")
    name: Literal["texts"] = "texts"
    path: PathOrPaths = Field(description="a file or folder, relative to the experiment file, or a list of them")
    text: str | None = Field(None, description="the column of texts; without a header columns are called 1, 2, …")
    target: str | None = Field(None, description="the column to predict")
    labels: str | None = Field(None, description="a file with a label per line, beside one with a text per line")
    classes: tuple[str, ...] | None = Field(None, description="which folders to read; default all")
    separator: Separator | None = Field(None, description="of columns; default ',' in .csv, a tab elsewhere")
    task: TaskChoice = Field("auto", description="auto: text, true/false or few whole numbers are classes")


def load(settings: Settings, folder: Path) -> Dataset:
    """Read the texts and cut each into tokens. Raises `DataError`."""
    paths = all_located(folder, settings.path)
    where = ", ".join(path.name for path in paths)
    frames = [_frame(path, settings, folder) for path in paths]
    tokens = []
    for path, each in zip(paths, frames, strict=True):  # so that an error names the row of its file
        tokens += tokenised(each["text"].tolist(), settings, path.name)
        each["target"] = _complete(each["target"], path.name)
    frame = pd.concat(frames, ignore_index=True)
    columns = {column: _of_role(frame[role], role) for role, column in settings.roles.items()}
    read = read_roles(pd.DataFrame(columns), settings.roles, where, settings.weights_for)
    return Dataset(
        name=where,
        inputs=read_tokens(tokens, settings, where),
        target=as_target(_labels(frame["target"], settings.task), settings.task, where, settings.target or "target"),
        roles=read.roles,
        hints=() if settings.cut else unassigned_roles(frame, ("text", "target"), timed=False),
        notes=(*_beside(paths), *read.notes, *(note for each in frames for note in each.attrs.get("notes", ()))),
    )


def sniff(head: Head) -> Sniffed | None:
    """Likely for tables with a column of texts and a target, and for files with a text and a label in each line;
    possible for other folders."""
    if head.folder:
        return Sniffed(1)
    if head.table:
        named = head.columns.keys() & set(TEXT) and (head.target or head.columns.keys() & set(TARGET))
        text_and_label = len(head.frame.columns) == 2 and sum(head.free_text) == 1
        return Sniffed(3, head.separated) if named or text_and_label else None
    lines = head.lines
    found = all(line.count("\t") == 1 for line in lines) or all(line.startswith(FASTTEXT) for line in lines)
    return Sniffed(4, head.encoded) if lines and found else None


def _frame(path: Path, settings: Settings, folder: Path) -> pd.DataFrame:
    """The columns `text` and `target`, those with a role, and others whose names suggest one."""
    if path.is_dir():
        return _folder(path, settings)
    if settings.labels is not None:
        texts = lines_of(path, encoding=settings.encoding)
        labels = lines_of(located(folder, settings.labels, "labels"), "labels", encoding=settings.encoding)
        if len(texts) != len(labels):
            text = f"{path.name} has {len(texts)} lines and {settings.labels} has {len(labels)}"
            raise DataError(text, "a label per text", "labels")
        return pd.DataFrame({"text": texts, "target": labels})
    asked = {"text": settings.text, "target": settings.target, **settings.roles}
    wanted = {key: column for key, column in asked.items() if column is not None}
    headers, columns = (*TEXT, *TARGET, *OTHER), tuple(wanted.values())
    frame = text_frame(path, settings.separator, headers, columns, encoding=settings.encoding)
    notes = frame.attrs.get("notes", ())
    if not wanted and len(frame.columns) == 1 and frame.iloc[:, 0].str.contains(FASTTEXT).any():
        return _fasttext(frame.iloc[:, 0], path)
    frame = _headed(frame, named=bool(wanted))
    if not wanted and _has_rare_header(frame):
        cells = " and ".join(f"'{cell.strip()}'" for cell in frame.iloc[0])
        notes += (f"{path.name}: line 1, {cells}, is taken as the header; else name its columns by 1 and 2",)
        frame = frame.iloc[1:].reset_index(drop=True).set_axis([cell.strip() for cell in frame.iloc[0]], axis=1)
    check_columns(frame, wanted.items(), path.name)
    missing = [key for key in ("text", "target") if key not in wanted]
    guessed, by_length = _guessed([name for name in frame.columns if name not in wanted.values()], missing, frame, path)
    wanted.update(guessed)
    if settings.target is None:
        _check_header(frame[wanted["target"]], path)
    others = [name for name in frame.columns if is_role_name(name) and name not in (*wanted, *wanted.values())]
    found = pd.DataFrame({key: frame[column] for key, column in (*wanted.items(), *zip(others, others, strict=True))})
    if by_length:
        text = f"{path.name}: column '{wanted['text']}', which is longer, is taken as the text"
        notes += (f"{text}, and '{wanted['target']}' as the target; else dataset.text: {wanted['target']}",)
    found.attrs["notes"] = notes
    return found


def _fasttext(lines: pd.Series, path: Path) -> pd.DataFrame:
    """fastText's format: a label and a text in each line. Raises `DataError`."""
    for number, line in enumerate(lines, start=1):
        labels = [word for word in line.split() if word.startswith(FASTTEXT)]
        if len(labels) != 1 or not line.startswith(FASTTEXT):
            found = f"the labels {' and '.join(labels)}" if len(labels) > 1 else "no label in front"
            raise DataError(f"{path.name}, line {number}: it has {found}", f"one {FASTTEXT}NAME, then the text", "path")
    parts = [line.removeprefix(FASTTEXT).partition(" ") for line in lines]
    return pd.DataFrame([(text, label) for label, _, text in parts], columns=["text", "target"])


def _headed(frame: pd.DataFrame, *, named: bool) -> pd.DataFrame:
    """The frame with its first row as header, if that is the only row without a number in some column."""
    if frame.columns[0] != "1" or len(frame) < 3:
        return frame
    first = [cell.strip() for cell in frame.iloc[0]]
    if len(set(first)) < len(first) or any(cell.lower() in MISSING for cell in first):
        return frame
    numbers = [pd.to_numeric(frame[name], errors="coerce").notna() for name in frame.columns]
    if not any(not each.iloc[0] and each.iloc[1:].all() for each in numbers):
        return frame
    rest = frame.iloc[1:].reset_index(drop=True)
    return rest if named else rest.set_axis(first, axis=1)


def _has_rare_header(frame: pd.DataFrame) -> bool:
    """Whether the first of two columns' rows is two single words, of which one is where other rows have few classes,
    and none of them this word."""
    if list(frame.columns) != ["1", "2"] or len(frame) < 3:
        return False
    first, others = frame.iloc[0].str.strip(), frame.iloc[1:]
    rare = (others[name].nunique() <= len(others) / 2 and first[name] not in set(others[name]) for name in ("1", "2"))
    return all(NAME.fullmatch(cell) for cell in first) and any(rare)


def _guessed(names: list[str], missing: list[str], frame: pd.DataFrame, path: Path) -> tuple[dict[str, str], bool]:
    """The columns that no setting names: by their usual names, or, of just as many columns, the text is no
    number and the longer one; and whether that it is longer decided."""
    known = {"text": TEXT, "target": TARGET}
    found = {key: [name for name in names if name.lower() in known[key]] for key in missing}
    if all(len(each) == 1 for each in found.values()):
        return {key: each[0] for key, each in found.items()}, False
    if len(names) != len(missing):
        text = f"{path.name} has the columns {', '.join(names)}: which is the {' and which the '.join(missing)}?"
        raise DataError(text, "name " + " and ".join(f"dataset.{key}" for key in missing), missing[0])
    numbers = {name: pd.to_numeric(frame[name], errors="coerce").notna().all() for name in names}
    first = sorted(names, key=lambda name: (numbers[name], -frame[name].str.len().sum()))
    return dict(zip(missing, first, strict=True)), len({*numbers.values()}) < len(names)


def _check_header(labels: pd.Series, path: Path) -> None:
    """Raise `DataError` if the first label is probably a header: no other row has it, and the other labels are few or
    are written in another form."""
    first, others = str(labels.iloc[0]), labels.iloc[1:]
    kinds = {_kind(str(label)) for label in others}
    odd = others.nunique() <= len(others) / 2 or (len(kinds) == 1 and _kind(first) not in kinds and len(others) > 2)
    if labels.name in ("1", "2") and first not in set(others) and odd:
        text = f"{path.name}: no other row has the label '{first}' of line 1, which looks like a header"
        raise DataError(text, "name its columns with dataset.text and dataset.target, or if it is none, by 1 and 2",
                        "path")  # fmt: skip


def _kind(label: str) -> tuple[bool, ...]:
    """The form of a label: whether it has digits, capital letters, several words."""
    return any(map(str.isdigit, label)), any(map(str.isupper, label)), len(label.split()) > 1


def _folder(path: Path, settings: Settings) -> pd.DataFrame:
    """A folder with one folder of texts per class, or with one file per class that has a text in each line."""
    found = list(inside(path, deep=False))
    folders = {each.name: each for each in found if each.is_dir()}
    if not folders:
        chosen = _chosen(_called(found), settings, path)
        lines = {name: _no_empty(lines_of(file, encoding=settings.encoding), file) for name, file in chosen.items()}
        rows = [(line, name) for name, several in lines.items() for line in several]
        ends = {line.rpartition("\t")[2] for line, _ in rows}
        if all("\t" in line for line, _ in rows) and len(ends) <= max(2, len(rows) / 20):
            text = f"the lines of {path} end in a tab and one of {len(ends)} labels, and a folder has a class per file"
            raise DataError(text, f"dataset.path: [{', '.join(f'{path.name}/{each.name}' for each in found)}]", "path")
        return pd.DataFrame(rows, columns=["text", "target"])
    rows = []
    for name, each in _chosen(folders, settings, path).items():
        files = sorted(file for file in inside(each) if not file.is_dir())
        if not files:
            raise DataError(f"the folder {each} has no files", "leave it out with dataset.classes", "path")
        for file in files:
            if not (text := text_of(file, encoding=settings.encoding)).strip():
                raise DataError(f"{file} is empty", "take it away", "path")
            rows.append((text, name))
    return pd.DataFrame(rows, columns=["text", "target"])


def _no_empty(lines: list[str], file: Path) -> list[str]:
    empty = next((row for row, line in enumerate(lines, start=1) if not line.strip()), None)
    if empty is not None:
        raise DataError(f"{file}: the text of data row {empty} is empty", "leave that row out")
    return lines


def _called(files: list[Path]) -> dict[str, Path]:
    """Each file's class, the part of its name that differs: `pos` of pos.txt, and of rt-polarity.pos."""
    stems = {file.stem for file in files}
    return {file.stem if len(stems) == len(files) else file.suffix[1:] or file.name: file for file in files}


def _chosen(found: dict[str, Path], settings: Settings, path: Path) -> dict[str, Path]:
    classes = found if settings.classes is None else settings.classes
    absent = [name for name in classes if name not in found]
    if absent or not found:
        text = f"{path} has nothing called '{absent[0]}'" if absent else f"the folder {path} is empty"
        raise DataError(text, f"it has {', '.join(found)}" if found else "a folder or file per class", "classes")
    return {name: found[name] for name in classes}


def _beside(paths: Iterable[Path]) -> tuple[str, ...]:
    """A note about files next to the folders of classes, which are not read."""
    notes = []
    for path in (each for each in paths if each.is_dir()):
        found = list(inside(path, deep=False))
        files = [each.name for each in found if not each.is_dir()]
        if 0 < len(files) < len(found):
            notes.append(f"{path.name}: the {len(files)} files beside the folders of classes are not read")
    return tuple(notes)


def _complete(column: pd.Series, where: str) -> pd.Series:
    text = column.astype(str).str.strip()
    empty = np.flatnonzero(text == "")
    if len(empty):
        raise DataError(
            f"{where}: the target of data row {empty[0] + 1} is missing ({len(empty)} of {len(text)} rows)",
            key="target",
        )
    return text


def _of_role(column: pd.Series, role: str) -> pd.Series:
    """The column of a role, which a text frame has as texts: times and weights as numbers where all are."""
    return values_of(column) if role in ("time", "weights") else column


def _labels(text: pd.Series, task: str) -> np.ndarray:
    """Labels as numbers where all are, else as text; codes such as 01 and 1E5 are numbers for a regression only."""
    numbers = pd.to_numeric(text, errors="coerce")
    if numbers.isna().any() or (task != "regression" and text.str.contains(CODE).any()):
        return as_texts(text)
    return np.asarray(numbers)
