"""Prints for the terminal at hand: its width, colours and character set."""

from __future__ import annotations

import math
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from tuner.errors import DataError, ExperimentError, StorageError, TunerError
from tuner.escapes import line, visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from tuner.report.tables import Table

CONFIGURATION = 26  # columns that a column of name=value pairs needs at least


def console(*, as_text: bool = False) -> Console:
    """Standard output through rich; control characters in data are shown, never executed. `as_text`: for a file,
    without colours and 100 columns wide."""
    from rich.console import Console as RichConsole
    from rich.segment import Segment

    class Console(RichConsole):
        def render(self, *args: Any, **more: Any) -> Iterator[Segment]:
            for text, style, control in super().render(*args, **more):
                yield Segment(text if control else visible(text), style, control)

    if as_text:
        return Console(width=100, highlight=False, emoji=False, force_terminal=False, no_color=True)
    # a terminal's width is read again for every line: windows are resized
    return Console(width=None if sys.stdout.isatty() else width(), highlight=False, emoji=False)


def print_json(found: object) -> None:
    """Print values as one JSON object, for programs."""
    import json

    print(json.dumps(_plain(found), indent=2, allow_nan=False))


def _plain(value: Any) -> Any:
    """Values that JSON has: a number that is not finite is null."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if hasattr(value, "item"):  # NumPy's
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def announce(text: str) -> None:
    """Print a line at once, before work of a second, if standard error is a terminal: a cron job needs none."""
    if sys.stderr.isatty():
        print(line(text), file=sys.stderr, flush=True)


def error_text(error: TunerError) -> str:
    """An error as it is printed: a line, and a line for the hint. Errors of an experiment file are formatted
    already."""
    if isinstance(error, ExperimentError):
        return error.message
    several = (error, *error.others) if isinstance(error, DataError) else (error,)
    return "\n".join(
        line(f"error: {each.message}") + (f"\n  = {line(each.hint)}" if each.hint else "") for each in several
    )


class Output:
    """Writes lines to standard output; if that fails, further output is discarded and the search continues."""

    def __init__(self) -> None:
        self.trouble: OSError | None = None
        self._to = sys.stdout  # kept, because `Reporters` redirects `sys.stdout`

    def say(self, text: str) -> None:
        """Print a line."""
        try:
            print(visible(text), file=self._to, flush=True)
        except BrokenPipeError:
            forget_stdout(self._to)
        except OSError as error:
            self.trouble = error
            forget_stdout(self._to)


def forget_stdout(stream: TextIO | None = None) -> None:
    """Discard what is printed from now on, so that flushing it at exit cannot fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), (stream or sys.stdout).fileno())


def not_written(error: OSError) -> StorageError:
    """The error for a standard output that can no longer be written."""
    return StorageError(f"standard output cannot be written: {error.strerror}", "send it somewhere else")


def width() -> int:
    """The columns to use: those of the terminal, or 100 without one."""
    requested = os.environ.get("COLUMNS", "")
    columns = int(requested) if requested.isdigit() else shutil.get_terminal_size((100, 24)).columns
    return max(columns, 40)


def clock(seconds: float) -> str:
    """Seconds as 45 s, 3 min, 2 h 5 min or 1 d 4 h."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes = round(whole / 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


@contextmanager
def progress() -> Iterator[Callable[[float], None]]:
    """A progress bar on standard error, if that is a terminal; call it with the share that is done."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("training", total=1.0)
        yield lambda share: bar.update(task, completed=share)


def shown(to: Console, parts: Iterable[Table | Text | str]) -> str:
    """Tables, sentences and plots as one text; for a file, without the trailing blanks that rich adds."""
    from rich.text import Text

    from tuner.report.tables import Table

    with to.capture() as captured:
        for part in parts:
            if isinstance(part, Table):
                draw(to, part)
            else:
                to.print(part if isinstance(part, Text) else Text(line(part)), soft_wrap=not to.is_terminal)
    text = captured.get().rstrip("\n")
    return text if to.is_terminal else "\n".join(line.rstrip() for line in text.splitlines())


def draw(to: Console, table: Table, left_out: Sequence[str] = ()) -> None:
    """Print a table with rich. If it does not fit, the searched values move into one column of `name=value` pairs; if
    it still does not fit, spare columns are left out, which a line below says."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table as RichTable
    from rich.text import Text

    from tuner.report.tables import cells as written

    compact = _needed(table.columns, written(table)) > to.width and len(table.columns) > table.fixed
    columns, cells = _paired(table) if compact else (table.columns, written(table))
    if compact and table.spare and _needed(columns[:-1], cells) + CONFIGURATION > to.width:
        draw(to, table.without(table.spare[0]), (*left_out, table.spare[0]))
        return
    numeric = [
        i < len(table.columns) and column != "configuration" and _numbers(row[i] for row in table.rows)
        for i, column in enumerate(columns)
    ]
    # above the table, to whose width rich would wrap it
    to.print(Text(line(table.title), style="bold"), soft_wrap=not to.is_terminal)
    rich = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
    for column, right in zip(columns, numeric, strict=True):
        rich.add_column(escape(line(column)), justify="right" if right else "left", no_wrap=column not in table.long,
                        overflow="fold")  # fmt: skip
    for number, row in enumerate(cells):
        rich.add_row(*(escape(cell) for cell in row), style="bold" if number == 0 and columns[0] == "rank" else "")
    to.print(rich)
    if left_out:
        text = f"{to.width} columns leave no room for: {', '.join(left_out)}; a wider terminal or --json shows them"
        to.print(Text(text, style="dim"), soft_wrap=not to.is_terminal)


def _needed(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> int:
    """The width of these columns with their borders."""
    return sum(max([len(column), *(len(row[i]) for row in cells)]) + 3 for i, column in enumerate(columns)) - 1


def _paired(table: Table) -> tuple[tuple[str, ...], list[list[str]]]:
    """The columns and cells, with one column `configuration` instead of the searched parameters."""
    from tuner.report.tables import cells as written

    names, cells = table.columns[table.fixed :], []
    for row, values in zip(written(table), table.rows, strict=True):
        searched = zip(names, row[table.fixed :], values[table.fixed :], strict=True)
        pairs = [f"{name}={cell}" for name, cell, value in searched if value is not None]
        cells.append([*row[: table.fixed], " ".join(pairs)])
    return (*table.columns[: table.fixed], "configuration"), cells


def _numbers(values: Iterable[object]) -> bool:
    return all(isinstance(value, int | float | None) for value in values)
