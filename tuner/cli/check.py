"""`tuner check FILE`: every mistake at once, else the plan of the search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from tuner.search.prepare import Prepared


def command(
    file: str = typer.Argument(help="Experiment file, or the name of a shipped one."),
    time: bool = typer.Option(False, "--time", help="Train the default configuration once, and say how long it takes."),
) -> None:
    """Validate an experiment and print its plan; nothing is written.

    \b
      tuner check my.yaml
      tuner check my.yaml --time
    """
    from tuner.cli.console import announce, clock, console
    from tuner.cli.spaces import find

    path = find(file)
    announce(f"reading {path}")
    from tuner.search.machine import devices, memory_budget_of
    from tuner.search.prepare import prepare
    from tuner.search.sizes import check_memory

    where = devices("auto")
    prepared = prepare(path)
    prepared = check_memory(prepared, memory_budget_of(prepared.experiment.limits, where))
    to = console()
    for warning in prepared.warnings:
        to.print(warning, markup=False, soft_wrap=True)
    for line in _plan(prepared):
        to.print(line, markup=False, soft_wrap=True)
    if time:
        from tuner.report.tables import counted
        from tuner.search.machine import default_workers
        from tuner.search.timing import time_one_trial

        estimate, workers = time_one_trial(prepared, where[0]), default_workers(where)
        several = f"{counted(workers, 'worker')} of {', '.join(where)}"
        to.print(f"one trial of one chain took {estimate.trial:.2f} s: the search about "
                 f"{clock(estimate.search / workers)} on {several}, if all are like it")  # fmt: skip


def _plan(prepared: Prepared) -> list[str]:
    from tuner.cli.lines import work
    from tuner.data.unseen import in_words, unseen
    from tuner.experiment import grid
    from tuner.report.tables import counted
    from tuner.search.own import filled

    experiment, dataset, chains = prepared.experiment, prepared.dataset, prepared.plan.chains
    trials = prepared.trials()
    new = in_words({c.name: unseen(dataset, c.rows, c.test) for c in chains})
    shape = "×".join(str(n) for n in dataset.features.shape[1:])
    numbers = "" if dataset.side is None else f" ids and {dataset.side.values.shape[1]} numbers"
    better = "higher" if prepared.metric.maximize else "lower"
    return [
        f"data      {dataset.name}: {len(dataset):,} rows of {shape}{numbers}, {dataset.task}",
        f"metric    {prepared.metric.name}, {better} is better",
        f"sampler   {experiment.search.sampler}, {counted(trials, 'trial')} per chain"
        + (f" of {counted(grid.size(experiment.space), 'cell')}" if experiment.search.sampler == "grid" else ""),
        f"space     {counted(len(experiment.space.parameters), 'parameter')}"
        + "".join(f"\n            {p.path}: {p.domain.words()}" for p in experiment.space.parameters),
        *(f"filled    {words}, from the data" for words in filled(dataset, prepared.own_models)),
        *([f"size      {prepared.checked.sizes.words()}"] if prepared.checked.sizes else []),
        f"chains    {', '.join(c.name for c in chains)}",
        f"folds     {', '.join(str(len(c.folds)) for c in chains)} inner folds; "
        f"{len(chains[0].folds[0].train):,} rows train, {len(chains[0].folds[0].validation):,} validate"
        + (f", {len(chains[0].test):,} test" if len(chains[0].test) else ""),
        *([f"unseen    {new}"] if new else []),
        f"work      {work(prepared, trials)}",
    ]
