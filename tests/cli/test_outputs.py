"""What a report or a log is written to: never over a file that the study is made of, and in one move."""

import csv
import json
import os
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
from helpers import command, inside, search, write_space
from PIL import Image
from survival import survived

pytestmark = pytest.mark.torture


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished study of a table, in its folder."""
    folder = tmp_path_factory.mktemp("outputs")
    rng = np.random.default_rng(0)
    rows = "".join(f"{a:.3f},{b:.3f},{'yes' if a + b > 0 else 'no'}\n" for a, b in rng.normal(size=(60, 2)))
    (folder / "data.csv").write_text("a,b,label\n" + rows)
    path = write_space(folder, dataset={"name": "table", "path": "data.csv", "target": "label"})
    search(path, folder / "study.db")
    (folder / "link.json").symlink_to(folder / "data.csv")
    return folder


def contents(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


@pytest.mark.slow
def test_what_a_study_of_images_and_own_code_is_made_of_is_not_written_over(tmp_path):
    """The list of images, their folder, the model's file, and a module that it imports."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rows = ["image,label"]
    for number in range(24):
        Image.new("L", (4, 4), 10 * number).save(folder / f"{number}.png")
        rows.append(f"photos/{number}.png,{'ab'[number % 2]}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    (tmp_path / "parts.py").write_text("from torch import nn\nlayer = nn.Linear\n")
    (tmp_path / "code.py").write_text(  # as a module of the standard library is called, too
        "from torch import nn\nfrom parts import layer\nclass Net(nn.Module):\n"
        "    def __init__(self, in_features: int, num_classes: int):\n        super().__init__()\n"
        "        self.net = nn.Sequential(nn.Flatten(), layer(in_features, num_classes))\n"
        "    def forward(self, x):\n        return self.net(x)\n"
    )
    path = write_space(tmp_path, dataset={"name": "images", "path": "labels.csv"}, search={"trials": 1},
                       model={"name": "code.py:Net", "hidden_size": None, "activation": None})  # fmt: skip
    study = tmp_path / "study.db"
    search(path, study)
    for name in ("labels.csv", "code.py", "parts.py"):
        before = (tmp_path / name).read_bytes()
        for verb in (("report", study, "--output"), ("search", path, "--study", study, "--log")):
            survived(*inside(*verb, tmp_path / name), expected=4)
        assert (tmp_path / name).read_bytes() == before
    survived(*inside("report", study, "--output", tmp_path / "r.txt"), expected=0)


@pytest.mark.parametrize("beside", ["study.db-journal", "study.db-wal", "study.db-shm"])
def test_what_sqlite_keeps_beside_a_study_is_no_output(made, beside):
    path = next(p for p in made.iterdir() if p.suffix in (".yaml", ".json") and not p.is_symlink())
    for verb in (("report", made / "study.db", "--output"), ("search", path, "--study", made / "study.db", "--log")):
        survived(*inside(*verb, made / beside), expected=4)
    assert not (made / beside).exists()


def test_a_log_is_not_moved_over_a_file_when_it_is_full(made):
    path = next(p for p in made.iterdir() if p.suffix in (".yaml", ".json") and not p.is_symlink())
    data = made / "data.csv"
    data.rename(made / "data.1")
    tree = path.read_text()
    path.write_text(tree.replace("data.csv", "data.1"))
    try:
        verb = ("search", path, "--study", made / "other.db", "--log", made / "data", "--workers", 0)
        assert "name another --log" in survived(*inside(*verb), expected=4)
    finally:
        (made / "data.1").rename(data)
        path.write_text(tree)


PRECIOUS = ("study.db", "study.db.lock", "data.csv", "link.json")


@pytest.mark.parametrize("name", [*PRECIOUS, "experiment"])
@pytest.mark.parametrize("option", ["--output", "--log"])
def test_a_file_of_the_study_is_not_written_over(made, name, option):
    path = next(p for p in made.iterdir() if p.suffix in (".yaml", ".json") and not p.is_symlink())
    before, place = contents(made), path if name == "experiment" else made / name
    verb = ("report", made / "study.db") if option == "--output" else ("search", path, "--study", made / "study.db")
    said = survived(*inside(*verb, option, place), expected=4)
    assert f"name another {option}" in said
    assert contents(made) == before


@pytest.mark.parametrize("option", ["--output", "--log"])
def test_no_database_and_no_file_of_bytes_is_written_over(made, tmp_path, option):
    path = next(p for p in made.iterdir() if p.suffix in (".yaml", ".json") and not p.is_symlink())
    other = tmp_path / "other.db"
    other.write_bytes((made / "study.db").read_bytes())
    np.save(tmp_path / "x.npy", np.zeros(3))
    for place, what in ((other, "is an SQLite database"), (tmp_path / "x.npy", "is a binary file")):
        before = place.read_bytes()
        verb = ("report", made / "study.db") if option == "--output" else ("search", path, "--study", made / "study.db")
        assert what in survived(*inside(*verb, option, place), expected=4)
        assert place.read_bytes() == before


def test_a_log_beside_the_study_is_written(made):
    path = next(p for p in made.iterdir() if p.suffix in (".yaml", ".json") and not p.is_symlink())
    log = made.parent / "night.log"
    log.write_text("what cron wrote\n")
    assert inside("search", path, "--study", made / "study.db", "--log", log)[0] == 0
    assert log.read_text().startswith("what cron wrote\n")
    assert "accuracy" in log.read_text()


class Text(HTMLParser):
    """What a page shows."""

    def __init__(self, page):
        super().__init__()
        self.shown = ""
        self.feed(page)

    def handle_data(self, data):
        self.shown += data


def test_the_ending_of_an_output_is_its_format(made, tmp_path):
    study = made / "study.db"
    written = {}
    for ending in ("json", "csv", "md", "html", "txt", "JSON"):
        place = tmp_path / f"r.{ending}"
        assert inside("report", study, "--output", place) == (0, "", "")
        written[ending] = place.read_text()
    as_printed = {name: inside("report", study, "--format", name)[1] for name in ("json", "csv", "markdown", "html")}
    assert json.loads(written["json"]) == json.loads(as_printed["json"]) == json.loads(written["JSON"])
    assert (written["csv"], written["md"], written["html"]) == tuple(as_printed[n] for n in ("csv", "markdown", "html"))
    assert len(list(csv.reader(written["csv"].splitlines()))) > 1
    assert written["txt"].strip() in Text(written["html"]).shown
    assert inside("report", study, "--format", "csv", "--output", tmp_path / "r.json") == (0, "", "")
    assert (tmp_path / "r.json").read_text() == written["csv"]


def test_an_output_replaces_a_report_in_one_move_and_keeps_its_permissions(made, tmp_path):
    place, link = tmp_path / "r.txt", tmp_path / "latest.txt"
    place.write_text("old\n")
    place.chmod(0o640)
    link.symlink_to(place)
    assert inside("report", made / "study.db", "--output", link) == (0, "", "")
    assert link.is_symlink()
    assert "accuracy" in place.read_text()
    assert place.stat().st_mode & 0o777 == 0o640
    assert {p.name for p in tmp_path.iterdir()} == {"r.txt", "latest.txt"}


def test_an_output_may_be_a_pipe(made, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE, text=True) as reader:
        subprocess.run(command("report", made / "study.db", "--output", tmp_path / "pipe"), check=True, timeout=60)
        assert "accuracy" in reader.communicate(timeout=60)[0]


def test_shipped_spaces_are_not_written_through_a_link(tmp_path):
    (tmp_path / "spaces").mkdir()
    (tmp_path / "spaces" / "rnn.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    code, out, _ = inside("init", tmp_path / "spaces")
    assert code == 0
    assert "rnn.yaml: kept, it exists" in out
    assert not (tmp_path / "elsewhere.yaml").exists()


@pytest.mark.parametrize("option", ["--study", "--log"])
@pytest.mark.parametrize("name", ["", ".", "/"])
def test_what_is_no_name_of_a_file_is_told(tmp_path, option, name):
    if (option, name) != ("--study", ""):
        words = ["search", write_space(tmp_path), "--study", tmp_path / "study.db", option, name]
        survived(*inside(*words), expected=4)


def test_a_class_whose_name_is_not_utf_8_is_written(tmp_path):
    photos = tmp_path / "photos"
    for kind in (b"\xffone", b"two"):
        folder = os.path.join(os.fsencode(photos), kind)  # noqa: PTH118 (of bytes)
        os.makedirs(folder)  # noqa: PTH103
        for number in range(8):
            Image.new("L", (4, 4), 10 * number).save(os.fsdecode(folder) + f"/{number}.png")
    data = {"name": "images", "path": "photos"}
    path = write_space(tmp_path, dataset=data, training={"epochs": 1}, search={"trials": 1})
    search(path, tmp_path / "study.db")
    for name in ("r.html", "r.csv", "r.json", "r.md", "r.txt"):
        survived(*inside("report", tmp_path / "study.db", "--output", tmp_path / name), expected=0)
        assert (tmp_path / name).read_text(encoding="utf-8")
