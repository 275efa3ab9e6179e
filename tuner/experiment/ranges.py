"""Reads a range of numbers, `{low: …, high: …, log: …, step: …, points: …}`, into a `Range`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

from tuner.errors import Problem, closest, did_you_mean
from tuner.experiment.flow import flow
from tuner.experiment.other_tools import File, Level, hint
from tuner.experiment.settings import deeper
from tuner.experiment.space import Range
from tuner.experiment.yaml_file import Node, at

KEYS = ("low", "high", "log", "step", "points")
MAX_INTEGER = 2**53  # beyond it a float, and so Optuna's storage, cannot tell neighbours apart

Wrong = Callable[[Problem], None]


def unknown_keys(node: Node, level: Level, file: File) -> Iterator[Problem]:
    """A problem for each key that is not allowed here, with the nearest allowed key, or the place of a key further
    down."""
    further = deeper(level.cls) if level.cls else {}
    where = f" in {level.path}" if level.path else ""
    for key, entry in node.entries.items():
        if key not in level.allowed:
            inside = None if closest(key, level.allowed) else closest(key, further)
            value = "…" if entry.value is None else flow(entry.plain())
            near = did_you_mean(key, level.allowed) if inside is None else further[inside].replace("…", value)
            yield at(entry.key or entry, f"unknown key '{key}'{where}", hint(key, entry, level, file) or near)


def read_range(node: Node, path: str, *, integer: bool, wrong: Wrong) -> Range | None:
    """The range that `node` describes, or None; problems are passed to `wrong`."""
    entries = node.entries
    numbers = {key: _number(entries, key, path, integer=integer, wrong=wrong) for key in ("low", "high", "step")}
    points = _number(entries, "points", path, integer=True, wrong=wrong)
    for key in ("low", "high"):
        mistyped = closest(key, (each for each in entries if each not in KEYS))  # which is reported as an unknown key
        if key not in entries and not mistyped:
            wrong(at(node, f"{path} needs {key}", "a range is {low: …, high: …}; a list is a choice"))
    low, high, step = numbers.values()
    log = _flag(entries, "log", path, wrong)
    if low is None or high is None:
        return None
    domain = Range(low, high, integer, log, step, None if points is None else int(points))
    found = list(_contradictions(domain, entries, path))
    for problem in found:
        wrong(problem)
    if not found and low > 0 and high / low >= 1000 and not (log or step):
        text = f"{path} spans {math.log10(high / low):.0f} decades without log: small values are hardly ever tried"
        wrong(at(node, text, "add log: true", warning=True))
    return domain


def _contradictions(domain: Range, entries: dict[str, Node], path: str) -> Iterator[Problem]:
    low, high, step, points = domain.low, domain.high, domain.step, domain.points
    for key, value in (("low", low), ("high", high)):
        if domain.integer and abs(value) > MAX_INTEGER:
            yield at(entries[key], f"{path}.{key} is beyond 2^53, where whole numbers lose their digits")
    if low > high:
        yield at(entries["low"], f"{path}: low {low:g} is greater than high {high:g}", "swap them")
    if domain.log and low <= 0:
        hint = "for zero or a log range, write a low above 0 and or: 0"
        yield at(entries["low"], f"{path}: a log range needs low > 0, not {low:g}", hint)
    if step is not None and step <= 0:
        yield at(entries["step"], f"{path}.step must be greater than 0")
    elif step is not None and step > high - low >= 0:
        yield at(entries["step"], f"{path}.step {step:g} is wider than the range")
    if points is not None and not 1 <= points <= 10_000:
        yield at(entries["points"], f"{path}.points must be 1 … 10,000")
    given = [key for key in ("log", "step", "points") if key in entries and (key != "log" or domain.log)]
    for first, second in pairwise(given):
        if "step" in (first, second):
            yield at(entries[second], f"{path} has both {first} and {second}", "keep one of them")


def _number(entries: dict[str, Node], key: str, path: str, *, integer: bool, wrong: Wrong) -> float | None:
    node = entries.get(key)
    if node is None:
        return None
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int if integer else int | float):
        wrong(at(node, f"{path}.{key} must be a {'whole ' if integer else ''}number, not {node.text()}"))
        return None
    if not math.isfinite(value):
        wrong(at(node, f"{path}.{key} must be finite, not {value}"))
        return None
    return value


def _flag(entries: dict[str, Node], key: str, path: str, wrong: Wrong) -> bool:
    node = entries.get(key)
    if node is not None and not isinstance(node.value, bool):
        wrong(at(node, f"{path}.{key} must be true or false, not {node.text()}"))
        return False
    return node is not None and node.value is True
