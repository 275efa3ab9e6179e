"""The README cannot lie: its commands run, its example passes the check, its floors and flags exist."""

import json
import re
import shlex
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from helpers import command, inside, search, tuner, write_space
from ruamel.yaml import YAML

from tuner import errors, report
from tuner.cli.app import VERBS
from tuner.search.catalogue import CodeHere, catalogue

ROOT = Path(errors.__file__).parent
README = ROOT.parent.joinpath("README.md").read_text("utf-8")


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def commands():
    """Every line that starts with the command, as arguments."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("tuner ")]


def test_the_two_set_ups_are_one_line_each():
    """Fresh checkout to main job, and to passing tests: what one would paste."""
    main, tests = (block.splitlines() for block in blocks("sh")[:2])
    assert len(main) == len(tests) == 1
    steps = [line[0].split(" && ") for line in (main, tests)]
    assert [step[0] for step in steps] == ["python3 -m venv .venv"] * 2
    assert all(step[1].startswith(".venv/bin/pip install ") for step in steps)
    assert ".venv/bin/tuner search quick" in steps[0]
    assert steps[1][2:] == [".venv/bin/pytest -n auto", ".venv/bin/pytest -n auto -m slow"]


@pytest.mark.slow
def test_every_command_runs_in_order_in_a_fresh_folder(tmp_path):
    told = {}
    for arguments in commands():
        done = tuner(*arguments, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, ""), arguments
        told[arguments[0]] = done.stdout
    assert {*told} == {verb.__name__.rpartition(".")[2] for verb in VERBS}
    shown = blocks("text")[0].splitlines()
    assert told["report"].splitlines()[0] == shown[0]
    titles = [line for line in shown if line.startswith(("Chosen", "Ranking"))]
    assert len(titles) == 2 and set(titles) <= set(told["report"].splitlines())


@pytest.fixture
def project(tmp_path):
    """A home with a project and an environment in it, as the section "Overnight" has them."""
    folder = tmp_path / "project"
    scripts = folder / ".venv" / "bin"
    scripts.mkdir(parents=True)
    script = scripts / "tuner"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(command())} "$@"\n')
    script.chmod(0o755)
    write_space(folder, "my.yaml", search={"trials": 2})
    return folder


def nights():
    """The lines that a night runs: cron's, with its settings, and systemd's."""
    (crontab,), (unit,) = blocks("crontab"), blocks("ini")
    lines = [line for line in crontab.splitlines() if not line.startswith("#")]
    settings = dict(line.split("=", 1) for line in lines[:-1])
    (start,) = re.findall(r"^ExecStart=(.*)$", unit, flags=re.MULTILINE)
    return {"cron": (lines[-1].split(None, 5)[5], settings), "systemd": (f"cd $HOME/project && {start}", {})}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["cron", "systemd"])
def test_a_night_runs_as_printed(project, kind):
    line, settings = nights()[kind]
    home, evening = str(project.parent), f"EVENING{datetime.now(UTC).hour - 20}"  # a time zone where it is eight
    done = subprocess.run(["/bin/sh", "-c", line.replace("%h", home)], env={"HOME": home, "TZ": evening, **settings},
                          cwd="/", capture_output=True, text=True, timeout=120)  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert inside("status", project / "night.db")[0] == 0
    assert "accuracy" in (project / "night.log").read_text()


def test_every_exit_code_is_told():
    told = {
        int(code) for line in re.findall(r"^\| ([\d, ]+) \|", README, flags=re.MULTILINE) for code in line.split(", ")
    }
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.TunerError)]
    assert told == {0, 129, 130, 143, *(kind.exit_code for kind in kinds)}


def test_the_keys_of_the_json_lines_are_those_told(tmp_path):
    rows = re.findall(r"^\| (started|trial|refit|chain|note|stopped) \| (.*) \|$", README, flags=re.MULTILINE)
    told = {event: set(re.findall(r"\w+", re.sub(r"\(.*?\)|:.*", "", keys))) for event, keys in rows}
    out = search(write_space(tmp_path, search={"trials": 1}), tmp_path / "study.db", "--json")
    for line in out.splitlines():
        each = json.loads(line)
        assert set(each) == {"event", "time", *told[each["event"]]}


TORTURE = {
    "experiment files": ["test_torture_files"],
    "data files": [
        "test_torture_data",
        "test_torture_images",
        "test_torture_series",
        "test_torture_tables",
        "test_bombs",
    ],
    "studies and disks": ["test_torture_study", "test_store", "test_checksums"],
    "processes": ["test_torture_processes"],
    "terminals": ["test_torture_terminal", "test_torture_escapes"],
    "files of yours": ["test_torture_names", "test_outputs", "test_torture_held", "test_torture_left"],
    "your own code": ["test_user_code", "test_trust"],
    "the machine": ["test_torture_machine"],
    "fuzzing and kills": ["test_fuzz"],
}


@pytest.mark.slow
def test_the_cases_of_torture_are_counted():
    listing = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "torture", "-o", "addopts="]
    done = subprocess.run(listing, cwd=ROOT.parent, capture_output=True, text=True)
    files = Counter(line.partition("::")[0] for line in done.stdout.splitlines() if "::" in line)
    told = dict(re.findall(r"^\| ([\w ]+) \| (\d+) \| .* \|$", README, flags=re.MULTILINE))
    assert {kind: int(told[kind]) for kind in TORTURE} == {
        kind: sum(files[f"tests/{name}.py"] for name in names) for kind, names in TORTURE.items()
    }


def test_every_source_that_reads_something_of_the_users_is_in_the_table():
    datasets = catalogue(CodeHere(Path())).datasets
    rows = re.findall(r"^\| (`.*) \| .* \| `(\{name: .*\})` \|$", README, flags=re.MULTILINE)
    told = {name for first, _ in rows for name in re.findall(r"`(\w+)`", first)}
    needs = {name for name in datasets if any(f.is_required() for f in datasets[name].model_fields.values())}
    assert told == {*needs, "newsgroups", "openml"}
    for _, example in rows:
        wish = YAML(typ="safe").load(example)
        if wish["name"] in told:
            datasets[wish["name"]].model_validate(wish, strict=False)


def test_the_example_file_passes_the_check(tmp_path):
    (example,) = blocks("yaml")
    path = tmp_path / "example.yaml"
    path.write_text(example, encoding="utf-8")
    code, out, err = inside("check", path)
    assert (code, err) == (0, "")
    assert "warning" not in out and "digits" in out


def test_the_floors_drawn_are_the_folders_that_exist():
    drawn = [line for line in README.splitlines() if re.match(r" {4}\d  \w", line)]
    assert [line.split()[0] for line in drawn] == list("6543210")
    named = [name for line in drawn for name in re.findall(r"(?<!\S)(\w+/|\w+\.py)(?=\s|$)", line)]
    folders = [f"{path.name}/" for path in ROOT.iterdir() if path.joinpath("__init__.py").exists()]
    files = [path.name for path in ROOT.glob("*.py") if not path.name.startswith("__")]
    # a floor's sentence may name a folder again
    assert {*named} == {*folders, *files}


def test_every_flag_exists():
    flags = set(re.findall(r"(?<![\w-])--[a-z]+\b", README))
    helps = "".join(
        inside(*verb, "--help")[1] for verb in ((), ("search",), ("report",), ("check",), ("replay",), ("studies",))
    )
    assert {"--trials", "--fresh", "--chain", "--until"} <= flags
    others = {"--user", "--now"}  # systemctl's
    assert {flag for flag in flags - others if not re.search(rf"(?<![\w-]){flag}\b", helps)} == set()


@pytest.mark.parametrize("name", ["trials", "outer_folds", "curves"])
def test_the_data_frames_named_exist(finished, name):
    assert f"`tuner.report.{name}(" in README or f"`.{name}`" in README
    assert len(getattr(report, name)(finished)) > 0
