"""Prepares an experiment file for a search: settings, data and splits, all checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tuner import registry
from tuner.data import precision
from tuner.data.check import check_finite, check_known, check_task
from tuner.data.dataset import Dataset
from tuner.data.resampling import NestedPlan, plan
from tuner.data.suspicions import suspicions
from tuner.errors import ColumnError, DataError, ExperimentError, NoResultError, Problem, either
from tuner.experiment.experiment import Experiment, attempt
from tuner.experiment.header import Dummy
from tuner.experiment.own_code import UserCodeInfo, is_user_code
from tuner.experiment.sections import Limits
from tuner.experiment.settings import Settings
from tuner.experiment.yaml_file import at
from tuner.metrics import Metric
from tuner.models._weights import digest_of
from tuner.search.budget import Budget
from tuner.search.catalogue import catalogue, reads
from tuner.search.contract import MODELS, SOURCES, member
from tuner.search.jobs import Work
from tuner.search.likely_mistakes import likely_mistakes, split_warnings
from tuner.search.model_checks import ModelCheck, check_models, names_of
from tuner.search.options import SearchOptions
from tuner.search.part_checks import check_parts, own_dummies
from tuner.search.samplers import Proposer
from tuner.search.scoring import check_scores, check_threshold, metric_of, score_warnings
from tuner.search.sharing import chain_groups, layout
from tuner.search.unused_settings import check_dataset, check_used
from tuner.search.user_code import UserCode
from tuner.search.weights_check import weights_of
from tuner.sources.loading.cache import load, named


@dataclass(frozen=True, eq=False)
class Prepared:
    """An experiment with its data and splits."""

    experiment: Experiment
    dataset: Dataset
    plan: NestedPlan
    metric: Metric
    default: bool  # whether trial 0 is the default configuration; False if that breaks a constraint
    checked: ModelCheck  # the results of checking the models
    own: Mapping[tuple[str, str], UserCodeInfo]  # the user's own code, by section and name
    dummies: Mapping[str, Dummy | None] | None  # by chain, as scored by the user's own metric
    notes: tuple[str, ...]  # what to know of the data
    warnings: tuple[str, ...]  # formatted for the terminal, the notes included

    @property
    def work(self) -> Work:
        """The values that its jobs share."""
        experiment = self.experiment
        tune = experiment.search.threshold == "tuned"
        own = {key: each.code.digest for key, each in self.own.items() if key[0] != "dataset"}
        metric = experiment.own_metric.model_dump() if experiment.own_metric else {}
        return Work(
            self.dataset, self.metric.name, experiment.folder.absolute(), own=own, weights=self.weights,
            metric_settings=metric, tune_threshold=tune,
        )  # fmt: skip

    @property
    def weights(self) -> dict[str, str]:
        """The hash of each file of initial weights."""
        experiment = self.experiment
        return {file: digest_of(experiment.folder / file) for file in weights_of(experiment)}

    @property
    def lanes(self) -> int:
        """Trainings per trial number over all chains, without refits; a training that chains share is counted once."""
        together = chain_groups(self.plan.chains, self.experiment.search.sampler)
        return sum(len(layout(chains).lanes) for chains in together)

    def trials(self, requested: int | None = None) -> int:
        """Trials per chain: `requested`, or those of the file; of a grid, at most its allowed cells."""
        return self.proposer("").available(requested or self.experiment.trials)

    @property
    def reads(self) -> list[Path]:
        """The experiment file, and the files and folders of the data and the code that it names."""
        experiment, folder = self.experiment, self.experiment.folder
        code = [file for own in self.own.values() for file in own.code.files]
        weights = [folder / file for file in weights_of(experiment)]
        return [experiment.document.path, *code, *weights, *named(experiment.dataset, folder)]

    def proposer(self, chain: str) -> Proposer:
        """The proposer of configurations for a chain."""
        search = self.experiment.search
        return Proposer(self.experiment.space, search.sampler, search.seed, chain, self.metric.maximize)


def prepare(
    path: Path, text: str | None = None, options: SearchOptions | None = None, *, trusted: bool = True
) -> Prepared:
    """Read an experiment, load and split its data, and check both.

    Args:
        path: the experiment file.
        text: the text of the file as it once was; None: read the file.
        options: options of the command line, for the limits of user code; None: no limits.
        trusted: whether the experiment may run user code.

    Raises:
        ExperimentError: the experiment has mistakes; the error lists as many as can be found.
        NotTrusted: it names user code, and is not trusted.
    """
    quiet, budget = (options.quiet, Budget(options.limits(Limits()), options.begun)) if options else (False, None)
    with UserCode(path.parent, budget, quiet=quiet, trusted=trusted) as code:
        experiment = attempt(path, catalogue(code), text)
        if options:
            code.budget = Budget(options.limits(experiment.limits), options.begun)
        return _prepared(experiment, code)


class _Problems:
    """Collects the problems of an experiment: those of the file itself, and those that its checks raise."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment, self.found = experiment, [*experiment.errors]
        self._causes: list[Exception] = []  # whose tracebacks --debug shows

    @contextmanager
    def collect(self, where: str = "", kind: type[DataError] = DataError) -> Iterator[None]:
        """Keep the problems that are raised inside. A `DataError` of this `kind` belongs to the section `where`, or to
        the setting there that it names."""
        try:
            yield
        except DataError as error:
            self._causes.append(error)
            for each in (each for each in (error, *error.others) if isinstance(each, kind)):
                path = f"{where}.{each.key}" if each.key else where
                self.found.append(self.experiment.problem(path, each.message, each.hint))
        except ExperimentError as error:
            if not error.problems:
                raise
            self.found += error.problems

    def raise_all(self) -> None:
        """Raise an error with every problem, if there is one."""
        if self.found:
            cause = ExceptionGroup("mistakes of an experiment", self._causes) if self._causes else None
            raise self.experiment.document.error(self.found) from cause


