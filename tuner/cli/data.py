"""`tuner data FILE|SPACE`: how data was understood, and which leaks it may have."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tuner.cli.options import JSON

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tuner.data.dataset import Dataset
    from tuner.data.describe import Column
    from tuner.errors import DataError
    from tuner.experiment.settings import Settings
    from tuner.report.tables import Table

BARS, PLAIN = " ▁▂▃▄▅▆▇█", " .:-=+*%#"  # for terminals without Unicode
MOST = 50  # columns that are shown


def command(
    what: str = typer.Argument(help="A data file or folder; or an experiment file, or the name of a shipped one."),
    target: str | None = typer.Option(None, "--target", help="The column to predict, for a table."),
    drop: list[str] = typer.Option([], "--drop", help="A column of a table to leave out; may be repeated."),
    json: bool = JSON,
) -> None:
    """Describe data as it is understood: rows, columns, types, classes, missing values, suspected leaks.

    \b
      tuner data patients.csv --target outcome
      tuner data my.yaml
    """
    from tuner.cli.console import announce, console, print_json, shown
    from tuner.data.describe import describe
    from tuner.errors import UsageError

    for option, value in (("target", target), ("drop", drop)):
        if value and _is_space(what):
            text = f"--{option} is for a data file, and {what} is an experiment"
            raise UsageError(text, f"leave it out, or write dataset.{option} in it")
    announce(f"reading {what}")
    dataset, notes = _space(what) if _is_space(what) else _source(what, target, drop)
    found, to, refused = describe(dataset), console(), _refused(dataset)
    if json:
        print_json({"lines": notes, **asdict(found), "refused": [each.message for each in refused]})
        return
    width = max(len(name) for name, _ in found.facts)
    parts: list[Table | str] = [*notes, *(f"{name:<{width}}  {text}" for name, text in found.facts)]
    levels = BARS if to.encoding.startswith("utf") else PLAIN
    parts += ["", _table("Target", found.targets, levels)]
    parts += [_table("Features", found.features, levels)] if found.features else []
    parts += [f"note: {warning}" for warning in found.warnings]
    for each in refused:
        parts += [f"a search is refused: {each.message}", *([f"  = {each.hint}"] if each.hint else [])]
    print(shown(to, parts))


def _refused(dataset: Dataset) -> list[DataError]:
    """Why a search would refuse the data."""
    from tuner.data.check import check
    from tuner.errors import DataError

    try:
        check(dataset)
    except DataError as error:
        return [error, *error.others]
    return []


def _is_space(what: str) -> bool:
    return what.endswith((".yaml", ".yml")) or not (os.path.exists(what) or ":" in what)


def _space(what: str) -> tuple[Dataset, list[str]]:
    from tuner.cli.spaces import find
    from tuner.search.prepare import load_data

    path = find(what)
    dataset = load_data(path)
    return dataset, [f"{path.name}: {dataset.name}"]


def _source(what: str, target: str | None, drop: Sequence[str]) -> tuple[Dataset, list[str]]:
    from tuner.experiment.flow import flow

    if ":" in what and not os.path.exists(what):
        settings = {"name": what, **({"target": target} if target else {}), **_dropped(drop)}
        return _own(settings, what), [f"dataset: {flow(settings)}"]
    from tuner.errors import ManyTextsError
    from tuner.search.contract import SOURCES, member
    from tuner.sources.forecast import as_series
    from tuner.sources.loading.cache import load
    from tuner.sources.loading.guess import guess

    found = guess(Path(what), target)
    settings, notes = {**found.settings, **_dropped(drop)}, []
    source = member(SOURCES, settings["name"])
    try:
        dataset = load(source, _valid(source.Settings, settings, what), Path())
    except ManyTextsError as error:
        several = [each for each in (error, *error.others) if isinstance(each, ManyTextsError)]
        if len(several) <= len(error.others):  # other errors would remain
            raise
        settings |= _dropped([*drop, *(each.column for each in several)])
        notes = [f"left out here: {each.message}; {each.hint}" for each in several]
        dataset = load(source, _valid(source.Settings, settings, what), Path())
    series = as_series(settings, found.head) if settings["name"] == "table" else None
    forecast = [f"or, to forecast it: {flow(series)}"] if series else []
    line = f"dataset: {flow(settings)}" + (f"   # {found.assumed}" if found.assumed else "")
    return dataset, [line, *forecast, *notes]


def _dropped(columns: Sequence[str]) -> dict[str, Any]:
    return {"drop": columns[0] if len(columns) == 1 else tuple(columns)} if columns else {}


def _own(settings: Mapping[str, Any], what: str) -> Dataset:
    """What the user's own loader returns."""
    from tuner.search.forkserver import start_forkserver

    start_forkserver()  # loads torch while this process imports the rest
    from tuner.search.catalogue import catalogue
    from tuner.search.prepare import loaded
    from tuner.search.user_code import UserCode

    with UserCode(Path()) as code:
        return loaded(_valid(catalogue(code).datasets[what], settings, what), Path(), code)


def _valid(kind: type[Settings], settings: Mapping[str, Any], what: str) -> Settings:
    from pydantic import ValidationError

    from tuner.errors import UsageError

    try:
        return kind(**settings)
    except ValidationError as error:
        if more := [str(each["loc"][0]) for each in error.errors() if each["type"] == "extra_forbidden"]:
            raise UsageError(
                f"{what} is read by '{settings['name']}', which has no {', '.join(more)}", "leave it out"
            ) from error
        wrong = ", ".join(str(each["loc"][0]) for each in error.errors())
        hint = "tuner data FILE --target COLUMN; or write them into an experiment file, and: tuner data SPACE.yaml"
        raise UsageError(f"{what} is read by '{settings['name']}', which also needs: {wrong}", hint) from error


def _table(title: str, columns: Sequence[Column], levels: str) -> Table:
    from tuner.report.tables import Table

    rows = tuple((c.name, c.kind, c.missing or None, bars(c.histogram, levels), c.values) for c in columns[:MOST])
    more = f" (the first {MOST} of {len(columns):,})" if len(columns) > MOST else ""
    heads = ("column", "type", "missing", "histogram", "values")
    return Table(title + more, heads, rows, len(heads), ("missing",), long=("values", "column"))


def bars(counts: Sequence[int], levels: str) -> str:
    """A histogram in one line: the highest bar is full, and every bar that is not empty is visible."""
    most = max(counts, default=0)
    return "".join(levels[-(-count * (len(levels) - 1) // most)] for count in counts) if most else ""
