"""`tuner search FILE`: search to the total, and go on where an earlier run ended."""

from __future__ import annotations

from pathlib import Path

import typer


def command(
    file: str = typer.Argument(help="Experiment file, or the name of a shipped one (tuner list spaces)."),
    study: Path = typer.Option(Path("study.db"), "--study", help="Where everything is kept."),
    name: str | None = typer.Option(None, "--name", help="Name of the study; by default the experiment's."),
    trials: int | None = typer.Option(None, "--trials", min=1, help="Total per chain, instead of the file's."),
    workers: int | None = typer.Option(
        None, "--workers", min=0, help="Worker processes; default: the cores, or one per GPU. 0: in this process."
    ),
    device: str = typer.Option("auto", "--device", help="auto, cpu, cuda, cuda:1 or mps."),
    fresh: bool = typer.Option(False, "--fresh", help="Delete the study's trials and start over."),
) -> None:
    """Search by nested cross-validation; everything goes into study.db.

    The same command again goes on to the total, also after a crash or a kill.

    \b
      tuner search rnn
      tuner search my.yaml --study night.db --trials 60
    """
    from contextlib import ExitStack

    from tuner.cli.live import Live
    from tuner.cli.spaces import find
    from tuner.search.forkserver import empty_storage, start_forkserver
    from tuner.store import check_file, holds_something

    path, new = find(file), not holds_something(study)
    if not new:
        check_file(study)  # before torch is loaded: a wrong file is told at once
    with ExitStack() as stack:
        empty = None
        if workers != 0:
            start_forkserver()
            empty = stack.enter_context(empty_storage()) if new else None
        from tuner.search.driver import Wishes, search
        from tuner.search.plan import prepare

        prepared = prepare(path)
        wishes = Wishes(study, name, trials, workers, device, fresh)
        with Live(prepared, wishes) as live:
            search(prepared, wishes, live.hear, empty)
    live.goodbye()
