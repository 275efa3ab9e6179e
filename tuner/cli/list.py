"""`tuner list WHAT`: models, datasets, samplers, metrics, spaces, with every hyperparameter that they take."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from tuner.search.listing import Component, Setting


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
    name: str | None = typer.Argument(None, help="Only this one."),
) -> None:
    """List what an experiment can name, with type, bounds, default and meaning of every setting.

    \b
      tuner list models
      tuner list models mlp
      tuner list spaces
    """
    from tuner.cli.console import console

    to = console()
    if name is not None:
        _one(to, what, name)
        return
    {"models": _models, "datasets": _datasets, "settings": _sections, "samplers": _samplers,
     "metrics": _metrics, "spaces": _spaces}[what](to)  # fmt: skip


def _one(to: Console, what: What, name: str) -> None:
    """One component with its settings, or one metric, sampler or space with its meaning. Raises `UsageError`."""
    from tuner.cli.spaces import first_words, shipped
    from tuner.errors import UsageError, did_you_mean
    from tuner.experiment.sections import SAMPLERS
    from tuner.metrics import METRICS
    from tuner.search.listing import models, sections, sources

    meanings = {
        What.samplers: SAMPLERS,
        What.metrics: {each.name: each.meaning for each in METRICS.values()},
        What.spaces: {each: first_words(path) for each, path in shipped().items()},
    }
    if what in meanings:
        known = meanings[what]
        found: list[Component] = []
    else:
        listed = {What.models: models, What.datasets: sources, What.settings: sections}[what]
        found = list(listed())
        known = {component.name: component.summary for component in found}
    if name not in known:
        raise UsageError(f"no '{name}' among the {what}", did_you_mean(name, known))
    if found:
        _components(to, (each for each in found if each.name == name or each.name.startswith(f"{name}.")))
    else:
        _pairs(to, [(name, known[name])])


def _models(to: Console) -> None:
    from tuner.models._own import SHAPES
    from tuner.search.listing import models

    _components(to, models())
    to.print(
        "[bold]FILE.py:CLASS, package.module:CLASS[/bold]  your own torch.nn.Module, beside the experiment file or "
        "installed. Its arguments, annotated or with a default, are its settings; these are filled in:"
    )
    _pairs(to, ((f"  {name}", shape.meaning) for name, shape in SHAPES.items()))


def _datasets(to: Console) -> None:
    from tuner.search.listing import settings_of, sources
    from tuner.sources.custom.loader import LoaderSettings
    from tuner.sources.custom.returned import MAY

    _components(to, sources())
    to.print(
        "[bold]FILE.py:FUNCTION, package.module:FUNCTION[/bold]  your own loader, beside the experiment file or "
        f"installed. Its arguments, annotated or with a default, are settings in addition to these. It may {MAY}."
    )
    _settings(to, settings_of(LoaderSettings))


def _sections(to: Console) -> None:
    from tuner.search.listing import sections
    from tuner.search.own_kinds import PARTS

    _components(to, sections())
    for part in PARTS:
        to.print(f"[bold]{part.section}: FILE.py:{part.word}[/bold]  your own {part.noun}: {part.what}")


def _components(to: Console, components: Iterable[Component]) -> None:
    from rich.markup import escape

    for name, summary, settings in components:
        to.print(f"[bold]{name}[/bold]  {escape(summary)}")
        _settings(to, settings)


def _settings(to: Console, settings: Iterable[Setting]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 2))
    for column in ("setting", "type", "bounds", "default", "meaning"):
        table.add_column(column, style="cyan" if column == "setting" else "")
    for setting in settings:
        table.add_row(*map(escape, setting))
    if table.row_count:
        to.print(table)
    to.print()


def _samplers(to: Console) -> None:
    from tuner.experiment.sections import SAMPLERS

    _pairs(to, ((name, "", meaning) for name, meaning in SAMPLERS.items()))


def _metrics(to: Console) -> None:
    from tuner.metrics import METRICS
    from tuner.search.own_metric import PASSED

    _pairs(
        to,
        (
            (m.name, f"{', '.join(m.tasks)}; {'higher' if m.maximize else 'lower'} is better", m.meaning)
            for m in METRICS.values()
        ),
    )
    to.print(
        "\n[bold]{name: FILE.py:FUNCTION, maximize: true}[/bold]  a function of yours, beside the experiment file. It "
        "takes those of these arguments that it needs; its other arguments are settings:"
    )
    _pairs(to, ((f"  {name}", meaning) for name, meaning in PASSED.items()))


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
