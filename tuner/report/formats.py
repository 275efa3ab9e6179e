"""The report as JSON, CSV and Markdown."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from html import escape
from typing import Any

from tuner.escapes import cell, markdown
from tuner.experiment.records import RefitRecord, TrialRecord
from tuner.experiment.selection import refit_epochs
from tuner.report.failures import failures as reasons
from tuner.report.gains import Gain
from tuner.report.results import Results
from tuner.report.statistics import Interval
from tuner.report.tables import Cell, Table, cells, failures, outer_folds, probability, ranking
from tuner.report.verdicts import dummy
from tuner.report.words import headline, title


def as_json(results: Results, top: int | None, chain: str, trial: TrialRecord | None) -> str:
    """The whole report for programs, with the learning curves of one trial.

    `seconds` are the only values that differ between two equal runs."""

    def table(value: Table) -> list[dict[str, Cell]]:
        return [dict(zip(value.columns, row, strict=True)) for row in value.rows]

    def spanned(value: Interval | None) -> Any:
        return value and {"mean": value.mean, "half": value.half, "low": value.low, "high": value.high}

    def compared(value: Gain | None) -> Any:
        return value and {
            "mean": value.mean, "gain": spanned(value.gain), "p": value.p, "adjusted": value.adjusted,
            "distinguishable": value.distinguishable,
        }  # fmt: skip

    report: Mapping[str, Any] = {
        "name": results.name,
        "dataset": asdict(results.header.dataset),
        "metric": results.metric,
        "maximize": results.maximize,
        "complete": results.complete,
        "score": spanned(results.score),
        "interval": results.kind,
        "warnings": [*results.header.hints, *results.storage_warnings, *results.header.notes],
        "raised": results.header.raised,
        "inner_best": results.inner_best,
        "optimism": results.optimism,
        "corrected": {"tibshirani": results.corrected, "bbc": results.bootstrapped and asdict(results.bootstrapped)},
        "default": {"values": results.default and results.default.values, "score": spanned(results.default_score)},
        "against_default": compared(results.against_default),
        "against_dummy": compared(results.against_dummy),
        "dummy": dict(zip(("what", "predicts"), dummy(results), strict=True)) if results.against_dummy else None,
        "outer_folds": table(outer_folds(results)),
        "ranking": table(ranking(results, top, chain)),
        "deploy": deploy(results),
        "pruned": dict(zip(("trials", "saved_at_most"), results.pruned(), strict=True)),
        "failures": [asdict(each) for each in reasons(results)],
        "gradients": {f.name: {"winner": _inside(f.refit), "default": _inside(f.default)} for f in results.folds},
        "curves": trial and {"chain": chain, "trial": trial.number, **asdict(trial.curves)},
    }  # fmt: skip
    return json.dumps(report, indent=2)


def _inside(refit: RefitRecord | None) -> dict[str, Any] | None:
    return {"norms": refit.gradients, "dead": refit.dead} if refit else None


def deploy(results: Results) -> dict[str, Any] | None:
    """The trial to deploy, the winner of the final chain, and how to train it on all rows: for `epochs` epochs (the
    median best epoch of its inner folds), without early stopping, with the learning-rate schedule of `horizon` epochs
    cut off there. None until there is an outer score, except in a flat search.
    """
    chosen = results.deployed
    if chosen is None or (results.score is None and not results.flat):
        return None
    training = {key: value for key, value in chosen.configuration.training.items() if key != "early_stopping"}
    horizon, epochs = training.pop("epochs"), refit_epochs(chosen)
    return {
        "trial": chosen.number,
        "threshold": None if chosen.threshold is None else probability(chosen.threshold),
        "epochs": epochs,
        "horizon": horizon,
        "how": f"train on all rows for {epochs} epochs, the median best epoch of the inner folds, without early "
        f"stopping; a learning-rate schedule is that of {horizon} epochs, cut there",
        "model": chosen.configuration.model,
        "training": training,
    }


def as_csv(table: Table) -> str:
    """One table as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(cell, table.columns))
    writer.writerows(map(cell, row) for row in table.rows)
    return out.getvalue().rstrip("\n")


def as_markdown(results: Results, top: int | None, chain: str) -> str:
    """Headline and tables as Markdown."""
    parts = [
        f"# {markdown(results.name)}",
        *map(markdown, title(results)),
        "\n".join(f"* {markdown(text)}" for text in headline(results)),
    ]
    for table in (outer_folds(results), ranking(results, top, chain), failures(results)):
        if table.rows:
            lines = [
                table.columns,
                ["---"] * len(table.columns),
                *cells(table),
            ]
            body = "\n".join("| " + " | ".join(markdown(str(c)) for c in line) + " |" for line in lines)
            parts += [f"## {markdown(table.title)}", body]
    return "\n\n".join(parts)


def as_html(name: str, text: str) -> str:
    """The terminal's report as a page."""
    head = f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(name)}</title></head>'
    style = "white-space: pre-wrap; max-width: 102ch; line-height: 1.2"  # tables have 100 columns; sentences wrap
    return f'{head}\n<body><pre style="{style}">\n{escape(text)}\n</pre></body></html>'
