"""The terminal as it is: its width, its colours, its letters."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from tuner.report.tables import Table


def console(*, as_text: bool = False) -> Console:
    """Standard output through rich; letters that it cannot show become '?', never an error.

    `as_text` is for a file: no colours, 100 columns."""
    from rich.console import Console

    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    if as_text:
        return Console(width=100, highlight=False, emoji=False, force_terminal=False, no_color=True)
    return Console(width=width(), highlight=False, emoji=False)


def forget_stdout() -> None:
    """Go on without a reader: what is printed from now on goes nowhere, and flushing it at exit fails no more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def width() -> int:
    """Columns to use: the terminal's, and 100 where there is none."""
    wished = os.environ.get("COLUMNS", "")
    columns = int(wished) if wished.isdigit() else shutil.get_terminal_size((100, 24)).columns
    return max(columns, 40)


def clock(seconds: float) -> str:
    """Seconds as 45 s, 3:20 or 2:05:00."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def draw(to: Console, table: Table) -> None:
    """A table with rich; where it does not fit, the searched values move into one column of `name=value` pairs."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table as RichTable

    from tuner.report.tables import cells as written

    cells = written(table)
    columns = list(table.columns)
    numeric = [all(isinstance(row[i], int | float | None) for row in table.rows) for i in range(len(columns))]
    needed = sum(max(len(column), *(len(row[i]) for row in cells)) + 2 for i, column in enumerate(columns))
    fixed = table.fixed
    if needed > to.width and len(columns) > fixed:
        for row, values in zip(cells, table.rows, strict=True):
            pairs = [f"{c}={v}" for c, v, raw in zip(columns[fixed:], row[fixed:], values[fixed:], strict=True)
                     if raw is not None]  # fmt: skip
            row[fixed:] = [" ".join(pairs)]
        columns[fixed:] = ["configuration"]
        numeric[fixed:] = [False]
    rich = RichTable(
        title=escape(table.title),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for column, right in zip(columns, numeric, strict=True):
        rich.add_column(escape(column), justify="right" if right else "left", no_wrap=column != "configuration")
    for number, row in enumerate(cells):
        rich.add_row(*(escape(cell) for cell in row), style="bold" if number == 0 and columns[0] == "rank" else "")
    to.print(rich)
