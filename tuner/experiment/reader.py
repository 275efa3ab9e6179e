"""Reads the settings tree of an experiment against its typed settings: fixed values, open parameters, and problems.

A value is fixed, a list is a choice, `low`/`high` is a range, `choose` opens a branch. Every mistake is collected,
with its place; nothing is raised here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pydantic.fields import FieldInfo

from tuner.errors import Problem, UsageError, closest, did_you_mean
from tuner.experiment.expressions import Expression, ExpressionError, parse
from tuner.experiment.flow import flow
from tuner.experiment.other_names import place_of
from tuner.experiment.other_tools import File, Level, of_file
from tuner.experiment.other_values import component, with_name
from tuner.experiment.place import Declared, Place, joined
from tuner.experiment.ranges import KEYS, read_range, unknown_keys
from tuner.experiment.settings import (
    Alternatives,
    Settings,
    accepts,
    alternatives,
    comparison,
    complaint,
    hint_for,
    literals,
    name_of,
    needs,
    subsettings,
)
from tuner.experiment.space import OR, RANGE_OPTION, Choice, Fixed, Parameter, Value, equal, is_number
from tuner.experiment.yaml_file import Node, at


class Reader:
    """Walks nodes and settings side by side, and collects `parameters`, `fixed` and `problems`."""

    def __init__(self, file: File | None = None) -> None:
        self.file = file or File()
        self.parameters: list[Parameter] = []
        self.fixed: list[Fixed] = []
        self.problems: list[Problem] = []
        self.names: set[str] = set()  # every setting that the file could give, under path and target
        self.unknown: list[str] = []  # paths of components and sections whose settings are not known
        self.whens: list[tuple[Expression, Node]] = []
        self.searchable = True

    def wrong(self, node: Node, message: str, hint: str | None = None) -> None:
        """Add a problem at `node`."""
        self.problems.append(at(node, message, hint))

    def component(self, node: Node, among: Alternatives, place: Place, default: str | None = None) -> None:
        """One of several named settings: `name`, `{name: …, setting: …}`, `{choose: {…}}` or a list of names; `default`
        is the name to use if the file has none."""
        path, entries = place.path, node.entries
        if isinstance(node.value, str):
            self._named(node, node, among, place)
        elif isinstance(node.value, list):
            self._branch(node, self._by_name(node.value, path), among, place, default)
        elif "choose" in entries:
            self._keys(node, ("choose",), path)
            choose = entries["choose"]
            options = self._by_name(choose.value, path) if isinstance(choose.value, list) else choose.entries
            self._branch(choose, options, among, place, default)
        elif "name" in entries:
            name = entries["name"]
            if isinstance(name.value, str):
                self._named(name, node, among, place)
            else:
                several = f"to search among several: {path}: {{choose: {{{', '.join(among)}}}}}"
                text = f"{path}.name must be one name, not {name.text()}"
                self.wrong(name, text, several if self.searchable else None)
                self.unknown.append(path)
        else:
            self.wrong(node.key or node, f"{path} needs a name", with_name(node, among, path, default))
            self.unknown.append(path)

    def _by_name(self, items: list[Node], path: str) -> dict[str, Node]:
        """A list of names as branches that take their defaults."""
        options: dict[str, Node] = {}
        for item in items:
            if not isinstance(item.value, str):
                hint = f"with settings of their own: {path}: {{choose: {{NAME: {{setting: …}}, …}}}}"
                self.wrong(item, f"{path}: a choice is among names, and {item.text()} is not a name", hint)
                self.unknown.append(path)
                continue
            if str(item.plain()) in options:
                self.wrong(item, f"{path} offers {item.text()} twice")
            options[str(item.plain())] = replace(item, value={})
        return options

    def _named(self, name: Node, node: Node, among: Alternatives, place: Place) -> None:
        cls = self._class(name, str(name.value), among, place.path)
        if cls is None:
            return
        self.settings(node if isinstance(node.value, dict) else replace(node, value={}), cls, place)

    def _class(self, node: Node, name: str, among: Alternatives, path: str) -> type[Settings] | None:
        """The settings class that a name refers to; None, with a problem added, if there is none."""
        try:
            cls = among.get(name)
        except UsageError as error:
            self.wrong(node, error.message, error.hint)
            self.unknown.append(path)
            return None
        if cls is None:
            of = of_file(name) if path == "dataset" else None
            found = component(name, among)
            several = f"{_last(path)}: {flow(found)}" if isinstance(found, list) else None
            self.wrong(node, f"unknown {_last(path)} '{name}'", of or several or did_you_mean(name, among))
            self.unknown.append(path)
        return cls

    def is_hidden(self, path: str) -> bool:
        """Whether the setting may be one of a component or section that is not known."""
        return any(path.startswith(f"{above}.") for above in self.unknown)

    def _branch(
        self, node: Node, options: dict[str, Node], among: Alternatives, place: Place, default: str | None
    ) -> None:
        path = place.path
        if not self._open(node, path):
            return
        if not options:
            self.wrong(node, f"{path}: choose needs at least one of: {', '.join(among)}")
        classes = {name: self._class(option.key or option, name, among, path) for name, option in options.items()}
        known = {name: cls for name, cls in classes.items() if cls is not None}
        if not known:
            return
        domain = Choice(tuple(known))
        first, target = domain.first(default, *among), f"{place.target}.name"
        self.parameters.append(Parameter(path, target, domain, place.condition, first, selector=True))
        for name, cls in known.items():
            option = options[name]
            if isinstance(option.value, dict) or option.value is None:
                body = option if option.value is not None else replace(option, value={})
                self.settings(body, cls, replace(place.under(path, name), path=f"{path}.{name}"), chosen=True)
            else:
                self.wrong(option, f"{path}.{name} must be a mapping of settings, not {option.text()}")

    def settings(self, node: Node, cls: type[Settings], place: Place, *, chosen: bool = False) -> None:
        """A mapping of settings of one class; what it leaves out takes its default."""
        if not isinstance(node.value, dict):
            text = f"{place.path or 'an experiment'} must be a mapping of settings, not {node.text()}"
            self.wrong(node if node.value is not None else node.key or node, text)
            return
        hidden = {"name"} if chosen else set()
        self._keys(node, [name for name in cls.model_fields if name not in hidden], place.path, cls)
        for name, field in cls.model_fields.items():
            here = place / name
            self.names |= {here.path, here.target}
            if name == "name" and name_of(cls):
                if not chosen:
                    self.fixed.append(Fixed(here.path, here.target, name_of(cls), here.condition))
            elif name in node.entries:
                declared = Declared(cls, name)
                self._field(node.entries[name], declared, self._where_used(node, declared, place))
            elif field.is_required() and not _is_misspelt(name, node, cls):
                self.wrong(node.key or node, f"{here.path} is missing", field.description)
            else:
                self._default(field.get_default(call_default_factory=True), here)

    def _where_used(self, node: Node, declared: Declared, above: Place) -> Place:
        """The place of a setting, under the condition that searched siblings have the values that it needs. Otherwise
        it has its default: no trial is spent on values without effect."""
        here = above / declared.name
        wants = [
            " or ".join(f"{joined(above.target, other)} {comparison(value)}" for value in values)
            for other, values in needs(declared.cls, declared.name).items()
            if other in node.entries and _searched(node.entries[other])
        ]
        if not wants:
            return here
        self._default(declared.field.get_default(), here)
        return replace(here, condition=here.condition.given(parse(" and ".join(f"({want})" for want in wants))))

    def _default(self, value: Any, place: Place) -> None:
        self.names |= {place.path, place.target}
        if isinstance(value, Settings):
            for name in type(value).model_fields:
                self._default(getattr(value, name), place / name)
        else:
            self.fixed.append(Fixed(place.path, place.target, value, place.condition))

    def _field(self, node: Node, declared: Declared, place: Place) -> None:
        field = declared.field
        among, inner = self.file.parts.get(place.target) or alternatives(field), subsettings(field)
        if among and not (node.value is None and accepts(field, type(None))):
            self.component(node, among, place, getattr(field.get_default(), "name", None))
        elif inner is not None and isinstance(node.value, dict):
            self.settings(node, inner, place)
        elif isinstance(node.value, dict) and not accepts(field, dict):
            self._range(node, declared, place)
        elif isinstance(node.value, list) and not self._is_list_value(field, node):
            self._choice(node, node.value, declared, place)
        elif self._fits(node, declared, place):
            self.fixed.append(Fixed(place.path, place.target, node.plain(), place.condition))

    @staticmethod
    def _is_list_value(field: FieldInfo, node: Node) -> bool:
        nested = isinstance(node.value, list) and any(isinstance(item.value, list) for item in node.value)
        return accepts(field, list) and not nested

    def _choice(self, node: Node, items: list[Node], declared: Declared, place: Place) -> None:
        path = place.path
        if not self._open(node, path):
            return
        if not items:
            self.wrong(node, f"{path} has no choices", "a list is a choice: give it at least one value")
            return
        fits = [self._fits(item, declared, place) for item in items]
        if any(isinstance(item.value, list | dict) for item in items):
            self.wrong(node, f"{path}: a choice is among plain values")
        if not all(fits):
            return
        options: list[Value] = []
        for item in items:
            if any(equal(option, item.plain()) for option in options):
                self.wrong(item, f"{path} offers {item.text()} twice")
            options.append(item.plain())
        default, domain = declared.default, Choice(tuple(options))
        if not is_number(default):
            default = domain.first(default, *literals(declared.field))
        self.parameters.append(Parameter(path, place.target, domain, place.condition, default))

    def _range(self, node: Node, declared: Declared, place: Place) -> None:
        field, entries, path = declared.field, node.entries, place.path
        if "choose" in entries:
            self.wrong(node, f"{path} has no alternatives with settings of their own",
                       "a list is a choice among values")  # fmt: skip
            return
        found = None if "choice" in entries else self.file.here(node.plain(), declared.cls, declared.name)
        told = None if found is None else f"write {_last(path)}: {flow(found)}"
        if not self._open(node, path, told):
            return
        if told is not None:
            self.wrong(node, f"{path} must be a value, a list or a range", told)
            return
        if "choice" in entries:
            self._keys(node, ("choice", "when"), path)
            choice, items = entries["choice"], entries["choice"].value
            place = self._when(entries.get("when"), declared, place)
            self._choice(choice, items if isinstance(items, list) else [], declared, place)
            return
        if not (accepts(field, int) or accepts(field, float)):
            words = literals(field)
            hint = f"a list of: {', '.join(map(str, words))}" if words else None
            self.wrong(node, f"{path} is not a number, so it has no range", hint)
            return
        self._keys(node, (*KEYS, "or", "when"), path)
        before = self.errors()
        domain = read_range(node, path, integer=not accepts(field, float), wrong=self.problems.append)
        if domain is not None:
            for key in ("low", "high"):
                self._fits(entries[key], declared, place)
        default = declared.default
        place = self._when(entries.get("when"), declared, place)
        if "or" in entries and self._fits(entries["or"], declared, place):
            other = entries["or"].plain()
            first = other if equal(default, other) else RANGE_OPTION
            domains = Choice((other, RANGE_OPTION))
            selector = Parameter(path + OR, place.target, domains, place.condition, first, selector=True)
            self.parameters.append(selector)
            place = place.under(selector.path, RANGE_OPTION)
        if domain is not None and self.errors() == before:
            self.parameters.append(Parameter(path, place.target, domain, place.condition, default))

    def _when(self, node: Node | None, declared: Declared, place: Place) -> Place:
        """The place with `when` as a condition; if it does not hold, the setting takes its default."""
        if node is None:
            return place
        expression = self.expression(node)
        if expression is None:
            return place
        self.whens.append((expression, node))
        self.fixed.append(Fixed(place.path, place.target, declared.default, place.condition))
        return replace(place, condition=place.condition.given(expression))

    def expression(self, node: Node) -> Expression | None:
        """Parse a text node as an expression; adds a problem if it is not one."""
        if not isinstance(node.value, str):
            self.wrong(node, f"an expression is text, not {node.text()}", 'quote it: "model.num_layers > 1"')
            return None
        try:
            return parse(node.value)
        except ExpressionError as error:
            self.wrong(node, str(error))
            return None

    def errors(self) -> int:
        """How many of the problems are more than warnings."""
        return sum(not problem.warning for problem in self.problems)

    def _fits(self, node: Node, declared: Declared, place: Place) -> bool:
        value = node.plain()
        complaining = complaint(declared.cls, declared.name, value)
        if isinstance(value, float) and not math.isfinite(value):
            complaining = "must be finite"
        if complaining is None:
            return True
        found = self.file.here(value, declared.cls, declared.name) if isinstance(value, str | bool) else None
        written = isinstance(found, dict) or (isinstance(found, list) and self.searchable)
        told = f"{_last(place.path)}: {flow(found)}" if written else hint_for(declared.cls, declared.name, value)
        told = f"write {told}" if written and isinstance(value, str) else told
        self.wrong(node, f"{place.path} {complaining}, not {node.text()}", told)
        return False

    def _open(self, node: Node, path: str, told: str | None = None) -> bool:
        if not self.searchable:
            self.wrong(node, f"{path} cannot be searched, so it must be one value, not {node.text()}", told)
        return self.searchable

    def _keys(self, node: Node, allowed: Iterable[str], path: str, cls: type[Settings] | None = None) -> None:
        self.problems += unknown_keys(node, Level(path, tuple(allowed), cls), self.file)


def _is_misspelt(name: str, node: Node, cls: type[Settings]) -> bool:
    """Whether the entries have this setting under another name, which is reported."""
    unknown = [key for key in node.entries if key not in cls.model_fields]
    return any(name == closest(key, cls.model_fields) or (place_of(key) or "").endswith(f".{name}") for key in unknown)


def _searched(node: Node) -> bool:
    return isinstance(node.value, list) or bool({"choose", "choice", "low"} & set(node.entries))


def _last(path: str) -> str:
    return path.rpartition(".")[2]
