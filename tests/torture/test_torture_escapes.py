"""Torture: words of data that a terminal, a spreadsheet or Markdown would obey. Shown as they are, never obeyed."""

import csv
import html
import io
import json
import re
import unicodedata

import pandas as pd
import pytest
from helpers import inside, search, write_space
from hypothesis import given
from hypothesis import strategies as st

from tuner.escapes import cell, markdown, visible

pytestmark = pytest.mark.torture
CLEAR, TITLE, LINK, C1, TURNED = "\x1b[2J", "\x1b]0;P\x07", "\x1b]8;;http://x\x1b\\", "\x9b31m", "\u202egnp.exe"
FORMULA = "=cmd|'/C calc'!A0"
FORGED = "\nerror: forged"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A table whose columns and classes are hostile, its experiment and its finished study."""
    folder = tmp_path_factory.mktemp("escapes")
    classes = (f"a{CLEAR}{TITLE}{FORGED}", FORMULA, f"[b](http://x)|<img src=x>`{C1}{TURNED}*")
    rows = ((i % 7, (i * i) % 11, classes[i % 3]) for i in range(90))
    names = [f"x{CLEAR}", f"{FORMULA}{LINK}{FORGED}", "label"]
    pd.DataFrame(rows, columns=names).to_parquet(folder / "d.parquet")
    path = write_space(folder, dataset={"name": "table", "path": "d.parquet", "target": "label"}, search={"trials": 2})
    search(path, folder / "study.db")
    return folder, path


SAID = {
    "data": ("data", "d.parquet"),
    "data, a target": ("data", "d.parquet", "--target", f"x{CLEAR}"),
    "data, no such target": ("data", "d.parquet", "--target", f"x{FORGED}"),
    "check": ("check", "space.yaml"),
    "search": ("search", "space.yaml", "--study", "study.db", "--workers", "0"),
    "report": ("report", "study.db"),
    "html": ("report", "study.db", "--format", "html"),
    "markdown": ("report", "study.db", "--format", "markdown"),
    "csv": ("report", "study.db", "--format", "csv"),
    "predictions": ("report", "study.db", "--format", "csv", "--predictions"),
    "json": ("report", "study.db", "--format", "json"),
    "status": ("status", "study.db"),
    "studies": ("studies", "study.db"),
    "no such file": ("report", f"no{CLEAR}{FORGED}.db"),
    "no such experiment": ("search", f"no{TITLE}.yaml"),
    "no such name": ("report", "study.db", "--name", f"n{C1}"),
    "no such chain": ("report", "study.db", "--chain", LINK),
    "no such option": ("report", f"--{CLEAR}"),
    "no such verb": (f"rep{CLEAR}",),
    "debug": ("--debug", "report", f"no{CLEAR}.db"),
}


@pytest.mark.parametrize("case", SAID)
def test_nothing_that_a_verb_says_is_obeyed(hostile, monkeypatch, case):
    monkeypatch.chdir(hostile[0])
    _, out, err = inside(*SAID[case])
    assert OBEYED.findall(out + err) == []
    if case not in ("csv", "predictions"):  # where quotes keep a line break in its cell
        assert not [said for said in (out + err).splitlines() if said.startswith("error: forged")]
    if case in ("data", "predictions", "no such file", "no such chain", "debug"):
        assert "\\u001b" in out + err


def test_the_log_is_clean_too(hostile):
    folder, path = hostile
    log = folder / "night.log"
    inside("search", path, "--study", folder / "other.db", "--log", log, "--workers", 0)
    assert log.read_text() and OBEYED.findall(log.read_text()) == []
    assert "\nerror: forged" not in log.read_text()


def test_a_mistake_in_the_file_is_shown_without_being_obeyed(tmp_path):
    (tmp_path / "e.yaml").write_text('name: "x"\ndataset: {name: iris}\n"\\e]0;P\\a": 1\nmodel: {name: "\\e[2J"}\n')
    code, out, err = inside("check", tmp_path / "e.yaml")
    assert code == 2
    assert OBEYED.findall(out + err) == []


def test_predictions_hold_no_formula_and_no_control(hostile):
    folder, _ = hostile
    out = inside("report", folder / "study.db", "--format", "csv", "--predictions")[1]
    cells = {each for row in csv.reader(io.StringIO(out)) for each in row}
    assert f"'{FORMULA}" in cells
    assert not [each for each in cells if each.startswith(("=", "@", "+"))]


def test_markdown_shows_names_as_text(hostile):
    folder, _ = hostile
    out = inside("report", folder / "study.db", "--format", "markdown")[1]
    assert "<img" not in out
    assert not re.search(r"(?<!\\)\[b\]", out)


@given(st.text())
def test_what_is_shown_has_no_control_character_and_keeps_the_rest(text):
    shown = visible(text)
    assert OBEYED.findall(shown) == []
    assert visible(shown) == shown
    if all(unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Zl", "Zp") or letter in "\n\t" for letter in text):
        assert shown == text
    assert json.loads(visible(json.dumps(text, ensure_ascii=False))) == text


@given(st.text(min_size=1) | st.floats(allow_nan=False) | st.integers() | st.none())
def test_a_cell_is_a_number_or_no_formula(value):
    made = cell(value)
    if not isinstance(value, str):
        assert made is value
    elif str(made).startswith(("=", "+", "-", "@")):
        float(made)
    else:
        assert str(made).removeprefix("'") == visible(value) or made == visible(value)


@given(st.text())
def test_markdown_has_one_line_and_no_tag(text):
    made = markdown(text)
    assert "\n" not in made and "<" not in made
    undone = html.unescape(re.sub(r"\\([\\`*\[\]|])", r"\1", made))
    assert undone == visible(text.replace("\n", " "))
