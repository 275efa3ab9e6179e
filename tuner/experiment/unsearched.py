"""Reads the sections of an experiment file whose settings are not searched: dataset, resampling, search, limits."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any, NamedTuple

from pydantic import ValidationError

from tuner.errors import Problem
from tuner.experiment.other_tools import File
from tuner.experiment.place import Place
from tuner.experiment.reader import Reader
from tuner.experiment.sections import Limits, Resampling, Search
from tuner.experiment.settings import Alternatives, Settings
from tuner.experiment.space import Space
from tuner.experiment.yaml_file import Node, at

SECTIONS: dict[str, type[Settings]] = {"resampling": Resampling, "search": Search, "limits": Limits}


class Unsearched(NamedTuple):
    """The settings of these sections, and the problems in them. Of a section that is `invalid`, these are the valid
    settings, and the defaults of the others; of a dataset that is missing or not known, none."""

    settings: dict[str, Any]
    problems: list[Problem]
    invalid: tuple[str, ...]


def read_unsearched(file: File, datasets: Alternatives, misspelt: Collection[str]) -> Unsearched:
    """Read the sections of a file whose settings are not searched.

    Args:
        file: the file.
        datasets: the settings of the sources.
        misspelt: keys that the file writes wrongly, so that they are not missing.
    """
    found: dict[str, Settings] = {}
    problems: list[Problem] = []
    invalid = []
    for section in ("dataset", *SECTIONS):
        found[section], wrong = read_section(file, section, datasets)
        problems += [] if section in misspelt and section not in file.root.entries else wrong
        invalid += [section] if wrong else []
    return Unsearched(found, problems, tuple(invalid))


def read_section(file: File, section: str, among: Alternatives) -> tuple[Settings, list[Problem]]:
    """The settings of one section, which are `among` these if it names a component, and the problems in it."""
    root, reader = file.root, Reader(file)
    reader.searchable = False
    cls = SECTIONS.get(section)
    if cls is not None:
        reader.settings(root.entries.get(section, replace(root, value={}, key=None)), cls, Place.of(section))
    elif section in root.entries:
        reader.component(root.entries[section], among, Place.of(section))
    else:
        reader.wrong(root, "dataset is missing", f"dataset: {{name: …}}, one of: {', '.join(among)}")
    values = Space((), tuple(reader.fixed)).tree({}).get(section, {})
    cls = cls or (among[values["name"]] if "name" in values else Settings)
    try:
        return cls.model_validate(values, strict=False), reader.problems
    except ValidationError as error:
        return SECTIONS.get(section, Settings)(), reader.problems or [_of_whole(root, section, error)]


def _of_whole(root: Node, section: str, error: ValidationError) -> Problem:
    """An error that concerns a whole section (of pydantic's validators), at its place."""
    own = [e for e in error.errors() if e["type"] == "value_error"] or error.errors()
    node = root.find(".".join((section, *map(str, own[0]["loc"][:1]))))
    text = own[0]["msg"].removeprefix("Value error, ")
    return at(node.key or node, f"{section}: {text}")
