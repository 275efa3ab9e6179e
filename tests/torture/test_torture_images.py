"""Torture: image files, masks and listings that are broken, hostile or absurd."""

import gzip
import io
import shutil
import zlib

import numpy as np
import pytest
from helpers import inside, write_space
from pictures import GOOD, Y, idx
from PIL import Image
from survival import survived
from tiny import TINY

pytestmark = pytest.mark.torture


def png(*shape, **how):
    file = io.BytesIO()
    Image.fromarray(np.zeros(shape, np.uint8)).save(file, **{"format": "PNG", **how})
    return file.getvalue()


def chunk(kind, body):
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def claiming(width, height):
    """A PNG whose header says so."""
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\0\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


# name: (the bytes of one of 36 images of 6×6 grey pixels, the exit code)
IMAGES = {
    "as it should be": (png(6, 6), 0),
    "a JPEG called PNG": (png(6, 6, format="JPEG"), 0),
    "empty": (b"", 2),
    "truncated": (png(6, 6)[:44], 2),
    "a wrong checksum": (png(6, 6)[:-20] + b"\0" * 20, 2),
    "text": (b"not found\n", 2),
    "another size": (png(6, 7), 2),
    "a bomb": (claiming(100_000, 100_000), 2),
    "2^31 pixels": (claiming(2**31 - 1, 1), 2),
    "no pixels": (claiming(0, 0), 2),
    "half its pixels": (claiming(6, 6), 2),
    "a GIF that moves": (png(6, 6, format="GIF", save_all=True, append_images=[Image.new("L", (6, 6), 9)]), 2),
}


def outcome(folder, expected, **dataset):
    path = write_space(folder, dataset={"name": "images", **dataset}, model={"name": "cnn", "hidden_size": None})
    survived(*inside("check", path), expected=expected)


@pytest.mark.parametrize("case", IMAGES)
def test_an_image(tmp_path, case):
    content, expected = IMAGES[case]
    wish = TINY["images"](tmp_path)
    (tmp_path / "images" / "dark" / "4.png").write_bytes(content)
    outcome(tmp_path, expected, **wish)


def a_link_in_a_circle(folder):
    (folder / "images" / "dark" / "again").symlink_to(folder / "images")


FOLDERS = {
    "a folder called .png": (lambda folder: (folder / "images" / "dark" / "x.png").mkdir(), 0),
    "a link in a circle": (a_link_in_a_circle, 0),
    "a link to nothing": (lambda folder: (folder / "images" / "dark" / "x.png").symlink_to("nowhere"), 2),
    "an empty class": (lambda folder: (folder / "images" / "grey").mkdir(), 2),
    "one class": (lambda folder: shutil.rmtree(folder / "images" / "light"), 2),
    "nothing": (lambda folder: shutil.rmtree(folder / "images"), 2),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_a_folder(tmp_path, case):
    change, expected = FOLDERS[case]
    wish = TINY["images"](tmp_path)
    change(tmp_path)
    outcome(tmp_path, expected, **wish)


FILES = {
    "as it should be": (GOOD, idx(Y), 0),
    "truncated": (GOOD[:-1], idx(Y), 2),
    "half a gzip": (gzip.compress(GOOD)[:-9], idx(Y), 2),
    "bytes": (bytes(range(256)), idx(Y), 2),
    "labels of two dimensions": (GOOD, idx(Y.reshape(12, 1)), 2),
    "labels in the place of images": (idx(Y), idx(Y), 2),
    "empty labels": (GOOD, b"", 2),
    "one label": (GOOD, idx(Y * 0), 2),
}


@pytest.mark.parametrize("case", FILES)
def test_idx(tmp_path, case):
    images, labels, expected = FILES[case]
    (tmp_path / "a-images").write_bytes(images)
    (tmp_path / "a-labels").write_bytes(labels)
    outcome(tmp_path, expected, path="a-images")
