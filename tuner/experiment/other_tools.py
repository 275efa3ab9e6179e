"""Names and ranges as other tools write them, and the line to write here.

The tools are W&B, Optuna, Ray Tune, NNI, Hydra, Keras Tuner, Lightning and scikit-learn. A hint names the right place
with the line to write, or there is none.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from tuner.errors import closest, plain_name
from tuner.experiment.flow import flow
from tuner.experiment.yaml_file import Node

OPTIMIZERS = "training.optimizer"
OPTIMIZER = f"{OPTIMIZERS}.learning_rate"
LARGEST_EXPONENT = 20
PLACES = {  # a name in small letters, without _ and -: the path of the setting
    **dict.fromkeys(("lr", "learningrate", "learningrateinit", "initlr", "initiallearningrate"), OPTIMIZER),
    **dict.fromkeys(("weightdecay", "wd", "l2", "l2reg"), "training.weight_decay"),
    **dict.fromkeys(("epochs", "numepochs", "nepochs", "maxepochs", "numtrainepochs", "maxiter"), "training.epochs"),
    **dict.fromkeys(("batchsize", "bs", "trainbatchsize", "perdevicetrainbatchsize"), "training.batch_size"),
    **dict.fromkeys(("optimizer", "optim", "optimizername", "solver"), "training.optimizer"),
    **dict.fromkeys(("scheduler", "lrscheduler", "lrschedulertype", "schedule"), "training.schedule"),
    **dict.fromkeys(("loss", "criterion", "lossfunction", "lossfn"), "training.loss"),
    **dict.fromkeys(("clip", "gradclip", "clipnorm", "gradientclipval", "maxgradnorm"), "training.clip_grad_norm"),
    **dict.fromkeys(("clipvalue", "clipgradvalue"), "training.clip_grad_value"),
    **dict.fromkeys(("accumulategradbatches", "gradientaccumulationsteps"), "training.accumulate"),
    **dict.fromkeys(("patience", "earlystoppingpatience", "niternochange"), "training.early_stopping.patience"),
    **dict.fromkeys(("earlystopping",), "training.early_stopping"),
    **dict.fromkeys(("classweight", "classweights"), "training.class_weight"),
    **dict.fromkeys(("warmupepochs",), "training.warmup"),
    **dict.fromkeys(("dropout", "dropoutrate", "dropoutp", "pdrop"), "model.dropout"),
    **dict.fromkeys(("activation", "activationfunction"), "model.activation"),
    **dict.fromkeys(("hiddensize", "hiddendim", "hiddenunits", "hiddenlayersize", "units"), "model.hidden_size"),
    **dict.fromkeys(("numlayers", "nlayers", "depth"), "model.num_layers"),
    **dict.fromkeys(("initialization", "initializer", "kernelinitializer"), "model.initialization"),
    **dict.fromkeys(("folds", "nfolds", "numfolds", "kfold", "kfolds", "nsplits", "cv", "outer"), "resampling.outer"),
    **dict.fromkeys(("innerfolds", "innercv", "inner"), "resampling.inner"),
    **dict.fromkeys(("validationsplit", "valsplit", "validationfraction", "valsize"), "resampling.inner.holdout"),
    **dict.fromkeys(("stratify", "stratified"), "resampling.stratify"),
    **dict.fromkeys(("ntrials", "maxtrials", "numtrials", "trials", "numsamples", "runcap", "maxtrialnumber", "niter",
                     "maxevals", "ncalls"), "search.trials"),
    **dict.fromkeys(("sampler", "algorithm", "searchalg", "method", "strategy", "tuner", "sampling"), "search.sampler"),
    **dict.fromkeys(("pruner", "earlyterminate", "assessor", "terminator"), "search.pruner"),
    **dict.fromkeys(("timeout", "maxtime", "timebudget", "timebudgets", "maxexperimentduration"), "limits.time"),
    **dict.fromkeys(("trialtimeout", "maxtrialduration"), "limits.trial_time"),
    **dict.fromkeys(("label", "labels", "targetcolumn", "labelcolumn", "targetcol", "labelcol", "y"), "dataset.target"),
    **dict.fromkeys(("group", "groupcolumn", "groupcol"), "dataset.groups"),
}  # fmt: skip
ADVICE = {
    **dict.fromkeys(("device", "devices", "gpu", "gpus", "numgpus", "cuda", "accelerator"),
                    "on the command line: tuner search FILE --device cuda"),
    **dict.fromkeys(("njobs", "numworkers", "workers", "maxconcurrenttrials", "trialconcurrency", "nworkers"),
                    "on the command line: tuner search FILE --workers 4"),
    **dict.fromkeys(("direction", "directions", "mode", "goal", "optimizemode", "greaterisbetter"),
                    "leave it out: the direction of a metric is known"),
    **dict.fromkeys(("objective", "monitor", "scoring", "evalmetric", "metricforbestmodel"),
                    "metric: accuracy, or another of: tuner list metrics"),
    **dict.fromkeys(("seed", "randomstate", "randomseed"),
                    "search: {seed: 0} for proposals and trainings; resampling: {seed: 0} for the folds"),
    **dict.fromkeys(("initial", "start", "enqueue", "pointstoevaluate", "initialpoints"),
                    "trial 0: search: {default: {model.hidden_size: 32}}"),
    **dict.fromkeys(("testsize", "testsplit"), "resampling: {outer: 5}: every row is tested once"),
    **dict.fromkeys(("program", "project", "entity", "command", "trialcommand", "trialcodedirectory", "verbose",
                     "trainingservice", "callbacks", "logger", "defaults", "overwrite", "projectname"),
                    "leave it out: nothing here needs it"),
    **dict.fromkeys(("study", "studyname"), "name: NAME"),
    **dict.fromkeys(("storage",), "on the command line: tuner search FILE --study study.db"),
    **dict.fromkeys(("kfoldtype",), "resampling: {kind: groups}"),
}  # fmt: skip
SPACES = ("parameters", "searchspace", "paramgrid", "paramdistributions", "params", "hparams", "hyperparameters",
          "space", "config", "trainer", "sweeper")  # fmt: skip
FILES = {
    **dict.fromkeys(("csv", "tsv", "parquet", "feather", "arrow", "xlsx", "xls"), "table"),
    **dict.fromkeys(("npz", "npy", "safetensors"), "arrays"), "ts": "sequences", "txt": "corpus",
}  # fmt: skip
PRUNERS = ("median", "percentile", "halving")
KNOWN = {"search.sampler": ("grid", "random", "tpe", "gp"), "search.pruner": PRUNERS}
WIDTHS = ("hiddensizes", "hiddenlayersizes", "layersizes")  # a number for each layer
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


def line(path: str, value: Any, optimizer: str = "adam") -> str:
    """The setting at a path of the file, as a line to write; `optimizer` is the one whose setting it may be."""
    first, *inner = path.split(".")
    whole, names = value, [first, *inner]
    for name, above in zip(reversed(inner), reversed(names[:-1]), strict=True):
        whole = {**({"name": optimizer} if above == "optimizer" else {}), name: whole}
    return f"{first}: {flow(whole)}"


def hint(
    key: str, node: Node, allowed: Iterable[str], path: str, training: Mapping[str, Node] | None = None
) -> str | None:
    """What to write instead of an unknown key with this value, in the settings at `path`; None if nothing is known.
    `training`: the settings of that section, of which one may name the optimizer."""
    name, allowed = plain_name(key), tuple(allowed)
    if name in WIDTHS:
        widths = _widths(node.plain())
        if widths is not None:
            return f"widths: {flow(widths)}" if "widths" in allowed else line("model.widths", widths)
    place = "search.pruner" if name == "scheduler" and _is_pruner(node) else PLACES.get(name)
    if place is None:
        if name in SPACES and isinstance(node.value, dict) and path in ("", "search"):
            return _lines_of(node)
        return None if "." in path else ADVICE.get(name)
    above, _, last = place.rpartition(".")
    if last in allowed:
        return f"did you mean '{last}'?"
    optimizer = (training or {}).get("optimizer")
    stated = optimizer.entries.get("name", optimizer).value if optimizer is not None else None
    return None if above == path else line(
        place.removeprefix(f"{path}."), _value(place, node), stated if isinstance(stated, str) else "adam"
    )  # fmt: skip


def _widths(sizes: Any) -> str | list[str] | None:
    """The sizes of layers as a text such as 64-32, or several of them; None if these are no sizes."""
    if isinstance(sizes, list) and sizes and all(isinstance(each, list) for each in sizes):
        several = [_widths(each) for each in sizes]
        return [each for each in several if isinstance(each, str)] if all(several) else None
    whole = isinstance(sizes, list) and sizes and all(type(each) is int for each in sizes)
    return "-".join(map(str, sizes)) if whole else None


def _is_pruner(node: Node) -> bool:
    value = node.plain()
    given = value.get("name", value.get("type")) if isinstance(value, dict) else value
    return closest(str(given), PRUNERS) is not None


def _value(place: str, node: Node) -> Any:
    """The value of a node in the notation of this file; … if it has none."""
    value = node.plain()
    if place in KNOWN:
        given = value.get("name", value.get("type", "")) if isinstance(value, dict) else value
        return closest(str(given), KNOWN[place]) or "…"
    if place in ("limits.time", "limits.trial_time") and isinstance(value, int | float):
        return f"{round(value)}s"
    if place == "training.early_stopping":
        return value if isinstance(value, dict) and set(value) == {"patience"} else {"patience": 5}
    found = _as_here(value)
    return found if found is not None else "…" if isinstance(value, dict) else value


def _lines_of(node: Node) -> str | None:
    """The lines for a mapping of settings of several sections."""
    found = {
        place: _value(place, entry) for key, entry in node.entries.items() if (place := PLACES.get(plain_name(key)))
    }
    if not found:
        return "a list or {low: …, high: …} in the place of a value in model or training is searched"
    if "training.early_stopping.patience" in found:
        found.pop("training.early_stopping", None)
    optimizers = found.pop("training.optimizer", None)
    own = {place.rpartition(".")[2]: found.pop(place) for place in list(found) if place.startswith(f"{OPTIMIZERS}.")}
    sections: dict[str, dict[str, Any]] = {}
    if isinstance(optimizers, list):
        sections["training"] = {"optimizer": {"choose": {str(name).lower(): own for name in optimizers}}}
    elif optimizers is not None or own:
        sections["training"] = {"optimizer": {"name": str(optimizers or "adam").lower(), **own}}
    for place, value in found.items():
        section, *inner = place.split(".")
        whole = sections.setdefault(section, {})
        for name in inner[:-1]:
            whole = whole.setdefault(name, {})
        whole[inner[-1]] = value
    return ", and ".join(f"{section}: {flow(settings)}" for section, settings in sections.items())


def of_file(name: str) -> str | None:
    """The line for a dataset that is named by its file; None if it is none."""
    source = FILES.get(name.lower().removesuffix(".gz").rpartition(".")[2]) if "." in name else None
    if source is None:
        return None
    return line("dataset", {"name": source, "path": name, **({"target": "COLUMN"} if source == "table" else {})})


def translated(value: Any) -> str | None:
    """The value, list or range that another tool writes so, as it is written here; None for anything else."""
    found = _as_here(value)
    return None if found is None else flow(found)


def _as_here(value: Any) -> Any:
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
    foreign = not set(value) <= {"low", "high", "log", "step", "points", "or", "when"} and given.keys() <= RANGE_KEYS
    return _range(**bounds, log=given.get("log") is True or "log" in kind) if foreign else None


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
    kind = plain_name(kind)
    if kind in CHOICES or kind == "suggestcategorical":
        return arguments[0] if len(arguments) == 1 and isinstance(arguments[0], list) else arguments
    if kind not in RANGES or len(arguments) < 2:
        return None
    log = "log" in kind or keywords.get("log") is True
    step = keywords.get("step", arguments[2] if len(arguments) > 2 else None)
    whole = kind in ("randint", "lograndint", "range") and isinstance(arguments[1], int)  # its end is not included
    return _range(arguments[0], arguments[1] - 1 if whole else arguments[1], step, log=log)
