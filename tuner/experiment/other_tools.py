"""What to write here for a setting that another tool has, under its name or at its place.

The tools are W&B, Optuna, Ray Tune, NNI, Hydra, Keras Tuner, Lightning and scikit-learn. A hint names the right place
with the line to write, or there is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tuner.errors import closest, plain_name
from tuner.experiment.flow import flow
from tuner.experiment.other_names import (
    ADVICE,
    FILES,
    FIRST_TRIALS,
    METRICS,
    NOTES,
    OPTIMIZER,
    OPTIMIZERS,
    PRUNER,
    SAMPLER,
    SEEDS,
    SPACES,
    STOPPING,
    TITLES,
    WIDTHS,
    last_name,
    place_of,
)
from tuner.experiment.other_ranges import as_here, is_range
from tuner.experiment.other_values import component, early_stopping, here, name_in
from tuner.experiment.sections import study_name
from tuner.experiment.settings import Alternatives, Settings, alternatives, complaint
from tuner.experiment.yaml_file import Node

LOSSES = ("loss", "valloss", "trainloss", "testloss", "validationloss", "evalloss", "default")
SAMPLERS, PRUNERS = ("grid", "random", "tpe", "gp"), ("median", "percentile", "halving")
OF_ROWS = re.compile(r"^(val|valid|validation|test|train|eval)[_/]", re.IGNORECASE)
OF_THE_TASK = "leave it out for the usual metric of the task; or log_loss for classes, mse for numbers"


class Level(NamedTuple):
    """A mapping of the file: its path, the keys that it may have, and the class of settings that it is read as."""

    path: str
    allowed: tuple[str, ...]
    cls: type[Settings] | None = None


@dataclass(frozen=True)
class File:
    """The context in which a part of a file is read: the whole file, the settings of each section, the known metrics,
    and for settings that name a component (by path) the components that they can name."""

    root: Node = field(default_factory=lambda: Node({}, 0, 0))
    sections: Mapping[str, type[Settings]] = field(default_factory=dict)
    metrics: tuple[str, ...] = ()
    parts: Mapping[str, Alternatives] = field(default_factory=dict)

    def stated(self, place: str) -> Any:
        """The value that the file gives a setting anywhere, under any of its names; None if it does not."""
        return next((value for key, value in _entries(self.root.plain()) if place_of(key) == place), None)

    @property
    def optimizer(self) -> str | list[str]:
        """The name of the optimizer that the file uses, or several among which it searches; by default adam."""
        owner, value = self.sections.get("training"), self.stated(OPTIMIZERS)
        if owner is None:
            return "adam"
        found = component(value, alternatives(owner.model_fields["optimizer"]))
        found = found["name"] if isinstance(found, dict) else found
        return found or "adam"

    def metric(self, value: Any) -> str | None:
        """The metric here that a value names, such as val_acc or {name: val_acc, goal: maximize}."""
        several = value if isinstance(value, list) else [name_in(value)]
        word = several[0] if several and isinstance(several[0], str) else None
        return closest(OF_ROWS.sub("", word), self.metrics) if word and not is_loss(word) else None

    def value(self, place: str, value: Any, cls: type[Settings] | None = None) -> Any:
        """The value of the setting at a place, which `cls` may have, as it is written here; … if that is not known."""
        section, _, last = place.partition(".")
        owner = cls or self.sections.get(section)
        found: Any = None
        if place == WIDTHS:
            return _widths(as_here(value) or value) or "…"
        if section == "limits" and isinstance(value, int | float):
            return f"{round(value)}s"
        if owner is None or last not in owner.model_fields:
            found = as_here(value)
        else:
            found = self.here(value, owner, last)
            if found is None and isinstance(value, str) and not _is_possible(owner, last, value):
                return "…"
        if found is not None:
            return found
        named = owner is not None and last in owner.model_fields and bool(alternatives(owner.model_fields[last]))
        unknown = (
            not is_range(value) if isinstance(value, dict) and not named else named and isinstance(value, dict | list)
        )
        return "…" if value is None or unknown else value

    def here(self, value: Any, cls: type[Settings], name: str) -> Any:
        """The value of another tool as the setting `name` is written here; None if that cannot be told, or it is so
        already."""
        found = here(value, cls.model_fields[name])
        patience = self.stated(f"{STOPPING}.patience")
        return {"patience": patience} if found and value is True and type(patience) is int else found


def is_loss(word: Any) -> bool:
    """Whether a metric is called as other tools call the loss, or their only metric."""
    return isinstance(word, str) and plain_name(word.replace("/", "")) in LOSSES


def _is_possible(cls: type[Settings], name: str, value: str) -> bool:
    return value in alternatives(cls.model_fields[name]) or complaint(cls, name, value) is None


def _entries(tree: Any) -> Iterator[tuple[str, Any]]:
    """Every entry of a tree of mappings, those of a mapping after itself."""
    for key, value in tree.items() if isinstance(tree, dict) else ():
        yield key, value
        yield from _entries(value)


def line(path: str, value: Any, optimizer: str | list[str] = "adam") -> str:
    """The setting at a path of the file, as a line to write; `optimizer` is the one, or those, whose setting it may
    be."""
    first, *inner = path.split(".")
    whole, names = value, [first, *inner]
    for name, above in zip(reversed(inner), reversed(names[:-1]), strict=True):
        whole = _of_optimizer(optimizer, {name: whole}) if above == "optimizer" else {name: whole}
    return f"{first}: {flow(whole)}"


def _of_optimizer(optimizer: Any, own: Mapping[str, Any]) -> Any:
    """The optimizer with its settings; of several optimizers, each with its own."""
    if isinstance(optimizer, list):
        return {"choose": dict.fromkeys(optimizer, own)} if own else optimizer
    if isinstance(optimizer, dict):
        return {**optimizer, **own}
    return {"name": optimizer, **own} if own else optimizer


def hint(key: str, node: Node, level: Level, file: File) -> str | None:
    """What to write instead of an unknown key with this value at this level; None if nothing is known."""
    name, value = plain_name(key), node.plain()
    if "." in level.path:
        place = _place(key, value)
        told = "leave it out: the metric of the file counts" if name in ("mode", *METRICS) else None
        if place and key not in NOTES:
            return _at_place(place, key, value, level, file)
        return told if level.path == STOPPING else None
    if told := _by_name(name, value, level, file):
        return told
    if place := _place(key, value):
        return _at_place(place, key, value, level, file)
    if stopping := early_stopping(key, value):
        return line(STOPPING.removeprefix(f"{level.path}."), stopping)
    if name in SPACES and isinstance(value, dict) and level.path in ("", "search"):
        return _lines_of(value, file)
    return ADVICE.get(name)


def _by_name(name: str, value: Any, level: Level, file: File) -> str | None:
    """The hint for a key that stands for another line than that of one setting."""
    if name in SEEDS:
        seed = value if type(value) is int else 0
        lines = f"search: {{seed: {seed}}} for proposals and trainings; resampling: {{seed: {seed}}} for the folds"
        return "did you mean 'seed'?" if "seed" in level.allowed else lines
    if name in METRICS:
        metric = file.metric(value)
        if "metric" in file.root.entries:
            return "leave it out: the metric of the file counts"
        return f"metric: {metric}" if metric else OF_THE_TASK
    if name in TITLES and isinstance(value, str):
        with suppress(ValueError):
            return line("name", study_name(value))
        return "name: NAME"
    if name in FIRST_TRIALS:
        first = value[0] if isinstance(value, list) and value else value
        places = {place: each for key, each in _entries(first) if (place := place_of(key))}
        told = line("search.default", places or {"model.hidden_size": 32})
        return f"{told.removeprefix('search: {').removesuffix('}') if level.path == 'search' else told}: trial 0"
    return None


def _place(key: str, value: Any) -> str | None:
    """The place of a setting; what other tools call a scheduler or a tuner may be a pruner here."""
    place = place_of(key)
    if plain_name(key) == "scheduler" or place == SAMPLER:
        name = name_in(value) or ""
        if closest(name, PRUNERS) and not closest(name, SAMPLERS):
            return PRUNER
    return place


def _at_place(place: str, key: str, value: Any, level: Level, file: File) -> str | None:
    """The line for a setting whose place is known."""
    above, _, last = place.rpartition(".")
    if last in level.allowed:
        found = file.value(place, value, level.cls)
        return f"did you mean '{last}'?" if found in (value, "…") else f"{last}: {flow(found)}"
    if above == level.path:
        return None
    told = line(place.removeprefix(f"{level.path}."), file.value(place, value), file.optimizer)
    return told + NOTES.get(plain_name(key), "")


def _widths(sizes: Any) -> str | list[str] | None:
    """The sizes of layers as a text such as 64-32, or several of them; None if these are no sizes."""
    if isinstance(sizes, list) and sizes and all(isinstance(each, list) for each in sizes):
        several = [_widths(each) for each in sizes]
        return [each for each in several if isinstance(each, str)] if all(several) else None
    whole = isinstance(sizes, list) and sizes and all(type(each) is int for each in sizes)
    return "-".join(map(str, sizes)) if whole else None


def _lines_of(value: Mapping[str, Any], file: File) -> str | None:
    """The lines for a mapping of settings of several sections."""
    found: dict[str, Any] = {}
    for key, inner in value.items():
        _collect(key, inner, file, found)
    if not found:
        return "a list or {low: …, high: …} in the place of a value in model or training is searched"
    if f"{STOPPING}.patience" in found:
        found.pop(STOPPING, None)
    optimizers = found.pop(OPTIMIZERS, None)
    own = {place.rpartition(".")[2]: found.pop(place) for place in list(found) if place == OPTIMIZER}
    sections: dict[str, Any] = {}
    if optimizers is not None or own:
        sections["training"] = {"optimizer": _of_optimizer(optimizers or file.optimizer, own)}
    for place, each in found.items():
        *above, last = place.split(".")
        whole = sections
        for name in above:
            whole = whole.setdefault(name, {})
        whole[last] = each
    notes = "".join(note for key, note in NOTES.items() if key in map(last_name, value))
    return ", and ".join(f"{section}: {flow(settings)}" for section, settings in sections.items()) + notes


def _collect(key: str, value: Any, file: File, found: dict[str, Any]) -> None:
    """Put the settings of an entry, and of those inside it, into `found`, by their places."""
    name = plain_name(last_name(key))
    if name in METRICS:
        if (metric := file.metric(value)) and "metric" not in file.root.entries:
            found["metric"] = metric
    elif place := _place(key, value):
        found.setdefault(place, file.value(place, value))
    elif name in SEEDS:
        found["search.seed"] = value
    elif stopping := early_stopping(key, value):
        found.setdefault(STOPPING, stopping)
    elif isinstance(value, dict) and name not in ADVICE:
        for inner_key, inner in value.items():
            _collect(inner_key, inner, file, found)


def of_file(name: str) -> str | None:
    """The line for a dataset that is named by its file; None if it is none."""
    source = FILES.get(name.lower().removesuffix(".gz").rpartition(".")[2]) if "." in name else None
    if source is None:
        return None
    return line("dataset", {"name": source, "path": name, **({"target": "COLUMN"} if source == "table" else {})})
