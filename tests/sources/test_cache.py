"""What took long to load is read back the same; files that changed are loaded anew, also while they are read."""

import os
import types
from dataclasses import fields, is_dataclass

import numpy as np
import pytest
from helpers import write_space
from PIL import Image
from tiny import TINY
from toys import CPU, SMALL, go_on, lanes_of, recipe

from tuner import registry
from tuner.errors import DataError
from tuner.search.prepare import prepare
from tuner.sources import arrays, images, table, texts
from tuner.sources.loading import cache
from tuner.training.lane_data import DatasetTensors
from tuner.training.loop import train


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """An empty cache that keeps whatever is loaded; gives its folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "WORTH", -1.0)
    return tmp_path / "cache" / "tuner"


def counting(module):
    """The same source, that counts how often it is asked."""
    asked = []

    def load(settings, folder):
        asked.append(settings)
        return module.load(settings, folder)

    files = {"files": module.files} if hasattr(module, "files") else {}
    return types.SimpleNamespace(load=load, asked=asked, **files)


def assert_same(one, other):
    """Values, arrays and all parts are equal."""
    assert type(one) is type(other) or isinstance(one, np.ndarray)
    if isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
    elif is_dataclass(one):
        for field in fields(one):
            assert_same(getattr(one, field.name), getattr(other, field.name))
    else:
        assert one == other


@pytest.mark.parametrize("name", TINY)
def test_what_is_read_back_is_the_same(tmp_path, kept, name):
    module = registry.load("tuner.sources", name)
    settings, source = module.Settings(**TINY[name](tmp_path)), counting(module)
    first, again = (cache.load(source, settings, tmp_path) for _ in range(2))
    assert len(source.asked) == 1
    assert_same(first, again)
    assert first.fingerprint() == again.fingerprint()


def small(folder):
    (folder / "t.csv").write_text("x,y\n" + "".join(f"{i},{i % 2}\n" for i in range(20)))
    return table.Settings(path="t.csv", target="y")


def test_other_settings_and_changed_files_are_loaded_anew(tmp_path, kept):
    settings, source = small(tmp_path), counting(table)
    cache.load(source, settings, tmp_path)
    cache.load(source, table.Settings(path="t.csv", target="y", scale="none"), tmp_path)
    (tmp_path / "t.csv").write_text((tmp_path / "t.csv").read_text().replace("0,0", "9,0"))
    assert cache.load(source, settings, tmp_path).features[0, 0] == 9
    os.utime(tmp_path / "t.csv", ns=(1, 1))
    cache.load(source, settings, tmp_path)
    assert len(source.asked) == 4


@pytest.mark.parametrize("way", ["written anew", "another in its place"])
def test_a_changed_file_of_the_same_size_and_time_is_loaded_anew(tmp_path, kept, way):
    settings, path = small(tmp_path), tmp_path / "t.csv"
    cache.load(table, settings, tmp_path)
    before, other = path.stat(), path if way == "written anew" else tmp_path / "other.csv"
    other.write_text(path.read_text().replace("y\n0,", "y\n9,"))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert cache.load(table, settings, tmp_path).features[0, 0] == 9


def documents(folder):
    for row in range(8):
        place = folder / "texts" / ("bad", "good")[row % 2]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{row}.txt").write_text(f"text number {row}")
    return {"path": "texts"}


def paint(path):
    Image.new("L", (6, 6), 77).save(path)


def write(path):
    path.write_text("another text")


def listed(folder):
    TINY["images"](folder)
    rows = [f"images/{('dark', 'light')[row % 2]}/{row}.png,{row % 2}" for row in range(36)]
    (folder / "all.txt").write_text("\n".join(["file,label", *rows]))
    return {"path": "all.txt"}


def linked(made, place):
    """The same, with one of its folders elsewhere."""

    def make(folder):
        settings = made(folder)
        (folder / place).rename(folder / "elsewhere")
        (folder / place).symlink_to(folder / "elsewhere")
        return settings

    return make


def beside(folder):
    np.save(folder / "X.npy", np.arange(24.0).reshape(12, 2))
    count(folder / "labels.bin", 2)
    return {"path": "X.npy", "target": "labels.bin"}


def count(path, classes=3):
    with path.open("wb") as file:
        np.save(file, np.arange(12) % classes)


INSIDE = {
    "an image": (images, TINY["images"], paint, "images/dark/0.png"),
    "a new image": (images, TINY["images"], paint, "images/dark/99.png"),
    "a text": (texts, documents, write, "texts/bad/0.txt"),
    "a new text": (texts, documents, write, "texts/bad/9.txt"),
    "an image of a list": (images, listed, paint, "images/dark/0.png"),
    "an image behind a link": (images, linked(TINY["images"], "images/dark"), paint, "elsewhere/0.png"),
    "a text behind a link": (texts, linked(documents, "texts/bad"), write, "elsewhere/0.txt"),
    "an array of another suffix": (arrays, beside, count, "labels.bin"),
}


@pytest.mark.parametrize("case", INSIDE)
def test_what_changes_inside_a_folder_is_loaded_anew(tmp_path, kept, case):
    module, made, change, file = INSIDE[case]
    settings, source = module.Settings(**made(tmp_path)), counting(module)
    first = cache.load(source, settings, tmp_path)
    rows, known = len(first), (tmp_path / file).exists()
    change(tmp_path / file)
    again = cache.load(source, settings, tmp_path)
    assert len(source.asked) == 2 and len(again) == rows + (not known)
    assert again.fingerprint() == module.load(settings, tmp_path).fingerprint() != first.fingerprint()


def test_what_loads_fast_is_not_kept(tmp_path, kept, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    cache.load(table, small(tmp_path), tmp_path)
    assert not kept.exists()


def test_a_file_that_changes_while_it_is_read_is_told(tmp_path, kept):
    def load(settings, folder):
        dataset = table.load(settings, folder)
        with (folder / "t.csv").open("a") as file:
            file.write("30,1\n")
        return dataset

    with pytest.raises(DataError, match=r"t\.csv changed while it was read"):
        cache.load(types.SimpleNamespace(load=load), small(tmp_path), tmp_path)
    assert not kept.exists()


@pytest.mark.parametrize("damage", ["truncated", "gone", "not JSON"])
def test_a_damaged_cache_is_loaded_anew(tmp_path, kept, damage):
    settings, source = small(tmp_path), counting(table)
    whole = cache.load(source, settings, tmp_path).fingerprint()
    (place,) = kept.iterdir()
    if damage == "gone":
        (place / "target.values.npy").unlink()
    else:
        (place / ("inputs.values.npy" if damage == "truncated" else "rest.json")).write_bytes(b"\x93NUMPY")
    assert cache.load(source, settings, tmp_path).fingerprint() == whole
    assert len(source.asked) == 2


def test_a_cache_that_cannot_be_written_does_no_harm(tmp_path, kept):
    kept.parent.write_text("a file in the place of the folder")
    cache.load(table, small(tmp_path), tmp_path)


@pytest.mark.parametrize(("limit", "value", "left"), [("KEPT", 2, 2), ("BYTES", 1, 1), ("BYTES", 10**6, 4)])
def test_the_oldest_go(tmp_path, kept, monkeypatch, limit, value, left):
    monkeypatch.setattr(cache, limit, value)
    for seed in range(4):
        (tmp_path / "t.csv").write_text(f"x,y\n{seed},a\n2,b\n")
        cache.load(table, table.Settings(path="t.csv", target="y"), tmp_path)
    assert len(list(kept.iterdir())) == left


def test_a_training_on_kept_data_is_the_same_to_the_bit(tmp_path, kept):
    small(tmp_path)
    path = write_space(tmp_path, dataset={"name": "table", "path": "t.csv", "target": "y"})
    curves = []
    for known in (False, True):
        assert kept.exists() == known
        data = DatasetTensors(prepare(path).dataset, CPU)
        how = recipe(SMALL, "log_loss", epochs=3, batch_size=8)
        curves.append(train(how, lanes_of(data, [14]), data, go_on).curves)
    for name in ("train_loss", "loss", "score"):
        np.testing.assert_array_equal(getattr(curves[0], name), getattr(curves[1], name))