def _prepared(experiment: Experiment, code: UserCode) -> Prepared:
    problems, invalid = _Problems(experiment), experiment.invalid
    data = _read(experiment, code, problems)
    dataset = metric = None
    with problems.collect("dataset"):
        if data is not None:
            check_task(data)
            dataset = data
    unsuitable = [] if dataset is None else _unsuitable(experiment, dataset)
    problems.found += (problem for _, problem in unsuitable)
    with problems.collect():
        check_used(experiment, dataset, catalogue(code).models, {fact for fact, _ in unsuitable})
    for check in (check_known, check_finite):
        with problems.collect("dataset"):
            if dataset is not None:
                check(dataset)
    with problems.collect():
        if dataset is not None and "metric" not in invalid:
            metric = metric_of(experiment, dataset, code)
    with problems.collect():
        check_threshold(experiment, dataset, metric)
    with problems.collect("resampling"):
        if dataset is not None and "resampling" not in invalid:
            cut = plan(experiment.resampling, dataset)
            if metric is not None:
                check_scores(experiment, dataset, metric, cut)
    with problems.collect():
        default = "space" in invalid or "search" in invalid or _check_constraints(experiment)
    problems.raise_all()
    assert dataset is not None and metric is not None  # else there would be a problem
    checked = check_models(experiment, dataset, code)
    unrepeated = check_parts(experiment, dataset, code)
    dummies = own_dummies(experiment, dataset, cut, code)
    notes = (*suspicions(dataset), *dataset.notes)
    warnings = (
        *experiment.warnings, *_of_data(experiment, dataset, notes), *likely_mistakes(experiment, dataset, cut),
        *score_warnings(experiment, dataset, metric),
        *(experiment.warning("model.name", *each) for each in checked.warnings),
        *(experiment.warning(section, *each) for section, each in unrepeated if checked.repeatable),
    )  # fmt: skip
    return Prepared(experiment, dataset, cut, metric, default, checked, code.known, dummies, notes, warnings)


def load_data(path: Path) -> Dataset:
    """The data that an experiment names, even if it cannot be used for training."""
    with UserCode(path.parent) as code:
        experiment = attempt(path, catalogue(code))
        problems = _Problems(experiment)
        if "dataset" not in experiment.invalid:
            problems.found.clear()  # those of other sections say nothing of the data
        dataset = _read(experiment, code, problems)
        problems.raise_all()
        assert dataset is not None
        return dataset


