"""Reads a YAML 1.2 file into nodes that know their line and column, and places every problem under a caret."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from tuner.errors import ExperimentError, Problem
from tuner.escapes import line

MAX_BYTES = 1_000_000
MAX_NODES = 20_000  # with every use of an alias: 324 bytes of aliases can expand to 3 GB
MAX_DEPTH = 40
MOST_DIGITS = 300
CORE = "tag:yaml.org,2002:"
TAGS = {"map", "seq", "str", "int", "float", "bool", "null", "timestamp"}  # a date is read as text

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

    def find(self, path: str) -> Node:
        """The entry at a dotted path of settings, whether or not a `choose` is on the way; if there is none, the last
        one on the way to it."""
        node = self
        for part in path.split("."):
            entries = node.entries.get("choose", node).entries if part not in node.entries else node.entries
            node = entries.get(part, node)
        return node

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
        return "null" if self.value is None else str(self.value).lower()[:60]


def at(node: Node, message: str, hint: str | None = None, *, warning: bool = False) -> Problem:
    """A problem with this node."""
    return Problem(node.line, node.column, message, hint, node.width, warning)


@dataclass(frozen=True)
class Document:
    """A file that could be read: its path, its text, its root mapping, and the problem of each key that is repeated."""

    path: Path
    text: str
    root: Node
    repeated: tuple[Problem, ...] = ()

    def render(self, problems: Iterable[Problem]) -> str:
        """The problems in the format of rustc: place, line, caret, hint; in the order of the file."""
        return render(self.path, self.text, problems)

    def error(self, problems: Iterable[Problem]) -> ExperimentError:
        """An error that shows all of the problems."""
        return _error(self.path, self.text, problems)


def read(path: Path, text: str | None = None) -> Document:
    """Read the file, or its `text` as it once was; raise `ExperimentError` if it is not one YAML mapping."""
    text = _text(path) if text is None else text
    yaml = YAML(typ="rt", pure=True)
    try:
        _check_depth(yaml, text)
        roots = list(yaml.compose_all(text))
    except _Limit as error:
        raise _error(path, text, [error.problem]) from None
    except MarkedYAMLError as error:
        raise _error(path, text, [_broken(error)]) from error
    except ReaderError as error:
        before = text[: error.position]
        column = len(before) - before.rfind("\n") - 1
        problem = Problem(before.count("\n"), column, "not valid YAML: a control character", "delete it")
        raise _error(path, text, [problem]) from error
    except YAMLError as error:
        raise _of_whole(path, f"not valid YAML: {' '.join(str(error).split())}") from error
    if len(roots) != 1 or not isinstance(roots[0], MappingNode):
        what = f"holds {len(roots)} documents" if len(roots) > 1 else "is empty" if not roots else "is no such mapping"
        text = f"an experiment is one YAML mapping (key: value); this file {what}"
        raise _of_whole(path, text, "start from a shipped one: tuner init")
    converter = _Converter()
    try:
        root = converter.convert(roots[0])
    except _Limit as error:
        raise _error(path, text, [error.problem]) from None
    if converter.problems:
        raise _error(path, text, [*converter.problems, *converter.repeated])
    return Document(path, text, root, tuple(converter.repeated))


class _Limit(Exception):
    """The file is larger than any experiment; further problems would be noise."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def _check_depth(yaml: YAML, text: str) -> None:
    """Stop at the first event that is too deep: composing thousands of brackets takes seconds."""
    depth = 0
    for event in yaml.parse(text):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > MAX_DEPTH:
            mark = event.start_mark
            raise _Limit(Problem(mark.line, mark.column, f"nested deeper than {MAX_DEPTH} levels"))


