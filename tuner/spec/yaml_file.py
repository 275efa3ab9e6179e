"""Reads a YAML 1.2 file into nodes that know their line and column, and places every problem under a caret."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from tuner.errors import ExperimentError

MAX_BYTES = 1_000_000
MAX_NODES = 20_000  # aliases counted as often as they are used: 324 bytes of them can mean 3 GB
MAX_DEPTH = 40

Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class Node:
    """A value of the file, with its place (0-based) and, inside a mapping, the place of its key."""

    value: Scalar | dict[str, Node] | list[Node]
    line: int
    column: int
    width: int = 1
    key: Node | None = None

    @property
    def entries(self) -> dict[str, Node]:
        """The mapping's entries; empty for anything else."""
        return self.value if isinstance(self.value, dict) else {}

    def plain(self) -> Any:
        """The value as plain dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def text(self) -> str:
        """The value in a few words, for an error."""
        if isinstance(self.value, dict):
            return "a mapping"
        if isinstance(self.value, list):
            return "a list"
        if isinstance(self.value, str):
            return f"'{self.value}'" if len(self.value) <= 60 else f"'{self.value[:57]}…'"
        return "null" if self.value is None else str(self.value).lower()


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake (or warning) at one place."""

    line: int
    column: int
    message: str
    hint: str | None = None
    width: int = field(default=1, compare=False)
    warning: bool = field(default=False, compare=False)


def at(node: Node, message: str, hint: str | None = None, *, warning: bool = False) -> Problem:
    """A problem with this node."""
    return Problem(node.line, node.column, message, hint, node.width, warning)


@dataclass(frozen=True)
class Document:
    """A file that could be read: its path, its text, its root mapping."""

    path: Path
    text: str
    root: Node

    def render(self, problems: Iterable[Problem]) -> str:
        """The problems as rustc writes them: place, line, caret, hint; in the order of the file."""
        return render(self.path, self.text, problems)


def read(path: Path) -> Document:
    """Read the file; raise `ExperimentError` if it is not one YAML mapping."""
    text = _text(path)
    try:
        yaml = YAML(typ="rt", pure=True)
        roots = list(yaml.compose_all(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        message = " ".join(str(error.problem or error.context or "not YAML").split())
        raise ExperimentError(render(path, text, [Problem(line, column, f"not valid YAML: {message}")])) from error
    except YAMLError as error:
        raise ExperimentError(f"{path}: error: not valid YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise ExperimentError(f"{path}: error: nested deeper than {MAX_DEPTH} levels") from error
    if len(roots) != 1 or not isinstance(roots[0], MappingNode):
        what = f"{len(roots)} documents" if len(roots) > 1 else "no mapping"
        raise ExperimentError(
            f"{path}:1:1: error: an experiment is one mapping; this file holds {what}\n"
            "  = start from a shipped one: tuner init"
        )
    problems: list[Problem] = []
    root = _Converter(problems).convert(roots[0], depth=0)
    if problems:
        raise ExperimentError(render(path, text, problems))
    return Document(path, text, root)


def _text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ExperimentError(f"{path}: error: {size:,} bytes; an experiment file has at most {MAX_BYTES:,}")
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise ExperimentError(f"{path}: error: no such file\n  = shipped spaces: tuner list spaces") from error
    except OSError as error:
        raise ExperimentError(f"{path}: error: cannot be read: {error.strerror}") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ExperimentError(f"{path}: error: not UTF-8 (byte {error.start})\n  = save it as UTF-8") from error
    if "\0" in text:
        raise ExperimentError(f"{path}: error: holds NUL bytes, so it is not a text file")
    return text


def render(path: Path, text: str, problems: Iterable[Problem]) -> str:
    """Each problem with its source line and caret, joined by newlines."""
    lines = text.splitlines() or [""]
    return "\n".join(_render_one(path, lines, problem) for problem in sorted(set(problems)))


def _render_one(path: Path, lines: list[str], problem: Problem) -> str:
    level = "warning" if problem.warning else "error"
    row = min(problem.line, len(lines) - 1)
    gutter = " " * len(str(row + 1))
    source, column = lines[row].expandtabs(1), problem.column
    start = max(0, column - 80)
    source, column = source[start : start + 110], column - start
    caret = "^" * max(1, min(problem.width, len(source) - column))
    out = [
        f"{path}:{row + 1}:{problem.column + 1}: {level}: {problem.message}",
        f" {gutter} |",
        f" {row + 1} | {source}",
        f" {gutter} | {' ' * column}{caret}",
    ]
    if problem.hint:
        out.append(f" {gutter} = {problem.hint}")
    return "\n".join(out)


class _Converter:
    """Turns ruamel's node graph into `Node`s, collecting problems and counting what aliases expand to."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        self.count = 0

    def convert(self, raw: Any, depth: int, key: Node | None = None) -> Node:
        place = (raw.start_mark.line, raw.start_mark.column)
        self.count += 1
        if depth > MAX_DEPTH or self.count > MAX_NODES:
            if self.count <= MAX_NODES:
                self.problems.append(Problem(*place, f"nested deeper than {MAX_DEPTH} levels"))
            elif not any("values" in p.message for p in self.problems):
                self.problems.append(Problem(*place, f"more than {MAX_NODES:,} values (aliases expanded)"))
            return Node(None, *place, key=key)
        same_line = raw.start_mark.line == raw.end_mark.line
        width = max(1, raw.end_mark.column - raw.start_mark.column) if same_line else 1
        value: Any
        if isinstance(raw, MappingNode):
            value = dict(self._entries(raw, depth))
        elif isinstance(raw, SequenceNode):
            value = [self.convert(item, depth + 1) for item in raw.value]
        else:
            value = self._scalar(raw)
        return Node(value, *place, width=width, key=key)

    def _entries(self, raw: MappingNode, depth: int) -> Iterator[tuple[str, Node]]:
        seen: dict[str, Node] = {}
        for raw_key, raw_value in raw.value:
            key = self.convert(raw_key, depth + 1)
            if not isinstance(raw_key, ScalarNode) or key.value is None:
                self.problems.append(at(key, "a key must be text"))
                continue
            name = str(raw_key.value)
            if name in seen:
                first = seen[name].line + 1
                self.problems.append(at(key, f"'{name}' is given twice", f"the first one is on line {first}"))
                continue
            seen[name] = key
            yield name, self.convert(raw_value, depth + 1, key)

    def _scalar(self, raw: ScalarNode) -> Scalar:
        tag, text = str(raw.tag).rpartition(":")[2], str(raw.value)
        if not str(raw.tag).startswith("tag:yaml.org,2002:") or tag.startswith("python/"):
            self.problems.append(
                Problem(raw.start_mark.line, raw.start_mark.column, f"the tag {raw.tag} is not allowed here")
            )
            return None
        if tag == "int":
            return _integer(text)
        if tag == "float":
            return _float(text)
        if tag == "bool":
            return text.lower() == "true"
        return None if tag == "null" else text


def _integer(text: str) -> int | str:
    digits = text.replace("_", "")
    if re.fullmatch(r"0x[0-9a-fA-F]+", digits):
        return int(digits, 16)
    if re.fullmatch(r"0o[0-7]+", digits):
        return int(digits, 8)
    return int(digits) if re.fullmatch(r"[-+]?[0-9]{1,400}", digits) else text


def _float(text: str) -> float:
    word = text.replace("_", "").lower()
    if word.endswith(".inf"):
        return -math.inf if word.startswith("-") else math.inf
    return math.nan if word == ".nan" else float(word)
