"""`tuner check FILE`: every mistake at once, else the plan of the search."""

from __future__ import annotations

import typer

from tuner.cli.options import JSON


def command(
    file: str = typer.Argument(help="Experiment file, or the name of a shipped one."),
    time: bool = typer.Option(False, "--time", help="Train the default configuration once, and say how long it takes."),
    json: bool = JSON,
) -> None:
    """Validate an experiment and print its plan; nothing is written.

    \b
      tuner check my.yaml
      tuner check my.yaml --time
    """
    from tuner.cli.console import announce, clock, console, print_json
    from tuner.cli.spaces import find

    path = find(file)
    announce(f"reading {path}")
    from tuner.cli.plan import as_object, lines
    from tuner.report.tables import counted
    from tuner.search.machine import default_workers, devices, memory_budget_of
    from tuner.search.prepare import prepare
    from tuner.search.sizes import check_memory
    from tuner.search.timing import time_one_trial

    where = devices("auto")
    workers = default_workers(where)
    prepared = prepare(path)
    prepared = check_memory(prepared, memory_budget_of(prepared.experiment.limits, where))
    estimate = time_one_trial(prepared, where[0]) if time else None
    if json:
        timed = estimate and {"trial": estimate.trial, "search": estimate.search / workers}
        print_json({**as_object(prepared, where, workers), "seconds": timed})
        return
    to = console()
    for text in (*prepared.warnings, *lines(prepared, where, workers)):
        to.print(text, markup=False, soft_wrap=True)
    if estimate:
        several = f"{counted(workers, 'worker')} of {', '.join(where)}"
        to.print(f"one trial of one chain took {estimate.trial:.2f} s: the search about "
                 f"{clock(estimate.search / workers)} on {several}, if all are like it")  # fmt: skip
