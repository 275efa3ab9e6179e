"""Torture: experiment files that are broken, hostile or absurd."""

import subprocess
import sys

import pytest
from helpers import inside
from survival import survived

pytestmark = pytest.mark.torture

HEAD = "dataset: iris\nmodel: mlp\n"
BOMB = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9) if i else 'x'}]\n" for i in range(12))
FILES = {
    "empty": b"",
    "blank": b" \n\n",
    "a comment": b"# nothing\n",
    "not UTF-8": HEAD.encode() + b"name: \xe9t\xe9\n",
    "UTF-16": HEAD.encode("utf-16"),
    "UTF-32": HEAD.encode("utf-32"),
    "NUL": HEAD.encode() + b"name: a\x00b\n",
    "an escape": HEAD.encode() + b"name: a\x1b[31mb\n",
    "a tab": b"dataset: iris\nmodel:\n\tname: mlp\n",
    "two documents": f"{HEAD}---\n{HEAD}",
    "an unclosed quote": HEAD + 'name: "open\n',
    "an unclosed bracket": HEAD + "training: {epochs: 3\n",
    "duplicate keys": HEAD + "name: a\nname: b\n",
    "duplicate keys inside": "dataset: iris\nmodel: {name: mlp, hidden_size: 3, hidden_size: 4}\n",
    "a python object": HEAD + "name: !!python/object/apply:os.system ['echo pwned > pwned']\n",
    "an unknown tag": HEAD + "name: !secret x\n",
    "an alias bomb": HEAD + BOMB,
    "an unknown alias": HEAD + "name: *nobody\n",
    "a list that holds itself": HEAD + "constraints: &a [*a]\n",
    "two thousand brackets": HEAD + "constraints: " + "[" * 2000 + "]" * 2000 + "\n",
    "two thousand levels": HEAD + "".join(f"{' ' * i}k:\n" for i in range(2000)),
    "a scalar": "hello\n",
    "a list": "- dataset: iris\n- model: mlp\n",
    "keys that are no text": HEAD + "1: 2\n? [a, b]\n: c\n",
    "a null section": "dataset:\nmodel:\n",
    "a whole number above 2^53": "dataset: iris\nmodel: {name: mlp, hidden_size: 9007199254740993}\n",
    "a huge whole number": "dataset: iris\nmodel: {name: mlp, hidden_size: " + "9" * 5000 + "}\n",
    "seed -1": HEAD + "search: {seed: -1}\n",
    "seed 2^70": HEAD + "search: {seed: 1180591620717411303424}\n",
    "seed of text": HEAD + "search: {seed: abc}\n",
    "hidden size 10^7": "dataset: iris\nmodel: {name: mlp, hidden_size: 10000000}\n",
    "hidden size -1": "dataset: iris\nmodel: {name: mlp, hidden_size: -1}\n",
    "a rate of nan": HEAD + "training: {optimizer: {name: adam, learning_rate: .nan}}\n",
    "a rate of infinity": HEAD + "training: {optimizer: {name: adam, learning_rate: .inf}}\n",
    "a range of nan": HEAD + "training: {optimizer: {name: adam, learning_rate: {low: .nan, high: 1}}}\n",
    "a range upside down": HEAD + "training: {optimizer: {name: adam, learning_rate: {low: 1, high: 0.1}}}\n",
    "a range over 0, log": HEAD + "training: {weight_decay: {low: 0, high: 1, log: true}}\n",
    "an empty choice": "dataset: iris\nmodel: {name: mlp, hidden_size: []}\n",
    "folds 0": HEAD + "resampling: {outer: 0}\n",
    "folds 1": HEAD + "resampling: {outer: 1}\n",
    "folds above the rows": HEAD + "resampling: {outer: 151}\n",
    "folds above a class": HEAD + "resampling: {outer: 51, stratify: true}\n",
    "inner folds above the rows": HEAD + "resampling: {outer: 3, inner: 120}\n",
    "epochs 0": HEAD + "training: {epochs: 0}\n",
    "epochs 1.5": HEAD + "training: {epochs: 1.5}\n",
    "batch 0": HEAD + "training: {batch_size: 0}\n",
    "trials 0": HEAD + "search: {trials: 0}\n",
    "trials 10^12": HEAD + "search: {trials: 1000000000000}\n",
    "a name of 600 letters": HEAD + f"name: {'a' * 600}\n",
    "a name with ..": HEAD + "name: ../../etc/passwd\n",
    "a name with a slash": HEAD + "name: a/b\n",
    "a name that is a number": HEAD + "name: 17\n",
    "an unknown section": HEAD + "limit: {time: 7h}\n",
    "a time of -7h": HEAD + "limits: {time: -7h}\n",
    "until 25:00": HEAD + 'limits: {until: "25:00"}\n',
    "memory of apples": HEAD + "limits: {memory: 3 apples}\n",
    "code in a constraint": HEAD + 'constraints: [\'__import__("os").system("echo pwned > pwned") == 0\']\n',
    "a constraint that never ends": HEAD + "constraints: ['9**9**9**9 > 1']\n",
    "a data file above the folder": "dataset: {name: table, path: ../../../no.csv, target: y}\nmodel: mlp\n",
    "a data file that is a folder": "dataset: {name: table, path: ., target: y}\nmodel: mlp\n",
    "a data file that is a device": "dataset: {name: table, path: /dev/null, target: y}\nmodel: mlp\n",
}


