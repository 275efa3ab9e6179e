"""What several tests need: a tiny experiment file, the real command, and reports made comparable."""

import contextlib
import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuner.cli.app import run
from tuner.experiment.configuration import Configuration
from tuner.experiment.experiment import load
from tuner.experiment.records import TrialRecord, from_checked_json, to_checked_json
from tuner.search.catalogue import catalogue
from tuner.search.own_kinds import CodeHere

SUPPORT = str(Path(__file__).parent)
TINY: dict[str, Any] = {
    "name": "tiny",
    "dataset": {"name": "iris"},
    "model": {"name": "mlp", "hidden_size": {"low": 2, "high": 16, "log": True}, "activation": ["relu", "tanh"]},
    "training": {
        "epochs": 4,
        "batch_size": "full",
        "optimizer": {"name": "adam", "learning_rate": {"low": 0.001, "high": 0.3, "log": True}},
        "early_stopping": {"patience": 2},
    },
    "resampling": {"outer": 3},
    "search": {"sampler": "tpe", "trials": 6, "seed": 1},
}
GRID = {
    "model": {"hidden_size": [2, 4, 8]},
    "training": {"optimizer": {"name": "adam", "learning_rate": [0.01, 0.1]}},
    "search": {"sampler": "grid", "trials": None},
}
DIVERGING = {  # steps so large that every loss is infinite within an epoch or two
    "dataset": {"name": "diabetes"},
    "training": {"batch_size": 32, "optimizer": {"name": "sgd", "learning_rate": 100, "momentum": [0.9, 0.95]}},
}


def write_space(folder, file="space.yaml", **changes):
    """Write the tiny experiment; each change is merged into its section, and None takes a key out."""
    tree = {**TINY}
    for key, value in changes.items():
        merged = {**tree.get(key, {}), **value} if isinstance(value, dict) else value
        tree[key] = {k: v for k, v in merged.items() if v is not None} if isinstance(merged, dict) else merged
    path = Path(folder) / file
    path.write_text(json.dumps({k: v for k, v in tree.items() if v is not None}), encoding="utf-8")
    return path


def space_of(folder, **changes):
    """The search space of the tiny experiment."""
    return load(write_space(folder, **changes), catalogue(CodeHere(Path(folder)))).space


def inverse_transform(dataset):
    """The numbers of a data set as float64, with their offsets added (D,)."""
    numbers = dataset.numbers
    shape = (-1, 1, 1) if numbers.layout == "image" else (-1,)
    return numbers.values.astype(np.float64) + (0 if numbers.offsets is None else numbers.offsets.reshape(shape))


def slow(*values):
    """A case of a test that only the whole suite runs."""
    return pytest.param(*values, marks=pytest.mark.slow)


def but_slow(cases, chosen):
    """The names of all cases, of which the chosen are slow."""
    assert {*chosen} <= {*cases}
    return [slow(name) if name in chosen else name for name in cases]


def command(*args):
    """The real command as a list for subprocess."""
    return [sys.executable, "-m", "tuner", *map(str, args)]


def tuner(*args, cwd, **env):
    """Run the real command to its end."""
    surroundings = {**os.environ, **env}
    arguments = {"cwd": cwd, "env": surroundings, "capture_output": True, "text": True, "timeout": 300}
    return subprocess.run(command(*args), errors="replace", **arguments)


def inside(*args):
    """Run the command in this process: (exit code, standard output, standard error)."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([str(arg) for arg in args])
    return code, out.getvalue(), err.getvalue()


def search(path, study, *args, workers=0):
    """A search in this process that must succeed; returns what it printed."""
    code, out, err = inside("search", path, "--study", study, "--workers", workers, *args)
    assert code == 0, err
    return out


def report_json(study, *args):
    """The whole JSON report as text, without the lines of `seconds`: the only values that may differ."""
    code, out, err = inside("report", study, "--format", "json", "--top", 1000, *args)
    assert code == 0, err
    return re.sub(r'^ *"seconds": .*\n', "", out, flags=re.MULTILINE)


def tables(study, *args):
    """What two equal searches must agree on, to the byte."""
    return [report_json(study, "--chain", chain, *args) for chain in ("outer-1", "final")]


def but_raised(found):
    """Tables without what tells that the total was raised when the study was complete."""
    reports = [json.loads(table) for table in found]
    return [{key: value for key, value in report.items() if key != "raised"} for report in reports]


def execute(study, *statement):
    """Change a study by SQL."""
    with contextlib.closing(sqlite3.connect(study)) as db:
        db.execute(*statement)
        db.commit()


def reworded(study, key, change):
    """Change an attribute of the studies of a file, with a new checksum."""
    with contextlib.closing(sqlite3.connect(study)) as db:
        query = "SELECT study_user_attribute_id, value_json FROM study_user_attributes WHERE key = ?"
        for row, text in db.execute(query, (key,)).fetchall():
            value = from_checked_json(text, dict, key)
            change(value)
            update = "UPDATE study_user_attributes SET value_json = ? WHERE study_user_attribute_id = ?"
            db.execute(update, (to_checked_json(value, key), row))
        db.commit()


NOTHING = Configuration({}, {})


def changed(configuration, **model):
    """A configuration with other settings of its model."""
    return replace(configuration, model={**configuration.model, **model})


def record(number, values, score=None, **more):
    """A finished trial made by hand; without a score it has failed."""
    if score is None:
        return TrialRecord(number, "failed", values, NOTHING, 0.1, reason="by hand")
    epochs = more.pop("best_epochs", (1, 2))
    return TrialRecord(
        number, "complete", values, NOTHING, 0.1, score=score, best_epochs=epochs, means=(score,), **more
    )


def start(path, study, workers=2):
    """Start a real search in its own process group, as a terminal does."""
    arguments = command("search", path, "--study", study, "--workers", workers)
    pipe = subprocess.PIPE
    return subprocess.Popen(
        arguments, stdout=pipe, stderr=pipe, text=True, start_new_session=True, preexec_fn=heed_signals
    )


def heed_signals():
    """As in a terminal: a test run in the background would hand on that it ignores SIGINT, and tuner respects that."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def read_trials(process, count):
    """Wait until the search has said that `count` trials are finished."""
    seen = 0
    while seen < count:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        seen += bool(re.match(r"\S+ trial \d+: ", line))


def descendants(pid):
    """Every living process below `pid`; the workers hang below a server, so children alone are not enough."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = entry.read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(entry.parent.name)] = int(parent)
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def alive(pids):
    """Those that still run; a zombie has ended."""
    living = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                living.add(pid)
    return living


def all_gone(pids, patience=20.0):
    """Whether all of them end."""
    end = time.monotonic() + patience
    while alive(pids) and time.monotonic() < end:
        time.sleep(0.05)
    return not alive(pids)


def stop(process, number=signal.SIGKILL):
    """Send a signal to a started search; returns (exit code, standard error)."""
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    return process.returncode, err
