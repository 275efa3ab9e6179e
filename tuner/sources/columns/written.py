"""Numbers as people write them: percentages, amounts of money, units, thousands separators, accounting brackets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tuner.data.levels import levels, texts
from tuner.errors import DataError, DataErrors
from tuner.sources.readers.numbers import MISSING
from tuner.sources.readers.settings import PLAIN, DelimitedSettings

SPACES = " \u00a0\u2009\u202f"  # plain, no-break, thin, narrow no-break
GROUPS = ",'\u2019" + SPACES  # signs between thousands; the decimal sign is a point
MINUS = "\u2212"
SIGNS = f"-+{MINUS}"
MONEY = "[$€£¥₹₽₩]|USD|EUR|GBP|CHF|JPY|CNY|INR|AUD|CAD|SEK|NOK|DKK|PLN|CZK|BRL"
CELL = re.compile(
    rf"(?P<open>\()?(?P<sign>[{SIGNS}])?(?P<money>{MONEY})?[{SPACES}]*(?P<second>[{SIGNS}])?"
    rf"(?P<digits>\d[\d.{GROUPS}]*\d|\d|\.\d+)[{SPACES}]*(?P<unit>[%‰°$€£¥₹₽₩]?[^\W\d_]*(?:/[^\W\d_]+)?[²³]?)(?P<close>\))?"
)
POINTS = ("$", "£", "¥", "₹", "USD", "GBP", "JPY", "INR", "AUD", "CAD")  # money that is written with a decimal point
SWAPPED = str.maketrans(".,", ",.")
UNITS = {  # which differ in size: a column of several has to be converted
    "%", "‰", "°", "mg", "g", "kg", "t", "lb", "oz", "mm", "cm", "m", "km", "in", "ft", "yd", "mi", "ml", "cl", "dl",
    "l", "ms", "s", "sec", "min", "h", "hr", "d", "day", "minute", "second", "hour", "week", "month", "year",
    "°C", "°F", "K", "W", "kW", "MW", "Wh", "kWh", "MWh", "V", "mV", "A", "mA", "Hz", "kHz", "MHz", "GHz",
    "B", "kB", "KB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "kJ", "J", "kcal", "cal", "Pa", "hPa", "kPa", "bar",
    "mph", "km/h", "m/s", "m²", "km²", "m³", "ha",
}  # fmt: skip
FEW = 5  # different cells, from which on they are amounts and not codes
DECIMAL_COMMA = re.compile(rf"[{SIGNS}]?(\d{{1,3}}(\.\d{{3}})+|\d+)(,\d+)?")
PAIR = re.compile(r"\d+(\.\d+)?\s*/\s*\d{1,3}(\.\d+)?")
HEX = re.compile(r"[+-]?0[xX][0-9a-fA-F]{1,16}")  # as Arrow reads it, and C, NumPy and R write it
SPAN = re.compile(  # as pandas and Python write it: 1 days 04:05:06.5, -1 day, 23:00:00
    r"(?i)(?P<days>[+-]?\d+) days?,? (?P<sign>[+-]?)(?P<h>\d{1,2}):(?P<m>[0-5]\d):(?P<s>[0-5]\d(?:[.,]\d+)?)"
)
CLOCK = re.compile(r"(?i)(\d\d?)(?::([0-5]\d)(?::([0-5]\d(?:[.,]\d+)?))?)?(?:\s?([ap])\.?m\.?)?")


class Cell(NamedTuple):
    """A cell that is written like a number: digits and their separators, the currency or unit, its sign."""

    digits: str
    unit: str
    negative: bool
    brackets: bool


def as_written(
    frame: pd.DataFrame, columns: Iterable[str], where: str, signs: DelimitedSettings = PLAIN
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The frame with columns of texts as numbers where every cell is a number that is written in the same way, and a
    note that names these columns. `columns` are those that may be numbers, with these `signs`; errors call the
    table `where`.

    Raises:
        DataError: the cells of a column have different units, or can be read in two ways.
    """
    found, notes, errors = {}, [], DataErrors()
    for column in columns:
        if pd.api.types.is_string_dtype(frame[column].dtype) or frame[column].dtype == object:
            with errors.collect():
                read = _read(frame[column], f"{where}: column '{column}'", signs)
                if read is not None:
                    found[column], how = read
                    notes.append(f"'{column}' ({how})")
    errors.raise_all()
    if not found:
        return frame, ()
    return frame.assign(**found), (f"read as numbers: {', '.join(notes)}",)


