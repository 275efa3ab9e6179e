"""What a report or a log is written to: never over a file that the study is made of, and in one move."""

import csv
import json
import os
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
from helpers import command, inside, search, write_space
from torture import survived

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
    for place, what in ((other, "is an SQLite database"), (tmp_path / "x.npy", "is no text")):
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
