"""Rejects settings that the chosen model, task or loss never reads."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from pydantic.fields import FieldInfo

from tuner.data.cuts import kind_of
from tuner.data.dataset import Dataset
from tuner.errors import DataError
from tuner.experiment.experiment import Experiment
from tuner.experiment.own_code import is_user_code
from tuner.experiment.settings import Alternatives, Settings, alternatives, meets, needs, not_used, subsettings
from tuner.experiment.space import RANGE_OPTION, Choice, Fixed, Parameter, Range
from tuner.training.losses import BY_TASK
from tuner.training.settings import TrainingSettings

Entry = Parameter | Fixed


class UnusableSetting(NamedTuple):
    """A setting that cannot be used: its path in the file, the reason, and how to fix it."""

    path: str
    text: str
    hint: str


def check_used(
    experiment: Experiment, dataset: Dataset | None, models: Alternatives, unsure: Collection[str] = ()
) -> None:
    """Raise with every setting of the file that cannot be used, at its place.

    Args:
        experiment: its settings that have mistakes are passed over.
        dataset: None if it could not be read.
        models: the settings of the models.
        unsure: facts of the data, by the name that `used_when` gives them, that other mistakes concern.
    """
    found = [*_of_space(experiment, dataset, models, unsure)]
    if dataset is not None:
        found += _with_data(experiment, dataset)
    if found:
        raise experiment.document.error([experiment.problem(*each) for each in found])


def _of_space(
    experiment: Experiment, dataset: Dataset | None, models: Alternatives, unsure: Collection[str]
) -> Iterator[UnusableSetting]:
    """Each setting of the model and the training that has no effect with this data, model or other setting."""
    entries: list[Entry] = [*experiment.space.parameters, *experiment.space.fixed]
    about = {**_about(entries, dataset), **dict.fromkeys(unsure, ())}
    for entry in entries:
        for above, name, cls in _levels(entry, entries, models):
            leaf = entry.target.removeprefix(f"{above}.{name}").split(".")[1:]
            for other, used in needs(cls, name).items() if _written(entry, cls.model_fields[name], leaf) else ():
                given = about[other] if other in about else _named(entry, f"{above}.{other}", entries)
                if given and not any(_unknown(value) or meets(value, used) for value in given):
                    hint = "leave it out" + (f", or change {other}" if other not in about else "")
                    yield UnusableSetting(entry.path, not_used(name, other, used, given), hint)
    yield from _too_slow(entries)


def _unknown(value: Any) -> bool:
    """Whether a possible value is a range, or the user's own code, which may be anything."""
    return value == RANGE_OPTION or (isinstance(value, str) and is_user_code(value))


def _about(entries: Sequence[Entry], dataset: Dataset | None) -> dict[str, tuple[Any, ...]]:
    """Facts of the data by the name that `used_when` gives them, without values where they are not known; and the loss
    without values, if it is not one for the task."""
    if dataset is None:
        return {"task": (), "layout": ()}
    facts: dict[str, tuple[Any, ...]] = {"task": (dataset.task,), "layout": (dataset.layout,)}
    return facts | ({"loss": ()} if any(True for _ in _other_losses(entries, dataset)) else {})


def _with_data(experiment: Experiment, dataset: Dataset) -> Iterator[UnusableSetting]:
    """Each setting that has no effect, or not the intended one, with this data."""
    entries: list[Entry] = [*experiment.space.parameters, *experiment.space.fixed]
    if "resampling" not in experiment.invalid:
        with suppress(DataError):  # which is reported where the rows are cut
            kind = kind_of(experiment.resampling, dataset)
            yield from _unused_of("resampling", experiment.resampling, {"kind": (kind,)})
    yield from _too_far(entries, dataset)
    for path, loss in _other_losses(entries, dataset):
        text = f"{loss} is not a loss for {dataset.task}"
        yield UnusableSetting(path, text, f"one of: {', '.join(BY_TASK[dataset.task])}")


def _other_losses(entries: Sequence[Entry], dataset: Dataset) -> Iterator[tuple[str, str]]:
    """The place and the name of each loss that is not one for the task of the data."""
    for entry in (each for each in entries if each.target in ("training.loss.name", "training.loss")):
        for loss in _values(entry):
            if loss is not None and not is_user_code(loss) and loss not in BY_TASK[dataset.task]:
                yield entry.path.removesuffix(".name"), loss


def _unused_of(
    section: str, settings: Settings, facts: Mapping[str, tuple[Any, ...]], invalid: Collection[str] = ()
) -> Iterator[UnusableSetting]:
    """Each setting of a section that is not used. The section is not searched; `facts` are known of the data: by
    name, as `used_when` calls it, the values that it has. Those that are `invalid` may have other values."""
    for name, field in type(settings).model_fields.items():
        if getattr(settings, name) == field.get_default(call_default_factory=True):
            continue
        for other, used in needs(type(settings), name).items():
            found = facts[other] if other in facts else (getattr(settings, other),)
            if other not in invalid and not any(meets(value, used) for value in found):
                yield UnusableSetting(f"{section}.{name}", not_used(name, other, used, found), "leave it out")


