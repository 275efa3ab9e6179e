"""`tuner init`: the shipped search spaces, to be edited."""

from __future__ import annotations

from pathlib import Path

import typer


def command(
    folder: Path = typer.Argument(Path("spaces"), readable=False, help="Where to write them."),
) -> None:
    """Write the shipped search spaces into ./spaces; a file that exists is left as it is.

    \b
      tuner init && tuner search spaces/rnn.yaml
    """
    from tuner.cli.spaces import first_words, shipped
    from tuner.errors import UsageError
    from tuner.escapes import visible

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, path in shipped().items():
            target = folder / path.name
            text = path.read_text("utf-8").replace(f"tuner search {name}", f"tuner search {target}", 1)
            try:
                with target.open("x", encoding="utf-8") as file:
                    file.write(text)
                typer.echo(visible(f"{target}: {first_words(path)}"))
            except FileExistsError:
                typer.echo(visible(f"{target}: kept, it exists"))
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}", "name another folder") from error
