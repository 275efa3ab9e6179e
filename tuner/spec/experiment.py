"""Reads an experiment file: YAML → `Experiment`, a frozen value, or every mistake in it at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tuner.errors import ExperimentError, did_you_mean
from tuner.spec import grid
from tuner.spec.expressions import Absent, Expression, ExpressionError
from tuner.spec.reader import Reader
from tuner.spec.sections import Limits, Resampling, Search
from tuner.spec.settings import Alternatives, Settings
from tuner.spec.space import Parameter, Range, Space
from tuner.spec.yaml_file import Document, Node, Problem, at, read

KEYS = ("name", "dataset", "model", "training", "metric", "resampling", "search", "limits", "constraints")
DEFAULT_TRIALS = 30


@dataclass(frozen=True)
class Catalogue:
    """What experiments can name: the settings of each model and dataset, of training, and the metrics."""

    models: Alternatives
    datasets: Alternatives
    training: type[Settings]
    metrics: tuple[str, ...]


@dataclass(frozen=True)
class Experiment:
    """What was asked: settled sections, and the search space of model and training."""

    name: str
    document: Document
    dataset: Settings
    space: Space
    metric: str | None
    resampling: Resampling
    search: Search
    limits: Limits
    warnings: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where relative paths of the file start."""
        return self.document.path.parent

    @property
    def trials(self) -> int:
        """Total trials per chain: as asked, by default every grid cell or 30."""
        if self.search.sampler != "grid":
            return self.search.trials or DEFAULT_TRIALS
        cells = grid.size(self.space)
        return min(cells, self.search.trials or cells)

    def error(self, where: str, message: str, hint: str | None = None) -> ExperimentError:
        """An error placed at the entry `where` (a dotted path), for what only the data can tell."""
        node = self.document.root
        for part in where.split("."):
            node = node.entries.get(part, node)
        return ExperimentError(self.document.render([at(node.key or node, message, hint)]))

    def identity(self) -> dict[str, Any]:
        """What must not change between runs of one study: the file's content, less name, totals and limits."""
        tree = self.document.root.plain()
        search = {k: v for k, v in (tree.get("search") or {}).items() if k != "trials"}
        kept = {k: v for k, v in tree.items() if k not in ("name", "limits", "search")}
        return flatten({**kept, "search": search})


def flatten(tree: Any, path: str = "") -> dict[str, Any]:
    """A tree of dicts as {dotted path: leaf}; an empty dict vanishes."""
    if not isinstance(tree, dict):
        return {path: tree}
    return {k: v for key, sub in tree.items() for k, v in flatten(sub, f"{path}.{key}" if path else key).items()}


def load(path: Path, catalogue: Catalogue) -> Experiment:
    """Read and check the file; raise `ExperimentError` with every mistake at its place."""
    document = read(path)
    reader = Reader()
    root = document.root
    for key, entry in root.entries.items():
        if key not in KEYS:
            reader.wrong(entry.key or entry, f"unknown key '{key}'", did_you_mean(key, KEYS))
    empty = replace(root, value={}, key=None)
    _model(reader, root, catalogue)
    reader.settings(root.entries.get("training", empty), catalogue.training, "training", "training")
    space = Space(_ordered(reader), tuple(reader.fixed), _constraints(reader, root))
    settled = Reader()
    settled.searchable = False
    if "dataset" in root.entries:
        settled.component(root.entries["dataset"], catalogue.datasets, "dataset", "dataset")
    else:
        reader.wrong(root, "dataset is missing", f"dataset: {{name: …}}, one of: {', '.join(catalogue.datasets)}")
    for section, cls in (("resampling", Resampling), ("search", Search), ("limits", Limits)):
        settled.settings(root.entries.get(section, empty), cls, section, section)
    name, metric = _name(reader, root, path), _metric(reader, root, catalogue)
    _known_names(reader, space)
    problems = reader.problems + settled.problems
    errors = [p for p in problems if not p.warning]
    if errors:
        raise ExperimentError(document.render(errors))
    sections = Space((), tuple(settled.fixed)).configuration({})
    search = Search.model_validate(sections["search"])
    experiment = Experiment(
        name=name,
        document=document,
        dataset=_settled(document, catalogue.datasets[sections["dataset"]["name"]], sections["dataset"], "dataset"),
        space=space,
        metric=metric,
        resampling=_settled(document, Resampling, sections["resampling"], "resampling"),
        search=search,
        limits=_settled(document, Limits, sections.get("limits", {}), "limits"),
    )
    problems = [*problems, *_search_problems(experiment), *_evaluable(experiment, reader)]
    errors = [p for p in problems if not p.warning]
    if errors:
        raise ExperimentError(document.render(errors))
    return replace(experiment, warnings=tuple(document.render([p]) for p in sorted(set(problems))))


