"""Torture: terminals, pipes and environments as they come."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import command, write_space
from survival import real, surroundings, survived

from tuner.report import load

pytestmark = [pytest.mark.torture, pytest.mark.slow]

WHERE = {
    "no colours": {"NO_COLOR": "1"},
    "a dumb terminal": {"TERM": "dumb"},
    "ten columns": {"COLUMNS": "10"},
    "columns of nonsense": {"COLUMNS": "wide"},
    "an ASCII stdout": {"PYTHONIOENCODING": "ascii"},
    "a Latin-1 stdout": {"PYTHONIOENCODING": "latin-1"},
    "the C locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "no locale": {"LANG": None, "LC_ALL": None},
    "a read-only home": {"HOME": "/proc"},
    "another time zone": {"TZ": "Pacific/Apia"},
    "a broken time zone": {"TZ": "Nowhere/Never"},
}


@pytest.mark.parametrize("case", WHERE)
def test_a_report_anywhere(finished, tmp_path, case):
    for form in ("table", "json", "markdown", "csv"):
        out, err = real("report", finished, "--format", form, cwd=tmp_path, env=surroundings(**WHERE[case]))
        assert err == ""
        assert "accuracy" in out


@pytest.mark.parametrize(
    "cases",
    [
        ("a dumb terminal", "ten columns", "an ASCII stdout", "a read-only home", "a broken time zone"),
        ("no colours", "columns of nonsense", "a Latin-1 stdout", "the C locale", "another time zone"),
        ("no locale",),
    ],
)
def test_a_search_anywhere(tmp_path, cases):
    path = write_space(tmp_path, search={"trials": 1})
    env = surroundings(**{name: value for case in cases for name, value in WHERE[case].items()})
    real("search", path, "--study", tmp_path / "study.db", cwd=tmp_path, env=env)
    assert load(tmp_path / "study.db").complete


def test_an_empty_environment(finished, tmp_path):
    real("report", finished, cwd=tmp_path, env={})
    real("list", "models", cwd=tmp_path, env={})


def test_a_search_in_an_empty_environment(tmp_path):
    path = write_space(tmp_path, search={"trials": 1})
    real("search", path, cwd=tmp_path, env={})
    assert load(tmp_path / "study.db").complete


def test_files_called_like_its_modules_in_the_working_directory(finished, tmp_path):
    """As the installed command: the working directory is no place for its modules, nor for its workers'."""
    for name in ("random", "statistics", "json", "torch", "types", "string"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong file')\n")
    for arguments in (["report", finished], ["search", write_space(tmp_path, search={"trials": 1})]):
        installed = [Path(sys.executable).with_name("tuner"), *arguments]
        done = subprocess.run(installed, cwd=tmp_path, capture_output=True, text=True)
        survived(done.returncode, done.stdout, done.stderr, expected=0)


def shell(line, cwd):
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"], cwd=cwd, capture_output=True, text=True, timeout=120
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "verb", ["report {study}", "report {study} --format json", "list models", "--help", "status {study}"]
)
def test_a_reader_that_has_seen_enough(finished, tmp_path, verb):
    tuner = " ".join(command()) + " " + verb.format(study=finished)
    code, out, err = shell(f"{tuner} | head -1", tmp_path)
    survived(code, out, err, expected=0)
    assert err == ""


@pytest.mark.parametrize("verb", ["report {study}", "list models", "status {study}"])
def test_a_closed_standard_output(finished, tmp_path, verb):
    tuner = " ".join(command()) + " " + verb.format(study=finished)
    code, out, err = shell(f"{tuner} >&-", tmp_path)
    survived(code, out, err, expected=code)
    assert code in (0, 4)


@pytest.mark.parametrize("verb", ["report {study}", "report {study} --format json", "list models", "status {study}"])
def test_a_full_device_is_told(finished, tmp_path, verb):
    tuner = " ".join(command()) + " " + verb.format(study=finished)
    code, out, err = shell(f"{tuner} > /dev/full", tmp_path)
    survived(code, out, err, expected=4)
    assert "standard output" in err


@pytest.mark.parametrize("end", ["| head -1", ">&-", "> /dev/full", "< /dev/null"])
def test_a_search_goes_on_whatever_happens_to_its_output(tmp_path, end):
    path = write_space(tmp_path, search={"trials": 1})
    shell(f"{' '.join(command('search', path))} {end}", tmp_path)
    assert load(tmp_path / "study.db").complete


@pytest.mark.parametrize("verb", ["search", "check"])
def test_a_path_that_is_no_utf8(tmp_path, verb):
    odd = os.fsdecode(b"caf\xe9.yaml")
    real(verb, odd, cwd=tmp_path, expected=2)
