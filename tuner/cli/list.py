"""`tuner list WHAT`: models, datasets, samplers, metrics, spaces, with every hyperparameter that they take."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from tuner.experiment.settings import Settings


class What(enum.StrEnum):
    """What can be listed."""

    models = "models"
    datasets = "datasets"
    settings = "settings"
    samplers = "samplers"
    metrics = "metrics"
    spaces = "spaces"


def command(
    what: What = typer.Argument(help="models, datasets, settings, samplers, metrics or spaces."),
) -> None:
    """List what an experiment can name, with type, bounds, default and meaning of every setting.

    \b
      tuner list models
      tuner list spaces
    """
    from tuner.cli.console import console

    to = console()
    {"models": _models, "datasets": _datasets, "settings": _general, "samplers": _samplers,
     "metrics": _metrics, "spaces": _spaces}[what](to)  # fmt: skip


def _models(to: Console) -> None:
    from tuner.models._own import SHAPES
    from tuner.search.catalogue import MODELS

    _members(to, MODELS)
    to.print(
        "[bold]FILE.py:CLASS, package.module:CLASS[/bold]  your own torch.nn.Module, beside the experiment file or "
        "installed. Its arguments, annotated or with a default, are its settings; these are handed in:"
    )
    _pairs(to, ((f"  {name}", shape.meaning) for name, shape in SHAPES.items()))


def _datasets(to: Console) -> None:
    from tuner.search.catalogue import SOURCES
    from tuner.sources.custom.loader import LoaderSettings
    from tuner.sources.custom.returned import MAY

    _members(to, SOURCES)
    to.print(
        "[bold]FILE.py:FUNCTION, package.module:FUNCTION[/bold]  your own loader, beside the experiment file or "
        f"installed. Its arguments, annotated or with a default, are its settings beside these. It may {MAY}."
    )
    _settings(to, LoaderSettings)


def _members(to: Console, package: str) -> None:
    from tuner import registry

    for name in registry.names(package):
        _component(to, name, registry.summary(package, name), registry.load(package, name).Settings)


def _general(to: Console) -> None:
    from tuner.experiment.sections import Limits, Resampling, Search
    from tuner.training.settings import TrainingSettings

    sections: dict[str, type[Settings]] = {
        "training": TrainingSettings,
        "resampling": Resampling,
        "search": Search,
        "limits": Limits,
    }
    for name, settings in sections.items():
        _component(to, name, _first_line(settings), settings)


def _component(to: Console, name: str, summary: str, settings: type[Settings]) -> None:
    from tuner.experiment.settings import alternatives, subsettings

    to.print(f"[bold]{name}[/bold]  {summary}")
    _settings(to, settings)
    for key, field in settings.model_fields.items():
        inner = subsettings(field)
        for word, cls in (alternatives(field) or ({"": inner} if inner else {})).items():
            path = f"{key}.{word}" if word else key
            to.print(f"[bold]{name}.{path}[/bold]  {_first_line(cls)}")
            _settings(to, cls)


def _first_line(settings: type[Settings]) -> str:
    return (settings.__doc__ or "").strip().partition("\n")[0]


def _settings(to: Console, settings: type[Settings]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from tuner.experiment.settings import describe, either, name_of, needs

    table = Table(box=None, padding=(0, 2, 0, 2))
    for column in ("setting", "type", "bounds", "default", "meaning"):
        table.add_column(column, style="cyan" if column == "setting" else "")
    for key, field in settings.model_fields.items():
        if key == "name" and name_of(settings):
            continue
        kind, bounds = describe(field)
        where = "; ".join(f"only with {other} {either(values)}" for other, values in needs(field).items())
        meaning = "; ".join(text for text in (field.description, where) if text)
        table.add_row(*map(escape, (key, kind, bounds, _default(field.get_default()), meaning)))
    if table.row_count:
        to.print(table)
    to.print()


def _default(value: object) -> str:
    from pydantic_core import PydanticUndefined

    if value is PydanticUndefined:
        return "required"
    named = getattr(value, "name", value)
    return json.dumps(named).strip('"') if named != () else "none"


def _samplers(to: Console) -> None:
    from tuner.experiment.sections import SAMPLERS

    _pairs(to, ((name, "", meaning) for name, meaning in SAMPLERS.items()))


def _metrics(to: Console) -> None:
    from tuner.training.metrics import METRICS

    _pairs(
        to,
        (
            (m.name, f"{', '.join(m.tasks)}; {'higher' if m.maximize else 'lower'} is better", m.meaning)
            for m in METRICS.values()
        ),
    )


def _spaces(to: Console) -> None:
    from tuner.cli.spaces import first_words, shipped

    _pairs(to, ((name, f"tuner search {name}", first_words(path)) for name, path in shipped().items()))


def _pairs(to: Console, rows: Iterable[tuple[str, ...]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    to.print(table)
