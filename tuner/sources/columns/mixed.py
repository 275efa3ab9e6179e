"""Columns of texts that are nearly numbers, dates or true/false: refused, or told, before they become categories."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tuner.data.levels import Texts, levels_of
from tuner.errors import DataError
from tuner.sources.columns.moments import moments
from tuner.sources.columns.written import as_written
from tuner.sources.readers.numbers import MISSING, typed
from tuner.sources.readers.settings import PLAIN, DelimitedSettings

CODES = "correct it, or leave it empty; if these are codes, drop the column, or begin each with a letter"
LABELS = "correct it, or drop that row; or task: classification, if these are labels"
ROW = "delete that row if it is a second header or a total; else correct the cell, or leave it empty"
COMMA = re.compile(r"^([+-]?\d*),(\d+)$")
FEW = 5  # different numbers, from which on they are amounts
TRUTHS = {"true", "false"}
TIMES = {  # what pandas infers of a column, in words
    "datetime64": "dates", "datetime": "dates", "date": "dates", "period": "periods", "time": "times of day",
    "timedelta64": "time spans", "timedelta": "time spans",
}  # fmt: skip
SHOWN = 40  # letters of a cell


def truths(found: Texts) -> NDArray[np.float64] | None:
    """The texts (L,) as 1 for true, 0 for false and NaN for what says that a value is missing; None if some text is
    something else, or none is true or false."""
    plain = [text.strip().lower() for text in found]
    if not TRUTHS & set(plain) or not set(plain) <= TRUTHS | MISSING:
        return None
    return np.array([np.nan if text in MISSING else float(text == "true") for text in plain])


def check_no_numbers(levels: Texts, codes: NDArray[np.int64], where: str, hint: str = CODES) -> None:
    """Refuse a text of which more than half of the known values are numbers, of `FEW` different values or more, with
    decimal commas or not: fewer may well be codes, such as 0, 1 and unknown. Raises `DataError` with this `hint`."""
    counts = np.bincount(codes[codes >= 0], minlength=len(levels))
    plain = pd.Series(levels, dtype=object).str.strip()
    absent = plain.str.lower().isin(MISSING).to_numpy()
    numbers = pd.to_numeric(plain.where(~absent).str.replace(COMMA, r"\1.\2", regex=True), errors="coerce")
    numeric = numbers.notna().to_numpy()
    wrong = ~absent & pd.to_numeric(plain, errors="coerce").isna().to_numpy()
    if numbers.nunique() < FEW or 2 * counts[numeric].sum() <= counts[~absent].sum() or not wrong.any():
        return
    index = int(np.flatnonzero((codes >= 0) & wrong[codes])[0])
    level = codes[index]
    told = f"{str(levels[level])!r} in data row {index + 1}"
    if numeric[level]:
        text = f"{where} holds numbers with a comma: {told}"
        point, thousands = plain[level].replace(",", "."), plain[level].replace(",", "")
        raise DataError(text, f"write {point} if the comma is decimal, {thousands} if it separates thousands")
    text = f"{where} mixes numbers and text: {told}, beside '{levels[numeric.argmax()]}'"
    raise DataError(text, ROW if counts[~numeric & ~absent].sum() == 1 else hint)


def check_labels(column: pd.Series, where: str) -> None:
    """Refuse a target of dates, times or time spans, or of numbers with a few texts among them, or of true and false of
    which some are missing, before its values become classes. Raises `DataError`."""
    kind = TIMES.get(pd.api.types.infer_dtype(column.dropna()))
    if kind is None and not _is_text(column):
        return
    found, codes = levels_of(column)
    name = f"{where}: the target '{column.name}'"
    if kind or _are_dates(found, codes):
        shown = next((text for text in found if text.strip().lower() not in MISSING), "")
        hint = "another target, or numbers; or task: classification, if each different one is a class"
        raise DataError(f"{name} holds {kind or 'dates'}, such as '{shown}'", hint, "target")
    check_no_numbers(found, codes, name, LABELS)
    truth = truths(found)
    if truth is not None and np.isnan(truth).any():
        row = int(np.flatnonzero(np.isnan(truth)[codes])[0])
        text = f"{name} is true or false, and missing in data row {row + 1} ({found[codes[row]]!r})"
        raise DataError(text, "drop those rows, or fill them in", "target")


def nearly(
    frame: pd.DataFrame, columns: Sequence[str], target: str | None, signs: DelimitedSettings = PLAIN
) -> Iterator[str]:
    """Notes about columns of texts that would be numbers, dates or true and false but for one text, which may well
    stand for a missing value: `-`, `.` or `missing`, say. Numbers have these `signs`."""
    for column in (*columns, *([target] if target else [])):
        if not _is_text(frame[column]):
            continue
        found = np.array(frame[column].dropna().unique(), dtype=object)
        odd = [index for index, text in enumerate(found) if not any(map(str.isdigit, text))]
        odd = [index for index in odd if found[index].strip().lower() not in TRUTHS | MISSING]
        if len(odd) != 1 or (others := _kind(np.delete(found, odd[0]), signs)) is None:
            continue
        sign, called = str(found[odd[0]])[:SHOWN], f"column '{column}' is read as categories"
        hint = "leave those cells empty"
        if column == target:
            called, hint = f"the target '{column}' is read as classes", "drop those rows"
        yield f"{called}: all its values but {sign!r} are {others}; if that stands for a missing value, {hint}"


def _kind(found: Texts, signs: DelimitedSettings) -> str | None:
    """What all the texts are; None if they are nothing in common but texts."""
    known = pd.Series([text for text in found if text.strip().lower() not in MISSING], dtype="str")
    if known.empty:
        return None
    if truths(found) is not None:
        return "true or false"
    if pd.api.types.is_numeric_dtype(typed(known, signs.decimal)):
        return "numbers"
    if _are_dates(found, np.arange(len(found))):
        return "dates"
    with suppress(DataError):  # numbers that can be read in two ways
        return "numbers" if as_written(known.to_frame("x"), ["x"], "", signs)[1] else None
    return "numbers"


def _are_dates(found: Texts, codes: NDArray[np.int64]) -> bool:
    """Whether most are dates, also if they can be read in two ways."""
    try:
        return moments(found, codes, "") is not None
    except DataError:
        return True


def _is_text(column: pd.Series) -> bool:
    """Whether it holds texts alone, which no type says to be categories."""
    if isinstance(column.dtype, pd.CategoricalDtype | pd.StringDtype):
        return isinstance(column.dtype, pd.StringDtype)
    return column.dtype == object and pd.api.types.infer_dtype(column.dropna()) == "string"
