"""A hook of MkDocs: the pages of the reference that are made from the code, so that they cannot lag behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from typer.main import get_command

from tuner.cli.app import app
from tuner.escapes import markdown
from tuner.metrics import METRICS
from tuner.search.listing import Component, models, sections, sources


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    for name, text in PAGES.items():
        files.append(File.generated(config, f"reference/{name}.md", content="\n".join(text())))
    return files


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    head = list(head)
    yield _row(head)
    yield _row("---" for _ in head)
    yield from (_row(map(markdown, row)) for row in rows)
    yield ""


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _components(title: str, about: str, components: Iterable[Component]) -> Iterator[str]:
    yield from (f"# {title}", "", about, "")
    for name, summary, settings in components:
        yield from (f"{'##' if '.' not in name else '###'} `{name}`", "", markdown(summary), "")
        if settings:
            yield from _table(("setting", "type", "bounds", "default", "meaning"), settings)


def _metrics() -> Iterator[str]:
    yield from ("# Metrics", "", "An experiment names one as `metric`. `tuner list metrics` prints this table.", "")
    rows = (
        (metric.name, ", ".join(metric.tasks), "higher" if metric.maximize else "lower", metric.meaning)
        for metric in METRICS.values()
    )
    yield from _table(("metric", "tasks", "better", "meaning"), rows)


def _commands() -> Iterator[str]:
    yield from ("# Commands", "", "`tuner COMMAND --help` prints the same.", "")
    for name, verb in get_command(app).commands.items():  # type: ignore[attr-defined]
        yield from (f"## `tuner {name}`", "", *_paragraphs(verb.help or ""), "")
        options = ((", ".join(each.opts), each.help or "") for each in verb.params if each.name != "help")
        yield from _table(("argument", "meaning"), options)


def _paragraphs(text: str) -> Iterator[str]:
    """A help text, its examples as code."""
    words, _, examples = text.partition("\b")
    yield markdown(" ".join(words.split()))
    if examples.strip():
        yield from ("", "```text", *(line.strip() for line in examples.strip().splitlines()), "```")


PAGES = {
    "models": lambda: _components("Models", "`tuner list models` prints these tables.", models()),
    "sources": lambda: _components("Data sources", "`tuner list datasets` prints these tables.", sources()),
    "sections": lambda: _components(
        "Training, resampling, search, limits", "`tuner list settings` prints these tables.", sections()
    ),
    "metrics": _metrics,
    "commands": _commands,
}
