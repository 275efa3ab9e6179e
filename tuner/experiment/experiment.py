"""Reads an experiment file: YAML → `Experiment`, a frozen value, or every mistake in it at once."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tuner.errors import ExperimentError, NoResultError, Problem, closest, did_you_mean
from tuner.experiment import grid
from tuner.experiment.expressions import Absent, Expression, ExpressionError
from tuner.experiment.flow import flow
from tuner.experiment.named_metric import read_metric
from tuner.experiment.other_tools import File, Level, hint
from tuner.experiment.place import Place
from tuner.experiment.reader import Reader
from tuner.experiment.sections import Limits, Resampling, Search, study_name
from tuner.experiment.settings import Alternatives, Settings
from tuner.experiment.space import Choice, Parameter, Range, Space
from tuner.experiment.stated import with_stated
from tuner.experiment.unsearched import SECTIONS, read_unsearched
from tuner.experiment.yaml_file import Document, Node, at, read

MEANING = 1  # increase when the same settings train, split or score differently
KEYS = ("name", "dataset", "model", "training", "metric", "resampling", "search", "limits", "constraints")
DEFAULT_TRIALS = 30


@dataclass(frozen=True)
class Catalogue:
    """The components that experiments can name: settings of each model and dataset, of training, and metrics; the
    settings of the user's own metrics; and of the parts of a training, by path, with the user's own."""

    models: Alternatives
    datasets: Alternatives
    training: type[Settings]
    metrics: tuple[str, ...]
    own_metrics: Alternatives
    parts: Mapping[str, Alternatives]


@dataclass(frozen=True)
class Experiment:
    """A checked experiment: the sections without a search, and the search space of model and training."""

    name: str
    document: Document
    dataset: Settings
    space: Space
    metric: str | None
    own_metric: Settings | None  # the settings of the metric, if it is the user's own
    resampling: Resampling
    search: Search
    limits: Limits
    problems: tuple[Problem, ...] = ()  # warnings; from `attempt` also errors
    invalid: frozenset[str] = frozenset()  # from `attempt`: what has mistakes: dataset, metric, search, space, …

    @property
    def folder(self) -> Path:
        """The folder that relative paths of the file start from."""
        return self.document.path.parent

    @property
    def names_data(self) -> bool:
        """Whether the dataset's settings say enough to read it, though some may be invalid."""
        return "name" in type(self.dataset).model_fields

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Problems that forbid a search."""
        return tuple(p for p in self.problems if not p.warning)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings about valid settings that are probably mistakes, formatted for the terminal."""
        return tuple(self.document.render([p]) for p in self.problems if p.warning)

    @property
    def trials(self) -> int:
        """Total trials per chain: `search.trials`, by default every grid cell or 30."""
        if self.search.sampler != "grid":
            return self.search.trials or DEFAULT_TRIALS
        cells = grid.size(self.space)
        return min(cells, self.search.trials or cells)

    def error(self, where: str, message: str, hint: str | None = None) -> ExperimentError:
        """An error at the entry `where` (a dotted path), for checks that need the data."""
        return self.document.error([self.problem(where, message, hint)])

    def problem(self, where: str, message: str, hint: str | None = None) -> Problem:
        """A problem at the entry `where`, to be reported with others."""
        node = self.document.root.find(where)
        return at(node.key or node, message, hint)

    def warning(self, where: str, message: str, hint: str | None = None) -> str:
        """A warning at the entry `where`, formatted for the terminal."""
        node = self.document.root.find(where)
        return self.document.render([at(node.key or node, message, hint, warning=True)])

    def identity(self) -> dict[str, Any]:
        """The settings that must not change between runs of one study, as JSON values: the file's content without name,
        totals and limits; the defaults of settings that are left out; and the version of their meaning."""
        whole = {**self._settled(), **self._written(), "meaning of the settings": MEANING}
        found: dict[str, Any] = json.loads(json.dumps(whole))
        if self.search.sampler == "grid":  # cells in order of value, the default's first
            default = self.space.default(on_grid=True)
            return {**found, "default configuration": {path: default[path] for path in sorted(default)}}
        # draws follow the order of the file
        order = [[p.path, *p.domain.options] if isinstance(p.domain, Choice) else p.path for p in self.space.parameters]
        return {**found, "order of the searched settings": order}

    def defaults(self) -> dict[str, Any]:
        """Every setting that the file leaves out, with its default."""
        written = self._written()
        return {path: value for path, value in self._settled().items() if path not in written}

    def _written(self) -> dict[str, Any]:
        """The content of the file without name, totals and limits."""
        tree = self.document.root.plain()
        search = {k: v for k, v in (tree.get("search") or {}).items() if k != "trials"}
        return flatten({**{k: v for k, v in tree.items() if k not in ("name", "limits")}, "search": search})

    def _settled(self) -> dict[str, Any]:
        """Every setting that is not searched, whether the file gives it or not."""
        sections = {"dataset": self.dataset, "resampling": self.resampling, "search": self.search}
        settled = {name: section.model_dump(mode="json") for name, section in sections.items()}
        settled["search"].pop("trials")
        return {**flatten(settled), **{each.path: each.value for each in self.space.fixed}}


