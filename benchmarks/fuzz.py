"""Feeds damaged studies, experiment files, tables and strange names to the commands: no traceback, no hang.

python -m benchmarks fuzz                      # MINUTES minutes for each kind
python -m benchmarks.fuzz studies 2 7           # two minutes of one kind, from seed 7
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import psutil

import tuner.search.driver  # noqa: F401  before torch: what a command would load, once for all cases
from benchmarks.timing import table
from tuner.cli.app import run

MINUTES = 10
SLOWEST = 5.0  # seconds of a command
MEMORY = 10**9  # bytes
CODES = {0, 2, 3, 4, 5}  # what a command may end with: done, a mistake, unfinished, no study, no result
SPACES = Path(__file__).parents[1] / "search_spaces"
ODD = (
    "", "0", "-1", "1e309", "nan", "null", "true", "~", "[]", "{}", "!!python/object:os.system", "&a", "*a", "<<: *a",
    "'", '"', "\\0", "\x1b[2J", "\u202e", "\ufeff", "é" * 50, "9" * 400, "2024-02-30", "{low: 1, high: 0}",
    "{choose: {}}",
    "../../etc/passwd", "__import__('os')", "=1+1", "a,b", "\r\n", "\t", "☃", "\U0001f600", "1_000", "0x1f", "1:30",
    "{low: 1, high: 1e308, log: true}", "{low: 0, high: 1, points: 1000000000}", "%s%s%n", "<script>", "|", "-", "?",
)  # fmt: skip


def studies(draw: random.Random, folder: Path) -> list[str]:
    """A study of which bytes, or values under a checksum, are others."""
    study = folder / "study.db"
    shutil.copy(_finished(), study)
    if draw.random() < 0.5:
        raw = bytearray(study.read_bytes())
        for _ in range(draw.choice((1, 1, 3, 30))):
            place = draw.randrange(len(raw))
            match draw.randrange(4):
                case 0:
                    raw[place] ^= 1 << draw.randrange(8)
                case 1:
                    raw[place : place + draw.randrange(1, 2000)] = bytes(draw.randrange(1, 200))
                case 2:
                    raw[place : place + 8] = raw[draw.randrange(len(raw)) :][:8]
                case _:
                    del raw[max(1, place) :]
            if not raw:
                break
        study.write_bytes(raw)
    else:
        with suppress(sqlite3.Error), closing(sqlite3.connect(study)) as db:
            where = draw.choice(("study_user_attributes", "trial_user_attributes"))
            rows = db.execute(f"SELECT rowid, key, value_json FROM {where}").fetchall()
            row, key, text = draw.choice(rows)
            db.execute(f"UPDATE {where} SET value_json = ? WHERE rowid = ?", (_reworded(draw, key, text), row))
            db.commit()
    verbs = (["report"], ["report", "--format", "json"], ["report", "--top", "3", "--chain", "outer-1"], ["status"],
             ["studies"], ["importance"], ["report", "--trial", "1", "--chain", "final"],
             ["report", "--format", "html"])  # fmt: skip
    verb, *options = draw.choice(verbs)
    return [verb, str(study), *options]


def _reworded(draw: random.Random, key: str, text: str) -> str:
    """A record with another value at some place, and checksums that fit, as one forged by hand has."""
    from tuner.experiment.records import from_checked_json, to_checked_json

    try:
        tree = from_checked_json(text, dict, key)
    except ValueError:  # a trial, with its curves apart
        place = draw.randrange(len(text))
        return text[:place] + draw.choice(("", "0", "null", '"', "[", "}")) + text[place + 1 :]
    here = tree
    while isinstance(here, dict | list) and here:
        key = draw.choice([*here] if isinstance(here, dict) else range(len(here)))
        if not isinstance(here[key], dict | list) or not here[key] or draw.random() < 0.3:
            here[key] = draw.choice((None, -1, 10**20, "", "x", [], {}, [1, 2, 3], True, 0.5, "\x1b[2J", "9" * 5000))
            break
        here = here[key]
    return to_checked_json(tree, key)


def files(draw: random.Random, folder: Path) -> list[str]:
    """A shipped experiment file of which some lines and words are others."""
    lines = draw.choice(sorted(SPACES.glob("*.yaml"))).read_text().splitlines()
    for _ in range(draw.choice((1, 2, 5))):
        place = draw.randrange(len(lines))
        words = lines[place].split(" ")
        match draw.randrange(6):
            case 0:
                lines[place] = lines[place][: draw.randrange(len(lines[place]) + 1)]
            case 1:
                lines.insert(place, draw.choice(lines))
            case 2:
                del lines[place]
            case 3:
                words[draw.randrange(len(words))] = draw.choice(ODD)
            case 4:
                key, _, _ = lines[place].partition(":")
                words = [f"{key}: {draw.choice(ODD)}"]
            case _:
                words.append(draw.choice(ODD))
        if place < len(lines):
            lines[place] = " ".join(words)
        lines = lines or [""]
    path = folder / "space.yaml"
    path.write_bytes("\n".join(lines).encode("utf-8", draw.choice(("strict", "surrogateescape"))))
    return ["check", str(path)]


def tables(draw: random.Random, folder: Path) -> list[str]:
    """A CSV file with strange cells, names and lines."""
    columns, rows = draw.randrange(1, 7), draw.choice((0, 1, 2, 5, 12, 40, 120))
    kinds: list[Callable[[], str]] = [
        lambda: str(draw.randrange(5)), lambda: f"{draw.gauss(0, 1):.3f}", lambda: draw.choice("abc"),
        lambda: f"2024-{draw.randrange(1, 13):02d}-{draw.randrange(1, 29):02d}", lambda: draw.choice(("yes", "no", "")),
        lambda: draw.choice(ODD), lambda: str(draw.randrange(10**18)), lambda: f"{draw.random() * 1e300:g}",
        lambda: draw.choice(("NA", "NaN", "inf", "-inf", "None", "1,5", "1 000", "12%", "$3")),
    ]  # fmt: skip
    chosen = [draw.choice(kinds) for _ in range(columns)]
    names = [draw.choice((f"c{n}", f"c{n}", draw.choice(ODD), draw.choice(("id", "date", "user", "target", "text"))))
             for n in range(columns)]  # fmt: skip
    sign = draw.choice((",", ",", ";", "\t"))
    lines = [sign.join(names), *(sign.join(kind() for kind in chosen) for _ in range(rows))]
    raw = draw.choice(("\n", "\r\n", "\r")).join(lines).encode("utf-8", "surrogatepass")
    if draw.random() < 0.2 and raw:
        place = draw.randrange(len(raw))
        raw = raw[:place] + bytes(draw.randrange(256) for _ in range(draw.randrange(1, 5))) + raw[place:]
    path = folder / draw.choice(("data.csv", "data.tsv", "data.txt"))
    path.write_bytes(raw)
    if draw.random() < 0.5:
        return ["data", str(path), *draw.choice(([], ["--target", draw.choice(names)]))]
    dataset = {"name": draw.choice(("table", "table", "sequences", "forecast", "ratings", "texts")), "path": path.name}
    for role in draw.sample(("target", "groups", "time", "weights", "split", "text", "id", "values", "user"), 2):
        dataset[role] = draw.choice(names)
    (folder / "space.yaml").write_text(
        json.dumps({"dataset": dataset, "model": draw.choice(("mlp", "rnn", "transformer"))})
    )
    return ["check", str(folder / "space.yaml")]


def names(draw: random.Random, folder: Path) -> list[str]:
    """Strange names of studies, files, chains and columns."""
    odd = "".join(draw.choice((*ODD, "a", "b", "/", ".", " ", "-")) for _ in range(draw.randrange(1, 4)))
    study = folder / "study.db"
    shutil.copy(_finished(), study)
    verbs: list[list[str]] = [
        ["studies", str(study), "--rename", "fuzz", odd], ["report", str(study), "--name", odd],
        ["report", str(study), "--chain", odd], ["report", str(folder / odd.replace("/", "_"))],
        ["search", "quick", "--study", str(folder / "new.db"), "--name", odd, "--trials", "1", "--workers", "0"],
        ["report", str(study), "--output", str(folder / odd.replace("\0", ""))], ["check", odd], ["data", odd],
        ["list", odd], ["status", odd], ["init", str(folder / odd.replace("\0", ""))], ["compare", str(study), odd],
        ["search", odd], ["replay", str(study), "--trial", odd], [odd], ["report", str(study), odd],
    ]  # fmt: skip
    return draw.choice(verbs)


KINDS = {"studies": studies, "files": files, "tables": tables, "names": names}
_STUDY: list[Path] = []


def _finished() -> Path:
    """A small finished study, made once."""
    if not _STUDY:
        folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
        tree = {"name": "fuzz", "dataset": "iris", "model": {"name": "mlp", "hidden_size": [2, 4]},
                "training": {"epochs": 3}, "resampling": {"outer": 3},
                "search": {"sampler": "tpe", "trials": 3}}  # fmt: skip
        (folder / "space.yaml").write_text(json.dumps(tree))
        with contextlib.redirect_stdout(io.StringIO()):
            assert (
                run(["search", str(folder / "space.yaml"), "--study", str(folder / "study.db"), "--workers", "0"]) == 0
            )
        _STUDY.append(folder / "study.db")
    return _STUDY[0]


def case(kind: str, number: int) -> tuple[list[str], str]:
    """Run one case; the command, and what is wrong with how it ended."""
    with tempfile.TemporaryDirectory() as name:
        draw, before = random.Random(f"{kind} {number}"), Path.cwd()
        words = KINDS[kind](draw, Path(name))
        out, err, begun = io.StringIO(), io.StringIO(), time.monotonic()
        os.chdir(name)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = run(words)
        except BaseException as error:
            return words, f"raises {type(error).__name__}: {error}"
        finally:
            os.chdir(before)
    seconds, held = time.monotonic() - begun, psutil.Process().memory_info().rss
    said = out.getvalue() + err.getvalue()
    wrong = [
        *(["a bug"] if "a bug in tuner" in said or "Traceback" in said else []),
        *([f"exit {code}"] if code not in CODES else []),
        *([f"{seconds:.1f} s"] if seconds > SLOWEST else []),
        *([f"{held / 1e9:.1f} GB"] if held > MEMORY else []),
        *(["an escape on the terminal"] if "\x1b" in said else []),
        *(["an error without a word"] if code in (2, 4, 5) and not err.getvalue().strip() else []),
    ]
    return words, ", ".join(wrong) and f"{', '.join(wrong)}: {err.getvalue()[:300]!r}"


def cases(kind: str, seed: int, seconds: float) -> Iterator[tuple[int, list[str], str]]:
    """Cases, one after another, for some time."""
    end, number = time.monotonic() + seconds, seed * 10**9
    while time.monotonic() < end:
        yield number, *case(kind, number)
        number += 1


def work(kind: str, number: int, seconds: float) -> None:
    """Run cases in this process, which one of them may hang or kill; print a line before each, and one per failure."""
    end = time.monotonic() + seconds
    _finished()
    while time.monotonic() < end:
        print(json.dumps([number, None, None]), flush=True)
        words, wrong = case(kind, number)
        if wrong:
            print(json.dumps([number, words, wrong]), flush=True)
        number += 1


def campaign(kind: str, seed: int, seconds: float) -> tuple[int, list[str]]:
    """How many cases were run in that time, and what was wrong, each with the number that repeats it."""
    end, first = time.monotonic() + seconds, seed * 10**9
    number, wrong = first, []
    while (left := end - time.monotonic()) > 0:
        words = [sys.executable, "-m", "benchmarks.fuzz", "--work", kind, str(number), str(left)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            assert process.stdout is not None
            for line in iter(lambda: _line(process), ""):
                number, at, said = json.loads(line)
                if said:
                    wrong.append(f"{kind} {number}: tuner {' '.join(map(repr, at))}: {said}")
        if process.returncode:
            wrong.append(f"{kind} {number}: the process ended with {process.returncode}")
        number += 1
    return number - first, wrong


def _line(process: subprocess.Popen[str]) -> str:
    """The next line; a process that says nothing for long is killed."""
    from threading import Timer

    assert process.stdout is not None
    watch = Timer(60.0, process.kill)
    watch.start()
    try:
        return process.stdout.readline()
    finally:
        watch.cancel()


def main() -> None:
    """Print how many cases there were, and what was wrong."""
    words = sys.argv[1:]
    if words[:1] == ["--work"]:
        work(words[1], int(words[2]), float(words[3]))
        return
    chosen = [word for word in words if word in KINDS] or [*KINDS]
    numbers = [float(word) for word in words if word.replace(".", "").isdigit()]
    minutes, seed = [*numbers, *(MINUTES, 0)[len(numbers) :]][:2]
    found = {kind: campaign(kind, int(seed), 60 * minutes) for kind in chosen}
    rows = [[kind, f"{count:,}", len(wrong)] for kind, (count, wrong) in found.items()]
    table(f"Fuzzed, {minutes:g} minutes each", ["what", "commands", "wrong"], rows)
    for _, wrong in found.values():
        print("\n".join(wrong))
    sys.exit(any(wrong for _, wrong in found.values()))


if __name__ == "__main__":
    main()
