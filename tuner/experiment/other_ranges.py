"""Ranges and choices as other tools write them, and the same in the notation of this file."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from tuner.errors import plain_name

LARGEST_EXPONENT = 20
LOW, HIGH = (
    ("low", "min", "lower", "minval", "minvalue", "start"),
    ("high", "max", "upper", "maxval", "maxvalue", "end", "stop"),
)
STEP, OPTIONS = ("step", "q", "quantization"), ("values", "choices", "options", "categories", "gridsearch", "grid")
KIND = ("type", "distribution", "sampling", "scale", "prior")
RANGE_KEYS = {*LOW, *HIGH, *STEP, *KIND, "log", "name"}
CHOICES = {"choice", "categorical", "gridsearch", "sampleuniform"}
RANGES = {"uniform", "loguniform", "quniform", "qloguniform", "randint", "qrandint", "lograndint", "interval", "range",
          "float", "int", "suggestfloat", "suggestint", "suggestuniform", "suggestloguniform"}  # fmt: skip


def as_here(value: Any) -> Any:
    """The value, list or range that another tool writes so, as it is written here; None for anything else."""
    if isinstance(value, str):
        return _of_call(value)
    if not isinstance(value, dict):
        return None
    given = {plain_name(key): inner for key, inner in value.items()}
    if set(given) <= {"value", *KIND} and "value" in given and not isinstance(given["value"], list):
        return given["value"]
    kind = plain_name(str(next((given[key] for key in KIND if key in given), "")))
    inner = given.get("value")
    if isinstance(inner, list):  # NNI's _type and _value
        return _of_arguments(kind, inner, {})
    options = next((given[key] for key in OPTIONS if isinstance(given.get(key), list)), None)
    if options is not None:
        return options
    bounds = {
        name: next((given[key] for key in keys if key in given), None)
        for name, keys in (("low", LOW), ("high", HIGH), ("step", STEP))
    }
    foreign = not is_range(value) and given.keys() <= RANGE_KEYS
    return _range(**bounds, log=given.get("log") is True or "log" in kind) if foreign else None


def is_range(value: dict[str, Any]) -> bool:
    """Whether a mapping is written as a range is here."""
    return value.keys() <= {"low", "high", "log", "step", "points", "or", "when"}


def _range(low: Any, high: Any, step: Any = None, *, log: bool = False) -> dict[str, Any] | None:
    numbers = (low, high)
    if not all(
        isinstance(each, int | float) and not isinstance(each, bool) and math.isfinite(each) for each in numbers
    ):
        return None
    if log and low <= 0 and high <= LARGEST_EXPONENT:  # W&B and Hyperopt take the exponents of e
        low, high = (float(f"{math.exp(each):.3g}") for each in numbers)
    if low >= high or (log and low <= 0):
        return None
    found: dict[str, Any] = {"low": low, "high": high}
    if log:
        found["log"] = True
    elif isinstance(step, int | float) and step not in (1, True):
        found["step"] = step
    return found


def _of_call(text: str) -> Any:
    """A text such as `choice(16, 32)`, `tune.loguniform(1e-4, 1e-1)` or `16,32,64`."""
    with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        tree = ast.parse(text.strip(), mode="eval").body
        if isinstance(tree, ast.Tuple):
            return [ast.literal_eval(each) if not isinstance(each, ast.Name) else each.id for each in tree.elts]
        if isinstance(tree, ast.Call):
            return _of_tree(tree)
    return None


def _of_tree(call: ast.Call) -> Any:
    name = plain_name(ast.unparse(call.func).rpartition(".")[2])
    if name == "tag" and call.args and isinstance(call.args[-1], ast.Call):
        inner = _of_tree(call.args[-1])
        log = any(isinstance(each, ast.Name) and each.id == "log" for each in call.args)
        return _range(inner["low"], inner["high"], log=log) if isinstance(inner, dict) else inner
    arguments = [each.id if isinstance(each, ast.Name) else ast.literal_eval(each) for each in call.args]
    if name.startswith("suggest") or ast.unparse(call.func).startswith("hp."):
        arguments = arguments[1:] if arguments and isinstance(arguments[0], str) else arguments
    if name == "uniform" and ast.unparse(call.func).startswith(("scipy.", "stats.")) and len(arguments) == 2:
        return _range(arguments[0], sum(arguments))  # its arguments are location and scale
    keywords = {str(each.arg): ast.literal_eval(each.value) for each in call.keywords}
    return _of_arguments(name, arguments, keywords)


def _of_arguments(kind: str, arguments: list[Any], keywords: Mapping[str, Any]) -> Any:
    kind, named = plain_name(kind), {plain_name(key): value for key, value in keywords.items()}
    if kind in CHOICES or kind == "suggestcategorical":
        arguments = arguments or [named[key] for key in OPTIONS if key in named]
        return arguments[0] if len(arguments) == 1 and isinstance(arguments[0], list) else arguments or None
    bounds = [next((named[key] for key in keys if key in named), None) for keys in (LOW, HIGH, STEP)]
    low, high, step = (arguments[:3] + bounds[len(arguments[:3]) :])[:3]
    if kind not in RANGES or low is None or high is None:
        return None
    log = "log" in kind or named.get("log") is True or named.get("sampling") == "log"
    whole = kind in ("randint", "lograndint", "range") and isinstance(high, int)  # its end is not included
    return _range(low, high - 1 if whole else high, step, log=log)
