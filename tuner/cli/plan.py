"""What `tuner check` says of an experiment: as lines for people, and as an object for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuner.experiment.space import Parameter
    from tuner.search.prepare import Prepared

WAYS = {
    "random": "at random",
    "groups": "each group whole in one fold",
    "time": "forward in time",
    "split": "as a column names the folds",
}


def lines(prepared: Prepared, devices: Sequence[str], workers: int) -> Iterator[str]:
    """The data, the space, the folds and the work, one fact per line."""
    from tuner.cli.lines import work
    from tuner.data.unseen import in_words, unseen
    from tuner.experiment import grid
    from tuner.report.tables import counted
    from tuner.search.model_checks import filled, not_settings

    experiment, dataset, chains = prepared.experiment, prepared.dataset, prepared.plan.chains
    trials, own = prepared.trials(), prepared.own.values()
    shape = "×".join(str(n) for n in dataset.features.shape[1:])
    numbers = "" if dataset.side is None else f" ids and {dataset.side.values.shape[1]} numbers"
    yield f"data      {dataset.name}: {len(dataset):,} rows of {shape}{numbers}, {dataset.task}"
    one = prepared.metric.of_class(dataset.classes)
    of = f" of class '{one}'" if one else ""
    yield f"metric    {prepared.metric.name}{of}, {'higher' if prepared.metric.maximize else 'lower'} is better"
    cells = f" of {counted(grid.size(experiment.space), 'cell')}" if experiment.search.sampler == "grid" else ""
    yield f"sampler   {experiment.search.sampler}, {counted(trials, 'trial')} per chain{cells}"
    yield f"space     {counted(len(experiment.space.parameters), 'parameter')}"
    yield from (f"            {parameter.path}: {_domain(parameter)}" for parameter in experiment.space.parameters)
    yield from (f"only if   {expression.text}" for expression in experiment.space.constraints)
    yield from (f"filled    {words}, from the data" for words in filled(dataset, prepared.own))
    yield from (f"fixed     {words}, as an experiment file cannot hold this type" for words in not_settings(own))
    yield from (f"weights   {words}" for words in prepared.checked.weights)
    if prepared.checked.sizes:
        yield f"size      {prepared.checked.sizes.words()}"
    yield f"chains    {', '.join(chain.name for chain in chains)}"
    yield f"split     {_split(prepared)}"
    tested = f", {len(chains[0].test):,} test" if len(chains[0].test) else ""
    yield (
        f"folds     {', '.join(str(len(chain.folds)) for chain in chains)} inner folds; "
        f"{len(chains[0].folds[0].train):,} rows train, {len(chains[0].folds[0].validation):,} validate{tested}"
    )
    if new := in_words({chain.name: unseen(dataset, chain.rows, chain.test) for chain in chains}):
        yield f"unseen    {new}"
    if stops := _limits(prepared):
        yield f"limits    {stops}"
    yield f"device    {', '.join(devices)}; {counted(workers, 'worker')}"
    yield f"work      {work(prepared, trials)}"


def as_object(prepared: Prepared, devices: Sequence[str], workers: int) -> dict[str, Any]:
    """The same as values."""
    experiment, dataset = prepared.experiment, prepared.dataset
    return {
        "name": experiment.name,
        "data": {"name": dataset.name, "rows": len(dataset), "shape": dataset.features.shape[1:], "task": dataset.task},
        "metric": prepared.metric.name,
        "maximize": prepared.metric.maximize,
        "sampler": experiment.search.sampler,
        "trials": prepared.trials(),
        "parameters": {parameter.path: _domain(parameter) for parameter in experiment.space.parameters},
        "constraints": [expression.text for expression in experiment.space.constraints],
        "split": _split(prepared),
        "chains": {
            chain.name: {"inner_folds": len(chain.folds), "rows": len(chain.rows), "test": len(chain.test)}
            for chain in prepared.plan.chains
        },
        "limits": experiment.limits.model_dump(exclude_none=True),
        "pruner": experiment.search.pruner.name,
        "devices": list(devices),
        "workers": workers,
        "warnings": list(prepared.warnings),
    }


def _domain(parameter: Parameter) -> str:
    when = parameter.condition.when
    return parameter.domain.words() + (f"   when {when.text}" if when else "")


def _split(prepared: Prepared) -> str:
    """How the rows are cut, and by which column."""
    from tuner.data.cuts import kind_of
    from tuner.data.strata import STRATIFIED

    dataset, kind = prepared.dataset, kind_of(prepared.experiment.resampling, prepared.dataset)
    column = getattr(prepared.experiment.dataset, kind, None)
    asked = prepared.experiment.resampling.stratify
    alike = kind in ("random", "groups") and (dataset.task in STRATIFIED if asked == "auto" else asked)
    return WAYS[kind] + (f", by '{column}'" if column else "") + (", class shares kept" if alike else "") + (
        f" ({prepared.plan.units:,} groups)" if kind == "groups" and dataset.roles.groups is not None else ""
    )  # fmt: skip


def _limits(prepared: Prepared) -> str:
    """What stops a trial or the search, in words."""
    limits, pruner = prepared.experiment.limits.model_dump(exclude_none=True), prepared.experiment.search.pruner.name
    stated = [f"{name}: {value}" for name, value in limits.items()]
    return ", ".join([*([f"pruner: {pruner}"] if pruner != "none" else []), *stated])