def _settled(document: Document, cls: type[Settings], values: Mapping[str, Any], section: str) -> Any:
    """The section as its typed value; what only the whole section can tell (pydantic's own validators) is placed."""
    try:
        return cls.model_validate(values, strict=False)
    except ValueError as error:
        node = document.root.entries.get(section, document.root)
        message = str(error).splitlines()[-1] if not hasattr(error, "errors") else error.errors()[0]["msg"]
        text = message.removeprefix("Value error, ")
        raise ExperimentError(document.render([at(node.key or node, f"{section}: {text}")])) from error


def _model(reader: Reader, root: Node, catalogue: Catalogue) -> None:
    if "model" in root.entries:
        reader.component(root.entries["model"], catalogue.models, "model", "model")
    else:
        reader.wrong(root, "model is missing", f"model: {{name: …}}, one of: {', '.join(catalogue.models)}")


def _name(reader: Reader, root: Node, path: Path) -> str:
    node = root.entries.get("name")
    name = path.stem if node is None else node.value
    if not isinstance(name, str) or not 1 <= len(name) <= 100 or re.search(r"[/\x00-\x1f]|\.\.", name):
        reader.wrong(node or root, "name must be text of 1 … 100 characters without '/' or '..'")
        return "invalid"
    return name


def _metric(reader: Reader, root: Node, catalogue: Catalogue) -> str | None:
    node = root.entries.get("metric")
    if node is None:
        return None
    if not isinstance(node.value, str) or node.value not in catalogue.metrics:
        reader.wrong(node, f"unknown metric {node.text()}", did_you_mean(str(node.plain()), catalogue.metrics))
        return None
    return node.value


def _constraints(reader: Reader, root: Node) -> tuple[Expression, ...]:
    node = root.entries.get("constraints")
    if node is None or node.value is None:
        return ()
    if not isinstance(node.value, list):
        reader.wrong(node, f"constraints must be a list of expressions, not {node.text()}")
        return ()
    found = [(reader.expression(item), item) for item in node.value]
    reader.whens += [(e, item) for e, item in found if e is not None]
    return tuple(e for e, _ in found if e is not None)


def _known_names(reader: Reader, space: Space) -> None:
    """Every name in an expression must be a setting of this file."""
    known = reader.names | {name for p in space.parameters for name in (p.path, p.target)}
    for expression, node in reader.whens:
        for name in expression.names:
            if name not in known:
                reader.wrong(node, f"'{name}' is not a setting of this experiment", did_you_mean(name, sorted(known)))


def _ordered(reader: Reader) -> tuple[Parameter, ...]:
    """The parameters, each after those that its condition reads; the file's order where that is free."""
    waiting, ordered = list(reader.parameters), []
    while waiting:
        open_names = {n for p in waiting for n in (p.path, p.target)}
        ready = [p for p in waiting if not open_names & _reads(p)]
        if not ready:
            expression, node = next((e, n) for e, n in reader.whens if set(e.names) & open_names)
            reader.wrong(node, f"'{expression.text}' goes round in a circle: the setting depends on itself")
            return tuple(reader.parameters)
        ordered.append(ready[0])
        waiting.remove(ready[0])
    return tuple(ordered)


def _reads(parameter: Parameter) -> set[str]:
    condition = parameter.condition
    return {path for path, _ in condition.selected} | set(condition.when.names if condition.when else ())


def _search_problems(experiment: Experiment) -> list[Problem]:
    """What sampler and space say about each other."""
    root, space, search = experiment.document.root, experiment.space, experiment.search
    place = root.entries.get("search", root)
    problems = []
    ranges = [(p, p.domain) for p in space.parameters if isinstance(p.domain, Range)]
    if search.sampler == "grid":
        for parameter, _ in ((p, d) for p, d in ranges if not d.size()):
            node = _node(root, parameter.path)
            hint = "add points: 5 (or step: …), or list the values"
            problems.append(at(node, f"grid needs points or step on the range {parameter.path}", hint))
        if not problems and search.trials is not None and (cells := grid.size(space)) > search.trials:
            text = f"the grid has {cells:,} cells, and trials: {search.trials:,} covers only the first of them"
            problems.append(at(place, text, "leave trials out for the whole grid, or use random", warning=True))
    else:
        for parameter, _ in ((p, d) for p, d in ranges if d.points):
            text = f"{parameter.path}: points is for the grid sampler; {search.sampler} draws from the whole range"
            problems.append(at(_node(root, parameter.path), text, warning=True))
    return problems


def _evaluable(experiment: Experiment, reader: Reader) -> list[Problem]:
    """Try every expression on the default configuration: operands that do not fit are told before any training."""
    space, problems = experiment.space, []
    default = space.default()
    scope = space.scope(default)
    for expression, node in reader.whens:
        try:
            expression.value(scope)
        except ExpressionError as error:
            problems.append(at(node, str(error)))
        except Absent:
            pass
    if not problems and not space.admits(default):
        text = "the default configuration breaks a constraint, so there will be no comparison with it"
        problems.append(at(experiment.document.root.entries["constraints"], text, warning=True))
    return problems


def _node(root: Node, path: str) -> Node:
    node = root
    for part in path.split("."):
        entries = node.entries.get("choose", node).entries if part not in node.entries else node.entries
        node = entries.get(part, node)
    return node