@pytest.mark.parametrize("case", FILES)
def test_a_bad_file_is_refused_and_leaves_nothing(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    text = FILES[case]
    (tmp_path / "e.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    survived(*inside("search", "e.yaml", "--workers", 0, "--trials", 1), expected=2)
    assert [path.name for path in tmp_path.iterdir()] == ["e.yaml"]


def test_a_folder_a_missing_file_and_a_file_that_never_ends(tmp_path):
    for place in (tmp_path, tmp_path / "no.yaml", "/dev/null", "/dev/zero"):
        survived(*inside("check", place), expected=2)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["<script>alert(1)</script>".replace("/", "|"), "[red]bold[/red]".replace("/", ""),
                                  "🚀 naïve 模型", "a" * 100, "%s {0} $HOME `ls`", "-rf"])  # fmt: skip
def test_a_strange_name_is_shown_as_it_is(tmp_path, name):
    import html
    import json
    import re

    study, path = tmp_path / "study.db", tmp_path / "e.yaml"
    training = "training: {epochs: 1, batch_size: full}\nresampling: {outer: 3}\nsearch: {sampler: random}\n"
    path.write_text(f"name: {json.dumps(name)}\n{HEAD}{training}", encoding="utf-8")
    survived(*inside("search", path, "--study", study, "--workers", 0, "--trials", 1), expected=0)
    for arguments in ((), ("--format", "json"), ("--format", "markdown")):
        code, out, err = inside("report", study, *arguments)
        survived(code, out, err, expected=0)
        shown = json.loads(out)["name"] if "json" in arguments else re.sub(r"\\(.)", r"\1", html.unescape(out))
        assert name in shown.replace("\n", "")


@pytest.mark.parametrize("kind", ["bomb", "100 MB"])
def test_reading_a_bomb_takes_little_memory(tmp_path, kind):
    (tmp_path / "e.yaml").write_text(HEAD + (BOMB if kind == "bomb" else "a: " + "x" * 100_000_000))
    script = r"""
import re, sys
from pathlib import Path
from tuner.errors import ExperimentError
from tuner.experiment.yaml_file import read
try:
    read(Path(sys.argv[1]))
except ExperimentError:
    print(re.search(r"VmHWM:[^0-9]*([0-9]+)", Path("/proc/self/status").read_text())[1])
"""
    arguments = [sys.executable, "-c", script, str(tmp_path / "e.yaml")]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=20)
    assert int(done.stdout) < 200_000, done.stderr


def test_a_grid_of_a_trillion_cells_is_counted(tmp_path):
    ranges = ", ".join(f"{low}" for low in range(1, 1001))
    (tmp_path / "e.yaml").write_text(
        f"dataset: iris\nmodel: {{name: mlp, hidden_size: [{ranges}], dropout: {{low: 0, high: 0.9, points: 1000}}}}\n"
        "training: {weight_decay: {low: 0, high: 1, points: 1000}, "
        "optimizer: {name: adam, learning_rate: {low: 1e-4, high: 1, points: 1000}}}\nsearch: {sampler: grid}\n"
    )
    code, out, err = inside("check", tmp_path / "e.yaml")
    survived(code, out, err, expected=0)
    assert "1,000,000,000,000" in out
