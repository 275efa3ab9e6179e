"""Settings that nothing would use: of another cell, another task, another loss. An error, not ignored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from tuner.data.dataset import Dataset
from tuner.errors import ExperimentError
from tuner.search.catalogue import model
from tuner.spec.experiment import Experiment
from tuner.spec.settings import Settings, either, needs
from tuner.spec.space import RANGE_OPTION, Choice, Fixed, Parameter
from tuner.training.losses import BY_TASK
from tuner.training.settings import TrainingSettings

Entry = Parameter | Fixed


def check_used(experiment: Experiment, dataset: Dataset) -> None:
    """Raise with every setting of the file that cannot be used, at its place."""
    found = [experiment.error(path, text, hint).message for path, text, hint in _unused(experiment, dataset)]
    if found:
        raise ExperimentError("\n".join(dict.fromkeys(found)))


def _unused(experiment: Experiment, dataset: Dataset) -> Iterator[tuple[str, str, str]]:
    """Each as (path, what is wrong, the cure)."""
    entries: list[Entry] = [*experiment.space.parameters, *experiment.space.fixed]
    about = {"task": (dataset.task,), "layout": (dataset.layout,)}
    for entry in entries:
        field = _field(entry, entries, experiment.folder)
        if field is None or not _written(entry, field[1]):
            continue
        name, info = field
        for other, used in needs(info).items():
            given = about.get(other) or _possible(entry, other, entries)
            if not set(given) & set(used):
                text = f"{name} is used only with {other} {either(used)}, and here {other} is {either(given)}"
                yield entry.path, text, "leave it out"
    losses = BY_TASK[dataset.task]
    for entry in (each for each in entries if each.target in ("training.loss.name", "training.loss")):
        for loss in _values(entry):
            if loss is not None and loss not in losses:
                text = f"{loss} is no loss of {dataset.task}"
                yield entry.path.removesuffix(".name"), text, f"one of: {', '.join(losses)}"


def _field(entry: Entry, entries: list[Entry], folder: Path) -> tuple[str, FieldInfo] | None:
    """The setting of model or training that an entry is, or is part of."""
    section, _, rest = entry.target.partition(".")
    name = rest.partition(".")[0]
    if section == "training":
        settings: type[Settings] = TrainingSettings
    elif section == "model" and name not in ("", "name"):
        names = dict(entry.condition.selected)
        fixed = next((e.value for e in entries if isinstance(e, Fixed) and e.path == "model.name"), None)
        settings = model(str(names.get("model", fixed)), folder).Settings
    else:
        return None
    info = settings.model_fields.get(name)
    return None if info is None else (name, info)


def _written(entry: Entry, info: FieldInfo) -> bool:
    """Whether the entry can have another value than the default."""
    default, leaf = info.get_default(), entry.target.split(".")[2:]
    for part in leaf:
        default = getattr(default, part, None)
    return any(value != default for value in _values(entry))


def _values(entry: Entry) -> tuple[Any, ...]:
    """What an entry can be; a range counts as anything."""
    if isinstance(entry, Fixed):
        return (entry.value,)
    return entry.domain.options if isinstance(entry.domain, Choice) else (RANGE_OPTION,)


def _possible(entry: Entry, sibling: str, entries: list[Entry]) -> tuple[Any, ...]:
    """What the setting `sibling` beside an entry can be, under the same branch."""
    target = f"{entry.target.partition('.')[0]}.{sibling}"
    branch: Mapping[str, str] = dict(entry.condition.selected)
    alike = [
        each for each in entries
        if each.target == target and all(branch.get(k, v) == v for k, v in each.condition.selected)
    ]  # fmt: skip
    return tuple(value for each in alike for value in _values(each))