def _read(column: pd.Series, where: str, signs: DelimitedSettings) -> tuple[NDArray[np.float64], str] | None:
    """The numbers (N,), NaN where they are missing, and how they are written; None if these are words, or numbers that
    any program reads."""
    known, decimal = column.astype(object).where(column.notna(), None), signs.decimal
    first = next((cell for text in known if text is not None and (cell := _plain(text, decimal))), "")
    if not any(pattern.fullmatch(first) for pattern in (CELL, DECIMAL_COMMA, PAIR, CLOCK, HEX, SPAN)):
        return None  # most columns of words end here, without a look at all their rows
    if not all(value is None or isinstance(value, str) for value in known):
        return None
    found, codes = levels(texts(known))
    plain = {text: cell for text in dict.fromkeys(known) if text is not None and (cell := _plain(text, decimal))}
    for value, how in WHOLLY:
        values = {text: number for text in plain if (number := value(text.strip())) is not None}
        if len(values) == len(plain):
            return np.array([*(values.get(text, np.nan) for text in found), np.nan])[codes], how

    def shown(text: str) -> str:
        return f"{text!r} in data row {int(np.argmax(codes == np.flatnonzero(found == text)[0])) + 1}"

    cells = {text: read for text, cell in plain.items() if (read := _cell(cell)) is not None}
    if refused := _refused(plain, cells, shown, signs):
        raise DataError(f"{where} {refused[0]}", refused[1])
    if len(cells) < len(plain):
        return None
    dashed = any(MINUS in text for text in cells)
    if not (dashed or any(cell.unit or cell.brackets or set(cell.digits) & set(GROUPS) for cell in cells.values())):
        return None
    units = _first_texts((_singular(cell.unit), text) for text, cell in cells.items() if cell.unit or _value(cell))
    glued = any(re.search(r"\d[^\W\d_]", cell) for cell in plain.values())
    letters = len(units) > 1 and any(len(unit) == 1 and unit.isupper() for unit in units)
    named = all(unit in UNITS or re.fullmatch(MONEY, unit) for unit in units if unit)
    if (glued and (letters or not named)) or (len(units) > 1 and not named):
        return None  # parts of codes, such as 12A
    if len(units) > 1:
        first, second = list(units.values())[:2]
        raise DataError(f"{where} has different units: {shown(first)}, {shown(second)}", "convert them to one unit")
    numbers = np.array([_value(cells[text]) if text in cells else np.nan for text in found] + [np.nan])
    return numbers[codes], ", ".join(_words(list(cells.values()), decimal)) or f"{MINUS} is a minus sign"


def _plain(text: object, decimal: str) -> str:
    """The cell with a decimal point and without spaces around it; "" if it is missing."""
    cell = str(text).strip(SPACES + "\t")
    return "" if cell.lower() in MISSING else cell if decimal == "." else cell.translate(SWAPPED)


def _hours(cell: str) -> float | None:
    """A time of day, such as 13:05 or 1:05 pm, in hours; None if it is none."""
    match = CLOCK.fullmatch(cell)
    if match is None or not (match[2] or match[4]):
        return None
    hour, half = int(match[1]), (match[4] or "").lower()
    if hour > 23 or (half and not 1 <= hour <= 12):
        return None
    hour = hour % 12 + 12 * (half == "p") if half else hour
    return hour + int(match[2] or 0) / 60 + float((match[3] or "0").replace(",", ".")) / 3600


def _whole(cell: str) -> float | None:
    """A hexadecimal number, such as 0x1F; None if it is none."""
    return float(int(cell, 16)) if HEX.fullmatch(cell) else None


def _days(cell: str) -> float | None:
    """A time span, such as 1 days 04:05:06 or 04:05:06, in days; None if it is none."""
    match = SPAN.fullmatch(cell)
    if match is None:
        hours = _hours(cell) if re.fullmatch(r"\d{1,2}:\d\d:\d\d([.,]\d+)?", cell) else None
        return None if hours is None else hours / 24
    clock = (int(match["h"]) + int(match["m"]) / 60 + float(match["s"].replace(",", ".")) / 3600) / 24
    return int(match["days"]) + (-clock if match["sign"] == "-" else clock)


