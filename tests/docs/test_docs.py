"""The documentation cannot lie: its files pass the check, its commands run, its tables are complete."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from helpers import command, inside, search, write_space
from pages import PAGES, ROOT, blocks
from ruamel.yaml import YAML

from tuner import errors
from tuner.cli.app import VERBS
from tuner.search.catalogue import catalogue
from tuner.search.own_kinds import CodeHere

DOCS = ROOT / "docs"
NIGHTS, RUNNING, TESTING = (
    DOCS / f"{name}.md" for name in ("how-to/nights", "reference/running", "explanation/testing")
)
FROM_OUTSIDE = r"<(?:script|img|iframe)[^>]+src=\"?(?:https?:)?//|<link[^>]+stylesheet[^>]+//"
WITH_COMMANDS = [page for page in PAGES if blocks(page, "sh")]


def name_of(page):
    return str(page.relative_to(DOCS).with_suffix(""))


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name_of)
def test_every_command_of_a_page_runs_in_order_in_a_fresh_folder(page, tmp_path):
    """With the files that the page has shown so far; those of the package go into a copy of it."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    surroundings = {**os.environ, "PATH": path}
    surroundings.pop("PYTHONSAFEPATH", None)  # which a command in this process may have set
    if any(block.title.startswith("tuner/") for block in blocks(page)):
        shutil.copytree(ROOT / "tuner", tmp_path / "tuner", ignore=shutil.ignore_patterns("__pycache__"))
        surroundings["PYTHONPATH"] = str(tmp_path)
    for block in blocks(page):
        if block.title:
            (tmp_path / block.title).write_text(block.text, "utf-8")
        elif block.kind == "sh":
            words = ["bash", "-euc", block.text]
            done = subprocess.run(words, cwd=tmp_path, env=surroundings, capture_output=True, text=True, timeout=300)
            assert (done.returncode, done.stderr) == (0, ""), block.text


@pytest.mark.slow
def test_the_site_can_be_built(tmp_path):
    """With every link checked; nothing of it is fetched from elsewhere."""
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for page in (tmp_path / "site").rglob("*.html"):
        loaded = re.findall(
            r"<(?:script|img|iframe)[^>]+src=\"?(?:https?:)?//|<link[^>]+stylesheet[^>]+//", page.read_text()
        )
        assert not loaded, page


def nights():
    """The lines that a night runs: cron's, with its settings, and systemd's."""
    (crontab,), (unit,) = blocks(NIGHTS, "crontab"), blocks(NIGHTS, "ini")
    lines = crontab.text.splitlines()
    settings = dict(line.split("=", 1) for line in lines[:-1])
    (start,) = re.findall(r"^ExecStart=(.*)$", unit.text, flags=re.MULTILINE)
    return {"cron": (lines[-1].split(None, 5)[5], settings), "systemd": (f"cd $HOME/project && {start}", {})}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["cron", "systemd"])
def test_a_night_runs_as_printed(tmp_path, kind):
    """In a home with a project and an environment in it."""
    scripts = tmp_path / "project" / ".venv" / "bin"
    scripts.mkdir(parents=True)
    script = scripts / "tuner"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(command())} "$@"\n')
    script.chmod(0o755)
    write_space(tmp_path / "project", "my.yaml", search={"trials": 2})
    line, settings = nights()[kind]
    home, evening = str(tmp_path), f"EVENING{datetime.now(UTC).hour - 20}"  # a time zone where it is eight
    done = subprocess.run(["/bin/sh", "-c", line.replace("%h", home)], env={"HOME": home, "TZ": evening, **settings},
                          cwd="/", capture_output=True, text=True, timeout=120)  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert inside("status", tmp_path / "project" / "night.db")[0] == 0
    assert "accuracy" in (tmp_path / "project" / "night.log").read_text()


def test_every_exit_code_is_told():
    rows = re.findall(r"^\| ([\d, ]+) \|", RUNNING.read_text("utf-8"), flags=re.MULTILINE)
    told = {int(code) for line in rows for code in line.split(", ")}
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.TunerError)]
    assert told == {0, 129, 130, 143, *(kind.exit_code for kind in kinds)}


def test_the_keys_of_the_json_lines_are_those_told(tmp_path):
    pattern = r"^\| (started|trial|refit|chain|note|stopped) \| (.*) \|$"
    rows = re.findall(pattern, RUNNING.read_text("utf-8"), flags=re.MULTILINE)
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
    done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True)
    files = Counter(Path(line.partition("::")[0]).stem for line in done.stdout.splitlines() if "::" in line)
    told = dict(re.findall(r"^\| ([\w ]+) \| (\d+) \| .* \|$", TESTING.read_text("utf-8"), flags=re.MULTILINE))
    assert {kind: int(told[kind]) for kind in TORTURE} == {
        kind: sum(files[name] for name in names) for kind, names in TORTURE.items()
    }


def test_every_source_that_reads_something_of_the_users_is_in_the_table():
    datasets = catalogue(CodeHere(Path())).datasets
    text = (DOCS / "how-to" / "data.md").read_text("utf-8")
    wishes = [YAML(typ="safe").load(example) for example in re.findall(r"`(\{name: .*?\})`", text)]
    told = {wish["name"] for wish in wishes} | {*re.findall(r"`(fetch|newsgroups|huggingface)`", text)}
    needs = {name for name in datasets if any(f.is_required() for f in datasets[name].model_fields.values())}
    assert told == {*needs, "newsgroups", "openml"}
    for wish in wishes:
        datasets[wish["name"]].model_validate(wish, strict=False)


def test_the_floors_drawn_are_the_folders_that_exist():
    package = ROOT / "tuner"
    drawn = [
        line for line in (DOCS / "architecture.md").read_text("utf-8").splitlines() if re.match(r" {4}\d  \w", line)
    ]
    assert [line.split()[0] for line in drawn] == list("76543210")
    named = [name for line in drawn for name in re.findall(r"(?<!\S)(\w+/|\w+\.py)(?=\s|$)", line)]
    folders = [f"{path.name}/" for path in package.iterdir() if path.joinpath("__init__.py").exists()]
    files = [path.name for path in package.glob("*.py") if not path.name.startswith("__")]
    # a floor's sentence may name a folder again
    assert {*named} == {*folders, *files}


def test_every_flag_exists():
    flags = {flag for page in PAGES for flag in re.findall(r"(?<![\w-])--[a-z]+\b", page.read_text("utf-8"))}
    verbs = [[], *([verb.__name__.rpartition(".")[2]] for verb in VERBS)]
    helps = "".join(inside(*verb, "--help")[1] for verb in verbs)
    assert {"--trials", "--fresh", "--until"} <= flags
    others = {"--user", "--now"}  # systemctl's
    assert {flag for flag in flags - others if not re.search(rf"(?<![\w-]){flag}\b", helps)} == set()


def test_every_page_is_in_the_navigation():
    listed = set(re.findall(r": ([\w/-]+)\.md$", (ROOT / "mkdocs.yml").read_text("utf-8"), flags=re.MULTILINE))
    assert {name_of(page) for page in PAGES} <= listed
