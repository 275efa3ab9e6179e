"""Data sets of tests, made of plain arrays in one call."""

from dataclasses import fields, replace
from typing import Any, cast

import numpy as np

from tuner.data.dataset import Dataset
from tuner.data.inputs import Ids, Inputs, Numbers, Tokens
from tuner.data.roles import Roles
from tuner.data.target import Amounts, Classes, Labels, NaiveForecast, PerPosition, Target, Text

ROLES = tuple(field.name for field in fields(Roles))
PLACES = {"features": ("inputs", "values"), "codes": ("inputs", "codes"), "targets": ("target", "values"),
          "lengths": ("inputs", "lengths"), **{role: ("roles", role) for role in ROLES}}  # fmt: skip


def toy_dataset(
    name: str, task: str, features: np.ndarray, targets: np.ndarray, names: tuple[str, ...] = (),
    target_names: tuple[str, ...] = ("y",), classes: tuple[str, ...] = (), categories: tuple[slice, ...] = (), *,
    vocabularies: tuple[tuple[str, ...], ...] = (), side: np.ndarray | None = None, lengths: np.ndarray | None = None,
    naive: np.ndarray | None = None, last: np.ndarray | None = None, season: int = 1, horizon: int = 1, **more: Any,
) -> Dataset:  # fmt: skip
    """A data set of one task. Its inputs are tokens with one vocabulary, ids with several (or with numbers beside),
    and numbers without any."""
    roles = Roles(**{role: more.pop(role) for role in ROLES if role in more})
    told = {key: more.pop(key) for key in ("hints", "notes") if key in more}
    inputs: Inputs
    if len(vocabularies) > 1 or side is not None:
        numbers = None if side is None else Numbers(side, names[len(vocabularies) :], categories=categories, **more)
        inputs = Ids(features, vocabularies, names[: len(vocabularies)], numbers)
    elif vocabularies:
        inputs = Tokens(features, vocabularies[0], lengths, **more)
    else:
        inputs = Numbers(features, names, lengths, categories, **more)
    forecast = None if naive is None else NaiveForecast(naive, last, season, horizon)
    kinds: dict[str, Any] = {
        "classification": lambda: Classes(targets, classes, target_names),
        "multilabel": lambda: Labels(targets, target_names),
        "regression": lambda: Amounts(targets, target_names, forecast),
        "translation": lambda: Text(targets, classes, target_names),
    }
    target: Target = kinds.get(task, lambda: PerPosition(targets, classes, target_names, cast(Any, task)))()
    return Dataset(name, inputs, target, roles, **told)


def changed(dataset: Dataset, **arrays: Any) -> Dataset:
    """The same with other features, codes, targets, lengths or roles."""
    for name, array in arrays.items():
        part, field = PLACES[name]
        dataset = replace(dataset, **{part: replace(getattr(dataset, part), **{field: array})})
    return dataset