def check_dataset(experiment: Experiment, facts: Mapping[str, tuple[Any, ...]]) -> None:
    """Raise with every setting of the data that is not used."""
    entries = experiment.document.root.find("dataset").entries
    invalid = tuple(entries) if "dataset" in experiment.invalid else ()  # any of them may be the one
    if found := [experiment.problem(*each) for each in _unused_of("dataset", experiment.dataset, facts, invalid)]:
        raise experiment.document.error(found)


def _too_slow(entries: list[Entry]) -> Iterator[UnusableSetting]:
    """A warm-up that is not shorter than any training."""
    ends = {
        name: [end for each in entries if each.target == f"training.{name}" for end in extremes(each)]
        for name in ("warmup", "epochs")
    }
    if all(ends.values()) and min(ends["warmup"]) >= max(ends["epochs"]):
        text = f"a warm-up of {min(ends['warmup']):g} epochs leaves nothing of {max(ends['epochs']):g} epochs"
        yield UnusableSetting("training.warmup", text, "a shorter warmup, or more epochs")


def _too_far(entries: list[Entry], dataset: Dataset) -> Iterator[UnusableSetting]:
    """A shift that can move the whole image out of view."""
    least = min(dataset.features.shape[2:], default=0)
    furthest = max((end for each in entries if each.target == "training.shift" for end in extremes(each)), default=0)
    if dataset.layout == "image" and furthest >= least:
        text = f"shift: {furthest} pixels can move the whole image out of view: it is {least} pixels wide or high"
        yield UnusableSetting("training.shift", text, "fewer pixels")


def extremes(entry: Entry) -> tuple[Any, ...]:
    """The possible values of an entry; for a range its two bounds."""
    if isinstance(entry, Parameter) and isinstance(entry.domain, Range):
        return entry.domain.low, entry.domain.high
    return tuple(value for value in _values(entry) if value != RANGE_OPTION)  # the range is another entry


def _levels(entry: Entry, entries: list[Entry], models: Alternatives) -> Iterator[tuple[str, str, type[Settings]]]:
    """The settings that an entry is part of, from the outermost: the path of its parent, its name, its class."""
    section, *names = entry.target.split(".")
    if section == "training":
        settings: type[Settings] | None = TrainingSettings
    elif section == "model" and names[0] != "name":
        settings = models[_chosen(entry, "model", entries)]
    else:
        return
    above = section
    for name in names:
        if settings is None or (info := settings.model_fields.get(name)) is None:
            return
        yield above, name, settings
        above = f"{above}.{name}"
        among = alternatives(info)
        settings = among.get(_chosen(entry, above, entries)) if among else subsettings(info)


def _chosen(entry: Entry, above: str, entries: list[Entry]) -> str:
    """The alternative `above` that an entry is a setting of."""
    names = [*dict.fromkeys(_possible(entry, f"{above}.name", entries))]
    branches = [name for path, name in entry.condition.selected if name in names and _is_at(path, above, entries)]
    return str(branches[0] if branches else names[0] if names else None)


def _is_at(path: str, above: str, entries: list[Entry]) -> bool:
    return any(each.path == path and each.target == f"{above}.name" for each in entries)


def _written(entry: Entry, info: FieldInfo, leaf: list[str]) -> bool:
    """Whether the entry, the `leaf` of a setting, can have another value than the default."""
    default = info.get_default()
    for part in leaf:
        default = getattr(default, part, None)
    return any(value != default for value in _values(entry))


def _values(entry: Entry) -> tuple[Any, ...]:
    """The possible values of an entry; `RANGE_OPTION` for a range."""
    if isinstance(entry, Fixed):
        return (entry.value,)
    return entry.domain.options if isinstance(entry.domain, Choice) else (RANGE_OPTION,)


def _named(entry: Entry, target: str, entries: list[Entry]) -> tuple[Any, ...]:
    """The possible values of a setting, or the names if it is one of several alternatives."""
    return _possible(entry, f"{target}.name", entries) or _possible(entry, target, entries)


def _possible(entry: Entry, target: str, entries: list[Entry]) -> tuple[Any, ...]:
    """The possible values of the setting at `target` in the configurations that have the entry."""
    branch: Mapping[str, str] = dict(entry.condition.selected)
    alike = [
        each for each in entries
        if each.target == target and all(branch.get(k, v) == v for k, v in each.condition.selected)
    ]  # fmt: skip
    return tuple(value for each in alike for value in _values(each))
