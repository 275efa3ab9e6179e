"""Arguments and options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

# `Any`: they are the defaults of arguments of several types, which typer replaces by the values given
STUDY: Any = typer.Argument(Path("study.db"), readable=False, help="The study file that tuner search wrote.")
NAME: Any = typer.Option(None, "--name", help="A study in the file; default: the one that ran last.")
CHAIN: Any = typer.Option("final", "--chain", help="Which chain: final, outer-1, …")
DEVICE: Any = typer.Option("auto", "--device", help="auto, cpu, cuda, cuda:1 or mps.")
JSON: Any = typer.Option(False, "--json", help="Print one JSON object instead.")
TRUST: Any = typer.Option(False, "--trust", help="Run code that a study from another place names.")
