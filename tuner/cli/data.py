"""`tuner data FILE|SPACE`: how data was understood, and which leaks it may have."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tuner.data.dataset import Dataset
    from tuner.data.describe import Column
    from tuner.experiment.settings import Settings
    from tuner.report.tables import Table

BARS, PLAIN = " ▁▂▃▄▅▆▇█", " .:-=+*%#"  # for terminals without Unicode
MOST = 50  # columns that are shown


def command(
    what: str = typer.Argument(help="A data file or folder; or an experiment file, or the name of a shipped one."),
    target: str | None = typer.Option(None, "--target", help="The column to predict, for a table."),
) -> None:
    """Describe data as it is understood: rows, columns, types, classes, missing values, suspected leaks.

    \b
      tuner data patients.csv --target outcome
      tuner data my.yaml
    """
    from tuner.cli.console import announce, console, shown
    from tuner.data.check import check
    from tuner.data.describe import describe
    from tuner.errors import DataError, UsageError

    if target is not None and _is_space(what):
        raise UsageError(
            f"--target is for a data file, and {what} is an experiment", "leave it out, or write dataset.target in it"
        )
    announce(f"reading {what}")
    dataset, notes = _space(what) if _is_space(what) else _source(what, target)
    found, to = describe(dataset), console()
    width = max(len(name) for name, _ in found.facts)
    parts: list[Table | str] = [*notes, *(f"{name:<{width}}  {text}" for name, text in found.facts)]
    levels = BARS if to.encoding.startswith("utf") else PLAIN
    parts += ["", _table("Target", found.targets, levels)]
    parts += [_table("Features", found.features, levels)] if found.features else []
    parts += [f"note: {warning}" for warning in found.warnings]
    try:
        check(dataset)
    except DataError as error:
        for each in (error, *error.others):
            parts += [f"a search is refused: {each.message}", *([f"  = {each.hint}"] if each.hint else [])]
    print(shown(to, parts))


def _is_space(what: str) -> bool:
    return what.endswith((".yaml", ".yml")) or not (os.path.exists(what) or ":" in what)


def _space(what: str) -> tuple[Dataset, list[str]]:
    from tuner.cli.spaces import find
    from tuner.search.prepare import load_data

    path = find(what)
    dataset = load_data(path)
    return dataset, [f"{path.name}: {dataset.name}"]


def _source(what: str, target: str | None) -> tuple[Dataset, list[str]]:
    if ":" in what and not os.path.exists(what):
        settings = {"name": what, **({"target": target} if target else {})}
        return _own(settings, what), [f"dataset: {_flow(settings)}"]
    from tuner.search.contract import SOURCES, member
    from tuner.sources.forecast import as_series
    from tuner.sources.loading.cache import load
    from tuner.sources.loading.guess import guess

    found = guess(Path(what), target)
    source = member(SOURCES, found.settings["name"])
    dataset = load(source, _valid(source.Settings, found.settings, what), Path())
    lines = [f"dataset: {_flow(found.settings)}" + (f"   # {found.assumed}" if found.assumed else "")]
    series = as_series(found.settings, found.head) if found.settings["name"] == "table" else None
    return dataset, [*lines, *([f"or, to forecast it: {_flow(series)}"] if series else [])]


def _own(settings: Mapping[str, str], what: str) -> Dataset:
    """What the user's own loader returns."""
    from tuner.search.forkserver import start_forkserver

    start_forkserver()  # loads torch while this process imports the rest
    from tuner.search.catalogue import catalogue
    from tuner.search.prepare import loaded
    from tuner.search.user_code import UserCode

    with UserCode(Path()) as code:
        return loaded(_valid(catalogue(code).datasets[what], settings, what), Path(), code)


def _valid(kind: type[Settings], settings: Mapping[str, str], what: str) -> Settings:
    from pydantic import ValidationError

    from tuner.errors import UsageError

    try:
        return kind(**settings)
    except ValidationError as error:
        wrong = ", ".join(str(each["loc"][0]) for each in error.errors())
        hint = "tuner data FILE --target COLUMN; or write them into an experiment file, and: tuner data SPACE.yaml"
        raise UsageError(f"{what} is read by '{settings['name']}', which also needs: {wrong}", hint) from error


def _flow(settings: Mapping[str, str]) -> str:
    """The settings as they are written in an experiment file, in quotes where needed."""
    words = (value if _is_plain(value) else json.dumps(value, ensure_ascii=False) for value in settings.values())
    return "{" + ", ".join(f"{key}: {word}" for key, word in zip(settings, words, strict=True)) + "}"


def _is_plain(text: str) -> bool:
    """Whether a text needs no quotes in YAML, where signs, numbers, true, null and others have a meaning."""
    from ruamel.yaml import YAML

    return bool(re.fullmatch(r"[\w./][\w./ :-]*", text)) and YAML(typ="safe").load(text) == text


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
