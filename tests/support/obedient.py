"""A user who corrects a file by the hints of its errors alone, and knows nothing else of tuner."""

import json
import re
from pathlib import Path
from typing import Any

from tuner.errors import ExperimentError
from tuner.experiment.yaml_file import read
from tuner.search.prepare import prepare

SECTIONS = {"dataset", "model", "training", "metric", "resampling", "search", "limits", "constraints"}
LEFT_OUT = ("leave it out", "on the command line: ")
LINE = re.compile(r"(?:[,;]? ?(?:and )?)(\w+): ")
PLAIN = re.compile(r'"[^"]*"|[^\s,;:]+')
TARGET = "ripe"  # the column that the user knows to be the target of their own table


def problems_of(path):
    """The problems of an experiment file, with those that its data shows; empty if a search could start."""
    try:
        prepare(path)
    except ExperimentError as error:
        assert error.problems, error
        return sorted(error.problems)
    return []


def correct(path, problems):
    """Rewrite the file as the hints of its problems say; an `AssertionError` tells what a person could not do."""
    root = read(path).root
    tree = root.plain()
    additions: list[tuple[tuple[str, ...], str, Any]] = []
    for problem in problems:
        assert problem.hint, f"no hint: {problem.message}"
        _follow(tree, problem, _path_of(root, problem), additions)
    for above, key, value in additions:
        _add(_inside(tree, above), key, value)
    path.write_text(json.dumps(tree), encoding="utf-8")


def _path_of(node, problem, path=()):
    """The path of the entry whose key or value stands where the problem is; () for the whole file."""
    for key, entry in node.entries.items():
        if found := _path_of(entry, problem, (*path, key)):  # a mapping begins where its first key does
            return found
        if (problem.line, problem.column) in [(each.line, each.column) for each in (entry.key, entry)]:
            return (*path, key)
    return ()


def _follow(tree, problem, path, additions):
    """Change the entry at the path as the hint says; what belongs elsewhere is added to `additions`."""
    above, unknown = _inside(tree, path[:-1]), problem.message.startswith("unknown key")
    if problem.hint.startswith(LEFT_OUT):
        del above[path[-1]]
    elif meant := re.match(r"did you mean '(\w+)'\?", problem.hint):
        if unknown:
            additions.append((path[:-1], meant[1], above.pop(path[-1])))
        else:
            above[path[-1]] = meant[1]
    else:
        lines = list(_lines(problem.hint.removeprefix("write ")))
        assert lines, f"no line to write: {problem.message}: {problem.hint}"
        if unknown or lines[0][0] != path[-1]:
            del above[path[-1]]
        for key, value in lines:
            if key == path[-1] and not unknown:
                above[key] = value
            else:
                additions.append((() if key in SECTIONS else path[:-1], key, value))


def _inside(tree, path):
    for key in path:
        tree = tree.setdefault(key, {})
    return tree


def _lines(hint):
    """The lines `key: value` with which a hint begins, separated by commas or semicolons."""
    while found := LINE.match(hint):
        rest = hint[found.end() :]
        text = _value(rest)
        assert "…" not in text, f"to be filled in: {found[1]}: {text}"
        yield found[1], read(Path("hint"), f"value: {text.replace('COLUMN', TARGET)}").root.plain()["value"]
        hint = rest[len(text) :]


def _value(text):
    """The value that a text begins with: to its closing bracket, or to the next comma, colon or semicolon."""
    depth = 0
    for end, sign in enumerate(text, 1):
        depth += (sign in "[{") - (sign in "]}")
        if not depth:
            return text[:end] if end > 1 else PLAIN.findall(text)[0]
    raise AssertionError(f"no closing bracket: {text}")


def _add(mapping, key, value):
    """Add an entry; mappings are merged, and a name or several are the same as with settings."""
    present = mapping.get(key)
    plain, settings = (value, present) if isinstance(present, dict) else (present, value)
    if present is None or present == value:
        mapping[key] = value
    elif isinstance(plain, dict):
        for inner in value:
            _add(present, inner, value[inner])
    elif isinstance(settings, dict) and plain == list(settings.get("choose", ())):
        mapping[key] = settings
    elif isinstance(settings, dict) and isinstance(plain, str) and plain == settings.get("name", plain):
        mapping[key] = {"name": plain, **settings}
    else:
        raise AssertionError(f"two hints for {key}: {present} and {value}")