def flatten(tree: Any, path: str = "") -> dict[str, Any]:
    """A tree of dicts as {dotted path: leaf}; an empty dict vanishes."""
    if not isinstance(tree, dict):
        return {path: tree}
    return {k: v for key, sub in tree.items() for k, v in flatten(sub, f"{path}.{key}" if path else key).items()}


def load(path: Path, catalogue: Catalogue) -> Experiment:
    """Read and check the file; raise `ExperimentError` with every mistake at its place."""
    experiment = attempt(path, catalogue)
    if experiment.errors:
        raise experiment.document.error(experiment.errors)
    return experiment


def attempt(path: Path, catalogue: Catalogue, text: str | None = None) -> Experiment:
    """Read and check the file, or its `text` as it once was.

    Its mistakes are kept as `errors`, because checks with the data may find more. Raises `ExperimentError` if it is not
    a YAML mapping."""
    document = read(path, text)
    root = document.root
    file = _file(root, catalogue)
    reader = Reader(file)
    unknown, misspelt = _unknown_keys(file)
    space = _space(reader, root, catalogue, misspelt)
    invalid = misspelt | ({"space"} if reader.errors() or reader.unknown else set())
    name, named = _name(reader, root, path), read_metric(file, catalogue.own_metrics)
    unsearched = read_unsearched(file, catalogue.datasets, misspelt)
    invalid |= {*unsearched.invalid} | ({"metric"} if named.problems else set())
    found: list[Problem] = []
    if "search" not in invalid:
        stated = {name: node for name, node in _stated(root).items() if not reader.is_hidden(name)}
        on_grid = unsearched.settings["search"].sampler == "grid"
        space, found = with_stated(space, stated, reader.names, on_grid=on_grid)
    experiment = Experiment(
        name, document, space=space, metric=named.name, own_metric=named.settings, **unsearched.settings
    )
    if "search" not in invalid:
        found += _search_problems(experiment)
        if "space" not in invalid and all(each.warning for each in found):
            found += _evaluable(experiment, reader)
        invalid |= set() if all(each.warning for each in found) else {"space"}
    problems = {*document.repeated, *unknown, *reader.problems, *named.problems, *unsearched.problems, *found}
    return replace(experiment, problems=tuple(sorted(problems)), invalid=frozenset(invalid))


def _file(root: Node, catalogue: Catalogue) -> File:
    """The file with the settings of its sections, as far as these are known before it is read."""
    name = root.find("model.name").value
    model = {"model": catalogue.models[name]} if isinstance(name, str) and name in [*catalogue.models] else {}
    return File(root, {**SECTIONS, "training": catalogue.training, **model}, catalogue.metrics, catalogue.parts)


def _unknown_keys(file: File) -> tuple[list[Problem], set[str]]:
    """A problem for each unknown key of the top level, and the keys that they were probably meant to be."""
    problems: list[Problem] = []
    meant: set[str] = set()
    for key, entry in file.root.entries.items():
        if key not in KEYS:
            told = hint(key, entry, Level("", KEYS), file)
            near = did_you_mean(key, (*KEYS, *_inner_keys(key)))
            problems.append(at(entry.key or entry, f"unknown key '{key}'", told or near))
            meant |= {word} if told is None and (word := closest(key, KEYS)) else set()
    return problems, meant - {*file.root.entries}


