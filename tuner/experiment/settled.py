"""Reads the sections of an experiment file without a search: dataset, resampling, search and limits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from pydantic import ValidationError

from tuner.errors import Problem
from tuner.experiment.place import Place
from tuner.experiment.reader import Reader
from tuner.experiment.sections import Limits, Resampling, Search
from tuner.experiment.settings import Alternatives, Settings
from tuner.experiment.space import Space
from tuner.experiment.yaml_file import Node, at

SECTIONS: dict[str, type[Settings]] = {"resampling": Resampling, "search": Search, "limits": Limits}


class Settled(NamedTuple):
    """The sections without a search, each as its typed value, and their problems; those that are `invalid` have their
    defaults."""

    settings: dict[str, Any]
    problems: list[Problem]
    invalid: tuple[str, ...]


def read_settled(root: Node, datasets: Alternatives) -> Settled:
    """Read the sections of a file without a search; `datasets` are the settings of the sources."""
    found: dict[str, Settings | None] = {}
    problems: list[Problem] = []
    for section in ("dataset", *SECTIONS):
        settings, wrong = _section(root, section, datasets)
        found[section] = settings
        problems += wrong
    invalid = tuple(section for section, settings in found.items() if settings is None)
    defaults = {section: SECTIONS.get(section, Settings)() for section in invalid}
    return Settled({**found, **defaults}, problems, invalid)


def _section(root: Node, section: str, datasets: Alternatives) -> tuple[Settings | None, list[Problem]]:
    """The typed value of a section without a search; None, with the problems in it, if it is not valid."""
    reader = Reader()
    reader.searchable = False
    cls = SECTIONS.get(section)
    if cls is not None:
        reader.settings(root.entries.get(section, replace(root, value={}, key=None)), cls, Place.of(section))
    elif section in root.entries:
        reader.component(root.entries[section], datasets, Place.of(section))
    else:
        reader.wrong(root, "dataset is missing", f"dataset: {{name: …}}, one of: {', '.join(datasets)}")
    if reader.problems:
        return None, reader.problems
    values = Space((), tuple(reader.fixed)).tree({}).get(section, {})
    cls = cls or datasets[values["name"]]
    try:
        return cls.model_validate(values, strict=False), []
    except ValidationError as error:
        return None, [_of_whole(root, section, error)]


def _of_whole(root: Node, section: str, error: ValidationError) -> Problem:
    """An error that concerns a whole section (of pydantic's validators), at its place."""
    own = [e for e in error.errors() if e["type"] == "value_error"] or error.errors()
    node = root.find(".".join((section, *map(str, own[0]["loc"][:1]))))
    text = own[0]["msg"].removeprefix("Value error, ")
    return at(node.key or node, f"{section}: {text}")
