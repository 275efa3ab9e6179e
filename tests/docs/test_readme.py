"""The README cannot lie: its commands run, its example passes the check, its links lead somewhere."""

import re
import shlex

import pytest
from helpers import inside, tuner
from pages import README, ROOT, blocks

LINES = 100  # about: it is the first screen


def commands():
    """Every line that starts with the command, as arguments."""
    lines = [line for block in blocks(README, "sh") for line in block.text.splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("tuner ")]


def test_the_two_set_ups_are_one_line_each():
    """Fresh checkout to main job, and to passing tests: what one would paste."""
    main, tests = (block.text.splitlines() for block in blocks(README, "sh")[:2])
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
    shown = blocks(README, "text")[0].text.splitlines()
    printed = told["report"].splitlines()
    assert printed[0] == shown[0] and {line for line in shown if line.startswith(("Chosen", "Ranking"))} <= set(printed)


def test_the_example_file_passes_the_check(tmp_path):
    (example,) = blocks(README, "yaml")
    path = tmp_path / "example.yaml"
    path.write_text(example.text, encoding="utf-8")
    code, out, err = inside("check", path)
    assert (code, err) == (0, "")
    assert "warning" not in out and "digits" in out


def test_its_links_lead_to_files_and_it_is_short():
    text = README.read_text("utf-8")
    links = re.findall(r"\]\((?!https?:)(.+?)\)", text)
    assert links and all(ROOT.joinpath(link).exists() for link in links)
    assert len(text.splitlines()) <= 1.2 * LINES