def _space(reader: Reader, root: Node, catalogue: Catalogue, misspelt: Collection[str]) -> Space:
    """The search space of model and training, with the constraints; `reader` keeps their problems."""
    if "model" in root.entries:
        reader.component(root.entries["model"], catalogue.models, Place.of("model"))
    elif "model" not in misspelt:
        reader.wrong(root, "model is missing", f"model: {{name: …}}, one of: {', '.join(catalogue.models)}")
        reader.unknown.append("model")
    reader.unknown += misspelt
    empty = replace(root, value={}, key=None)
    reader.settings(root.entries.get("training", empty), catalogue.training, Place.of("training"))
    space = Space(_ordered(reader), tuple(reader.fixed), _constraints(reader, root))
    _known_names(reader, space)
    return space


def _stated(root: Node) -> dict[str, Node]:
    """The settings of the default configuration that the file states."""
    stated = root.entries["search"].entries.get("default") if "search" in root.entries else None
    return stated.entries if stated else {}


def _inner_keys(key: str) -> tuple[str, ...]:
    """The paths of the settings in sections that have the name of a key of the top level."""
    return tuple(f"{section}.{key}" for section, cls in SECTIONS.items() if key in cls.model_fields)


def _name(reader: Reader, root: Node, path: Path) -> str:
    node = root.entries.get("name")
    name = path.stem if node is None else node.value
    try:
        return study_name(name if isinstance(name, str) else "")
    except ValueError as error:
        reader.wrong(node or root, f"name must be {error}")
        return "invalid"


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
            if name not in known and not reader.is_hidden(name):
                reader.wrong(node, f"'{name}' is not a setting of this experiment", did_you_mean(name, sorted(known)))


def _ordered(reader: Reader) -> tuple[Parameter, ...]:
    """The parameters, each after those that its condition reads; otherwise in the file's order."""
    waiting, ordered = list(reader.parameters), []
    while waiting:
        open_names = {n for p in waiting for n in (p.path, p.target)}
        ready = [p for p in waiting if not open_names & _reads(p)]
        if not ready:
            expression, node = next((e, n) for e, n in reader.whens if set(e.names) & open_names)
            reader.wrong(node, f"'{expression.text}' is circular: the setting depends on itself")
            return tuple(reader.parameters)
        ordered.append(ready[0])
        waiting.remove(ready[0])
    return tuple(ordered)


def _reads(parameter: Parameter) -> set[str]:
    condition = parameter.condition
    return {path for path, _ in condition.selected} | set(condition.when.names if condition.when else ())


def _search_problems(experiment: Experiment) -> list[Problem]:
    """Problems of combining this sampler with this search space."""
    root, space, search = experiment.document.root, experiment.space, experiment.search
    place = root.entries.get("search", root)
    problems = []
    ranges = [(p, p.domain) for p in space.parameters if isinstance(p.domain, Range)]
    if search.sampler == "grid":
        for parameter, _ in ((p, d) for p, d in ranges if not d.size()):
            node = root.find(parameter.path)
            written = flow({**node.plain(), "points": 5})
            told = f"write {parameter.path.rpartition('.')[2]}: {written}, or list the values"
            problems.append(at(node, f"grid needs points or step on the range {parameter.path}", told))
        if not problems:
            problems += _grid_problems(space, search.trials, place)
    else:
        for parameter, _ in ((p, d) for p, d in ranges if d.points):
            text = f"{parameter.path}: points is for the grid sampler; {search.sampler} draws from the whole range"
            problems.append(at(root.find(parameter.path), text, warning=True))
    return problems


def _grid_problems(space: Space, trials: int | None, place: Node) -> list[Problem]:
    try:
        cells = grid.size(space)
    except NoResultError as error:
        return [at(place, error.message, error.hint)]
    if trials is None or cells <= trials:
        return []
    text = f"the grid has {cells:,} cells, and trials: {trials:,} covers only the first of them"
    return [at(place, text, "leave trials out for the whole grid, or use random", warning=True)]


def _evaluable(experiment: Experiment, reader: Reader) -> list[Problem]:
    """Evaluate every expression on the default configuration, so that type errors are reported before training."""
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
        stated = experiment.document.root.find("search.default") if experiment.search.default else None
        text = "the default configuration breaks a constraint, so there will be no comparison with it"
        place = stated or experiment.document.root.entries["constraints"]
        problems.append(at(place.key or place, text, warning=stated is None))
    return problems
