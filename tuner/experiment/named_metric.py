"""Reads the metric of an experiment file: a name, or the user's own function with its settings."""

from __future__ import annotations

from typing import NamedTuple

from tuner.errors import Problem, did_you_mean
from tuner.experiment.other_tools import OF_THE_TASK, File, is_loss
from tuner.experiment.other_values import name_in
from tuner.experiment.own_code import is_user_code
from tuner.experiment.settings import Alternatives, Settings
from tuner.experiment.unsearched import read_section
from tuner.experiment.yaml_file import Node, at


class NamedMetric(NamedTuple):
    """The metric that a file names, its settings if it is the user's own, and the problems of that section."""

    name: str | None = None
    settings: Settings | None = None
    problems: tuple[Problem, ...] = ()


def read_metric(file: File, own: Alternatives) -> NamedMetric:
    """Read the section `metric`.

    Args:
        file: the file.
        own: the settings of the user's own metrics.
    """
    node = file.root.entries.get("metric")
    if node is None:
        return NamedMetric()
    name = node.entries.get("name", node).value
    if isinstance(name, str) and is_user_code(name):
        settings, problems = read_section(file, "metric", own)
        return NamedMetric(problems=tuple(problems)) if problems else NamedMetric(name, settings)
    if not isinstance(node.value, str) or node.value not in file.metrics:
        return NamedMetric(problems=(at(node, *_no_metric(node, file)),))
    return NamedMetric(node.value)


def _no_metric(node: Node, file: File) -> tuple[str, str]:
    """What is wrong with a metric, and a hint."""
    value, near = node.plain(), file.metric(node.plain())
    if isinstance(value, str):
        told = f"did you mean '{near}'?" if near else OF_THE_TASK if is_loss(value) else None
        return f"unknown metric {node.text()}", told or did_you_mean(value, file.metrics)
    named = OF_THE_TASK if is_loss(name_in(value)) else "metric: accuracy, or another of: tuner list metrics"
    return f"metric must be one name, not {node.text()}", f"metric: {near}" if near else named