def _broken(error: MarkedYAMLError) -> Problem:
    message = " ".join(str(error.problem or error.context or "not YAML").split())
    unfinished = "end of stream" in message and error.context_mark is not None
    mark = error.context_mark if unfinished else error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    hint = "close the quote or bracket" if unfinished else "indent with spaces" if "\\t" in message else None
    return Problem(line, column, f"not valid YAML: {message}", hint)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise _of_whole(path, f"larger than {MAX_BYTES:,} bytes, so it is not an experiment file")
    except FileNotFoundError as error:
        raise _of_whole(path, "no such file", "shipped spaces: tuner list spaces") from error
    except OSError as error:
        raise _of_whole(path, f"cannot be read: {error.strerror}") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _of_whole(path, f"not UTF-8 (byte {error.start})", "save it as UTF-8") from error
    if "\0" in text:
        raise _of_whole(path, "contains NUL bytes, so it is not a text file")
    return text


def _of_whole(path: Path, message: str, hint: str | None = None) -> ExperimentError:
    """An error that concerns the whole file."""
    return ExperimentError(line(f"{path}: error: {message}") + (f"\n  = {hint}" if hint else ""))


def _error(path: Path, text: str, problems: Iterable[Problem]) -> ExperimentError:
    problems = tuple(problems)
    return ExperimentError(render(path, text, problems), problems)


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
        line(f"{path}:{row + 1}:{problem.column + 1}: {level}: {problem.message}"),
        f" {gutter} |",
        f" {row + 1} | {source}",
        f" {gutter} | {' ' * column}{caret}",
    ]
    if problem.hint:
        out.append(line(f" {gutter} = {problem.hint}"))
    return "\n".join(out)


class _Converter:
    """Turns ruamel's node graph into `Node`s, collecting problems and counting what aliases expand to."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.repeated: list[Problem] = []
        self.count = 0

    def convert(self, raw: Any, depth: int = 0, key: Node | None = None) -> Node:
        place = (raw.start_mark.line, raw.start_mark.column)
        self.count += 1
        if self.count > MAX_NODES:
            raise _Limit(Problem(*place, f"more than {MAX_NODES:,} values (aliases expanded)"))
        if depth > MAX_DEPTH:
            raise _Limit(Problem(*place, f"nested deeper than {MAX_DEPTH} levels, by an alias inside itself"))
        same_line = raw.start_mark.line == raw.end_mark.line
        width = max(1, raw.end_mark.column - raw.start_mark.column) if same_line else 1
        tag = str(raw.tag).removeprefix(CORE)
        value: Any = None
        if tag not in TAGS:
            self.problems.append(Problem(*place, f"the tag {raw.tag} is not allowed here"))
        elif isinstance(raw, MappingNode):
            value = dict(self._entries(raw, depth))
        elif isinstance(raw, SequenceNode):
            value = [self.convert(item, depth + 1) for item in raw.value]
        else:
            value = self._scalar(raw, tag, str(raw.value))
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
                self.repeated.append(at(key, f"'{name}' is given twice", f"the first one is on line {first}"))
                continue
            seen[name] = key
            yield name, self.convert(raw_value, depth + 1, key)

    def _scalar(self, raw: ScalarNode, tag: str, text: str) -> Scalar:
        try:
            return {"int": _integer, "float": _float, "bool": _bool, "null": lambda _: None}.get(tag, _letters)(text)
        except ValueError as error:
            self.problems.append(Problem(raw.start_mark.line, raw.start_mark.column, str(error)))
            return None


def _letters(text: str) -> str:
    """The text; a character beyond the first 65,536 may be written as a surrogate pair, as in JSON."""
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise ValueError("an unpaired surrogate: \\ud800 … \\udfff must come in pairs") from None


def _integer(text: str) -> int:
    digits = text.replace("_", "").lower()
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a whole number of {len(digits)} digits; at most {MOST_DIGITS} are read")
    base = {"0x": 16, "0o": 8}.get(digits[:2])
    try:
        return int(digits[2:], base) if base else int(digits)
    except ValueError:
        raise ValueError(f"'{text}' is not a whole number") from None


def _float(text: str) -> float:
    word = text.replace("_", "").lower()
    if word.endswith(".inf"):
        return -math.inf if word.startswith("-") else math.inf
    try:
        return math.nan if word == ".nan" else float(word)
    except ValueError:
        raise ValueError(f"'{text}' is not a number") from None


def _bool(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(f"'{text}' is not true or false")
    return text.lower() == "true"