def loaded(settings: Settings, folder: Path, code: UserCode) -> Dataset:
    """The data that settings of a source describe. Raises `DataError`."""
    name: str = settings.name  # type: ignore[attr-defined]  # every source's settings have one
    if is_user_code(name):
        return code.load(name, settings)
    return load(member(SOURCES, name), settings, folder)


def _facts(experiment: Experiment) -> dict[str, tuple[str, ...]]:
    """Facts about the data that are known before it is read: how it is stored. Raises `DataError`."""
    name: str = experiment.dataset.name  # type: ignore[attr-defined]  # every source's settings have one
    storage = None if is_user_code(name) else getattr(member(SOURCES, name), "storage", None)
    return {} if storage is None else {"storage": storage(experiment.dataset, experiment.folder)}


def _read(experiment: Experiment, code: UserCode, problems: _Problems) -> Dataset | None:
    """The data; None if it cannot be read, or if its settings have mistakes. Next to these, only wrong names of columns
    are reported: any other error may follow from them."""
    found, invalid = None, "dataset" in experiment.invalid
    if not experiment.names_data or (invalid and is_user_code(experiment.dataset.name)):  # type: ignore[attr-defined]
        return None
    before = len(problems.found)
    with problems.collect("dataset"):
        check_dataset(experiment, _facts(experiment))
    unsure = invalid or len(problems.found) > before
    with problems.collect("dataset", ColumnError if unsure else DataError):
        found = loaded(experiment.dataset, experiment.folder, code)
    return None if invalid else found


def _check_constraints(experiment: Experiment) -> bool:
    """Refuse constraints that exclude everything; returns whether they admit the default configuration."""
    space, grid = experiment.space, experiment.search.sampler == "grid"
    proposer = Proposer(space, "grid" if grid else "random", 0, "", maximize=True)
    try:
        if proposer.available(1):
            return proposer.propose(0) == space.default(on_grid=grid)
        error = NoResultError("no cell of the grid satisfies the constraints", "loosen the constraints")
    except NoResultError as raised:
        error = raised
    raise experiment.error("constraints", error.message, error.hint)


def _unsuitable(experiment: Experiment, dataset: Dataset) -> list[tuple[str, Problem]]:
    """For each model that is not for this layout of rows or this task: which of the two, and the problem."""
    problems = []
    for name in names_of(experiment.space, "model"):
        layouts, tasks = reads(name)
        if dataset.layout not in layouts:
            shape = "×".join(str(n) for n in dataset.features.shape[1:])
            rows = f"{dataset.layout} rows of {shape}"
            text = f"model '{name}' reads rows of layout {either(layouts)}; {dataset.name} has {rows}"
            problems.append(("layout", experiment.problem(f"model.{name}", text, _others(dataset, "layout"))))
        elif dataset.task not in tasks:
            text = f"model '{name}' is for {either(tasks)}; {dataset.name} is a {dataset.task} task"
            problems.append(("task", experiment.problem(f"model.{name}", text, _others(dataset, "task"))))
    return problems


def _others(dataset: Dataset, what: str) -> str:
    """A hint with the models that fit the data."""
    modules = {name: member(MODELS, name) for name in registry.names(MODELS)}
    fitting = [n for n, m in modules.items() if dataset.layout in m.LAYOUTS and dataset.task in m.TASKS]
    return f"model: {either([*fitting, 'one of your own'])}; or another {what} of the data"


def _of_data(experiment: Experiment, dataset: Dataset, notes: tuple[str, ...]) -> list[str]:
    """Warnings about the data, placed at the dataset in the file."""
    found = (
        *notes, *precision.warnings(dataset.numbers), *hints(experiment, dataset), *split_warnings(experiment, dataset),
    )  # fmt: skip
    node = experiment.document.root.entries["dataset"]
    return [experiment.document.render([at(node, each, warning=True)]) for each in found]


def hints(experiment: Experiment, dataset: Dataset) -> tuple[str, ...]:
    """The hints of the data on how to split it, unless the file sets resampling.kind."""
    return dataset.hints if experiment.resampling.kind == "auto" else ()