WHOLLY: tuple[tuple[Callable[[str], float | None], str], ...] = (  # ways in which all cells of a column may be written
    (_hours, "times of day, in hours"), (_days, "time spans, in days"), (_whole, "hexadecimal"),
)  # fmt: skip


def _singular(unit: str) -> str:
    """The unit without the s of a plural: stars and star are one."""
    single = unit.removesuffix("s")
    return single if unit not in UNITS and (single in UNITS or len(unit) > 3) else unit


def _first_texts(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The first text of each unit or sign."""
    found: dict[str, str] = {}
    for key, text in pairs:
        found.setdefault(key, text)
    return found


# parameters: the cells before and after parsing, and how a message names a cell
def _refused(
    plain: Mapping[str, str], cells: Mapping[str, Cell], shown: Callable[[str], str], given: DelimitedSettings
) -> tuple[str, str] | None:
    """Why a column of numbers cannot be read, and a hint: the other decimal sign, two numbers in a cell (120/80), or a
    sign between thousands that is not always the same, or that may be a decimal comma. `plain` has the cells with a
    decimal point, by their text."""
    amounts, decimal = len(plain) >= FEW, given.decimal
    if amounts and all(map(DECIMAL_COMMA.fullmatch, plain.values())):
        for text, cell in plain.items():
            if re.search(r",(\d{1,2}|\d{4,})$", cell):
                whole = cell.replace(".", "")
                sign, other, right = (
                    ("comma", ",", whole.replace(",", ".")) if decimal == "." else ("point", ".", whole)
                )
                return f"holds a decimal {sign}: {shown(text)}", f"decimal: '{other}', or write {right}"
    if amounts and all(map(PAIR.fullmatch, plain.values())):
        return f"holds two numbers in a cell: {shown(next(iter(plain)))}", "write them in two columns, or drop it"
    if len(cells) < len(plain):
        return None
    signs = _first_texts((sign, text) for text, cell in cells.items() for sign in cell.digits if sign in GROUPS)
    if len(signs) > 1:
        first, second = list(signs.values())[:2]
        return f"separates thousands in two ways: {shown(first)}, {shown(second)}", "use one of them"
    clear = given.thousands == "," or any(
        cell.digits.count(",") > 1 or "." in cell.digits or cell.unit in POINTS for cell in cells.values()
    )
    if "," in signs and decimal == "." and not clear:
        hint = "thousands: ',' if it separates thousands, decimal: ',' if not"
        return f"holds a comma with two meanings: {shown(signs[','])}", hint
    return None


def _cell(text: str) -> Cell | None:
    match = CELL.fullmatch(text)
    if match is None or (match["open"] is None) != (match["close"] is None):
        return None
    sign, unit = match["sign"] or match["second"], match["money"] or match["unit"]
    double = (match["sign"] and match["second"]) or (match["money"] and match["unit"]) or (match["open"] and sign)
    if double or re.match(r"0\d", match["digits"]):  # 007 is a code
        return None
    if not re.fullmatch(rf"\d+(\.\d*)?|\.\d+|\d{{1,3}}([{GROUPS}])\d{{3}}(?:\2\d{{3}})*(\.\d+)?", match["digits"]):
        return None
    return Cell(match["digits"], unit, bool(match["open"]) or sign in ("-", MINUS), bool(match["open"]))


def _value(cell: Cell) -> float:
    number = float("".join(sign for sign in cell.digits if sign not in GROUPS))
    return -number if cell.negative else number


def _words(cells: Sequence[Cell], decimal: str) -> list[str]:
    unit = max((cell.unit for cell in cells), key=bool)
    group = next((sign for cell in cells for sign in cell.digits if sign in GROUPS), None)
    sign = "a comma" if decimal == "." else "a point"
    kinds = {**dict.fromkeys(SPACES, "a space"), **dict.fromkeys("'\u2019", "an apostrophe")}
    return [
        *([f"in {unit}"] if unit else []),
        *([f"{kinds.get(group, sign)} between thousands"] if group else []),
        *(["brackets are negative"] if any(cell.brackets for cell in cells) else []),
    ]
