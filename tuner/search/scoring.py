"""Chooses the metric of an experiment, checks that it can score every fold, and warns about its weaknesses."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tuner.data.dataset import Dataset
from tuner.data.inputs import Rows
from tuner.data.resampling import ChainPlan, NestedPlan
from tuner.data.scored import needed
from tuner.errors import closest, did_you_mean, either
from tuner.experiment.experiment import Experiment
from tuner.experiment.own_code import is_user_code
from tuner.experiment.yaml_file import at
from tuner.metrics import DEFAULT, METRICS, Metric
from tuner.metrics.numbers import LEVELS
from tuner.metrics.parts.baselines import TrainingTargets
from tuner.search.own_kinds import Code
from tuner.search.own_metric import described_metric
from tuner.search.unused_settings import Entry, extremes

SHARE = 0.95  # share of the commonest class from which accuracy is hardly informative
SHARE_OF_COMMON = 0.6  # share of a class from which it is hardly the one that is looked for
NEEDS = {"users": "ratings, which name a user", "naive": "forecasts"}
PINBALL = "pinball_"


def metric_of(experiment: Experiment, dataset: Dataset, code: Code) -> Metric:
    """The metric that the file names, or the default of the task. Raises `ExperimentError` if it does not fit the
    data."""
    name = experiment.metric or DEFAULT[dataset.task]
    if experiment.own_metric:
        passed = code.info("metric", name).code.handed_in
        metric = described_metric(name, experiment.own_metric, dataset.task, passed)
    else:
        metric = METRICS[name]
    if not fits(dataset, metric):
        fitting = [m.name for m in METRICS.values() if fits(dataset, m)]
        of = either(metric.tasks) if dataset.task not in metric.tasks else NEEDS[metric.needs or ""]
        text = f"{metric.name} is a metric of {of}, and {dataset.name} is a {dataset.task} task"
        near = closest(metric.name, fitting)
        others = [name for name in fitting if name != DEFAULT[dataset.task]]
        usual = f"metric: {DEFAULT[dataset.task]}, or another {did_you_mean('', others)}"
        raise experiment.error("metric", text, f"did you mean '{near}'?" if near else usual)
    if metric.least is not None and (lowest := dataset.targets.min()) < metric.least:
        text = f"{metric.name} needs targets of at least {metric.least:g}; the lowest is {lowest:g}"
        raise experiment.error("metric", text, "use recall@k, or shift the targets")
    if dataset.score_weights is not None and not metric.weighted:
        text = f"{metric.name} ranks the rows of a user, and a rank has no weight"
        hint = "weights_for: training, or another metric"
        if experiment.own_metric:
            text, hint = f"{metric.name} does not take sample_weight, and the rows have weights", f"take it, or {hint}"
        raise experiment.error("metric", text, hint)
    return metric


def fits(dataset: Dataset, metric: Metric) -> bool:
    """Whether a metric is for the task of the data, and the data has what it needs."""
    given = {"users": dataset.of_users, "naive": dataset.naive is not None, None: True}[metric.needs]
    return given and dataset.task in metric.tasks


def check_threshold(experiment: Experiment, dataset: Dataset | None, metric: Metric | None) -> None:
    """Refuse a tuned threshold if there is no decision between two classes, or the score does not depend on it, as far
    as data and metric are known."""
    if experiment.search.threshold == "default":
        return
    if experiment.resampling.outer == "none":
        text = "threshold: tuned needs outer folds: in a flat search, the rows that choose the threshold also score it"
        raise experiment.error("search.threshold", text, "resampling.outer: 5, or leave it out")
    if dataset is not None and (dataset.task != "classification" or len(dataset.classes) != 2):
        what = f"{len(dataset.classes)} classes" if dataset.classes else f"a {dataset.task} task"
        text = f"threshold: tuned chooses between two classes, and {dataset.name} has {what}"
        raise experiment.error("search.threshold", text, "leave it out")
    if metric is not None and metric.counted is None:
        why = "is your own" if experiment.own_metric else "scores probabilities"
        text = f"threshold: tuned has no effect on {metric.name}, which {why}"
        raise experiment.error("search.threshold", text, "leave it out, or a metric such as macro_f1, mcc or accuracy")


def check_scores(experiment: Experiment, dataset: Dataset, metric: Metric, cut: NestedPlan) -> None:
    """Refuse a metric that cannot score the rows of some fold, such as an area under the curve of one class."""
    for chain in cut.chains:
        for what, train, on in _scored(chain):
            why = metric.why_undefined(dataset.targets[on], dataset.counts(on), needed(dataset, metric, train, on))
            if why:
                rows = "only row" if len(on) == 1 else f"{len(on)} rows"
                text = f"{metric.name} cannot score the {rows} of {what} of {chain.name}: {why}"
                raise experiment.error("metric", text, "fewer folds, more rows, or another metric")


def _scored(chain: ChainPlan) -> Iterator[tuple[str, Rows, Rows]]:
    """Every set of rows that is scored: its description, its training rows, and the set itself."""
    for number, fold in enumerate(chain.folds, start=1):
        yield f"inner fold {number}", fold.train, fold.validation
    if len(chain.test):
        yield "the outer test", chain.rows, chain.test


def score_warnings(experiment: Experiment, dataset: Dataset, metric: Metric) -> list[str]:
    """Warnings about a metric that is hardly informative, or that the loss does not optimize."""
    nodes = experiment.document.root.entries
    found = [(nodes.get("metric", nodes["dataset"]), *each) for each in _uninformative_accuracy(dataset, metric)]
    found += [(nodes.get("metric", nodes["dataset"]), *each) for each in _of_the_common_class(dataset, metric)]
    found += [
        (nodes.get("training", nodes["dataset"]), *each) for each in _loss_of_another_quantile(experiment, metric)
    ]
    return [experiment.document.render([at(node, *each, warning=True)]) for node, *each in found]


def _uninformative_accuracy(dataset: Dataset, metric: Metric) -> Iterator[tuple[str, str]]:
    """A warning about accuracy if guessing the commonest class is nearly perfect."""
    if metric.name == "accuracy" and dataset.classes:
        counts = TrainingTargets(dataset.targets, dataset.counts(np.arange(len(dataset))), dataset.classes).counts
        if (share := counts.max() / counts.sum()) >= SHARE:
            text = f"accuracy is {share:.2g} for guessing the commonest class, '{dataset.classes[counts.argmax()]}'"
            yield text, "balanced_accuracy, average_precision or mcc are more informative"


def _of_the_common_class(dataset: Dataset, metric: Metric) -> Iterator[tuple[str, str]]:
    """A warning about the score of one of two classes, if that is the commoner one."""
    if (one := metric.of_class(dataset.classes)) is not None:
        counts = TrainingTargets(dataset.targets, dataset.counts(np.arange(len(dataset))), dataset.classes).counts
        if (share := counts[1] / counts.sum()) > SHARE_OF_COMMON:
            text = f"{metric.name} is that of the second class in the order of names, '{one}', which {share:.0%} have"
            yield text, f"rename '{one}' so that the rare class stands second, or use roc_auc or mcc"


def _loss_of_another_quantile(experiment: Experiment, metric: Metric) -> Iterator[tuple[str, str]]:
    """A warning about a loss whose best prediction is another quantile than the metric's, or not a quantile."""
    entries: list[Entry] = [*experiment.space.parameters, *experiment.space.fixed]
    losses = [v for e in entries if e.target in ("training.loss", "training.loss.name") for v in extremes(e)]
    if any(is_user_code(loss) for loss in losses if loss is not None):
        return  # what it aims at is not known
    levels = {v for e in entries if e.target == "training.loss.quantile" for v in extremes(e)}
    levels |= {0.5} if "mae" in losses else set()
    wanted = float(metric.name.removeprefix(PINBALL)) if metric.name.startswith(PINBALL) else None
    if wanted is not None and levels != {wanted}:
        text = f"{metric.name} is best at the {wanted:g} quantile, and the loss aims elsewhere"
        yield text, f"training.loss: {{name: quantile, quantile: {wanted:g}}}"
    elif wanted is None and "quantile" in losses and not (metric.name == "mae" and levels == {0.5}):
        quantiles = " and the ".join(f"{level:g}" for level in sorted(levels))
        nearest = min(LEVELS, key=lambda level: abs(level - max(levels)))
        yield f"the loss aims at the {quantiles} quantile, and {metric.name} does not", f"metric: {PINBALL}{nearest:g}"
