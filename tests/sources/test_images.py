"""Images equal what NumPy and Pillow read, however they are stored; each bad file is told in a sentence."""

import gzip

import numpy as np
import pytest
from pictures import CODES, GOOD, RANDOM, Y, idx, load, pixels, refused, save
from PIL import Image


def mnist(folder, array, labels, name="t10k-images-idx3-ubyte"):
    (folder / name).write_bytes(idx(array))
    (folder / name.replace("images-idx3", "labels-idx1")).write_bytes(idx(labels))
    return name


@pytest.mark.parametrize("kind", CODES)
def test_idx_of_every_type(tmp_path, kind):
    array = (RANDOM.normal(0, 40, (12, 4, 5))).astype(kind) if kind != "u1" else pixels(12, 4, 5)
    dataset = load(tmp_path, mnist(tmp_path, array, Y))
    unit = 255 if kind in ("u1",) else 1
    np.testing.assert_allclose(dataset.features[:, 0], array.astype(np.float32) / np.float32(unit), rtol=1e-6)
    assert (dataset.layout, dataset.inputs.names, dataset.classes) == ("image", ("grey",), ("0", "1", "2"))
    assert dataset.targets.tolist() == Y.tolist()


def test_idx_of_gzip_of_colours_and_with_labels_elsewhere(tmp_path):
    array = pixels(12, 4, 5, 3)
    (tmp_path / "a.gz").write_bytes(gzip.compress(idx(array)))
    (tmp_path / "b").write_bytes(idx(Y))
    dataset = load(tmp_path, "a.gz", labels="b")
    np.testing.assert_array_equal(dataset.features, np.moveaxis(array, -1, 1) / np.float32(255))
    small = load(tmp_path, "a.gz", labels="b", size=3, colour="grey").features
    for row, image in enumerate(array):
        expected = Image.fromarray(image).convert("L").resize((3, 3), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(small[row, 0], np.asarray(expected) / np.float32(255))


BROKEN = {
    "truncated": (GOOD[:-7], "says that it holds 12×4×5 values, 240 bytes, and 233 follow\n  = fetch it again"),
    "too long": (GOOD + b"\0", "240 bytes, and 241 follow"),
    "a huge claim": (b"\0\0\x08\x03" + b"\xff" * 12, "says that it holds 4294967295×4294967295×4294967295 values"),
    "no type": (b"\0\0\x07" + GOOD[3:], "is not an IDX file: it begins with 00 00 07 03"),
    "half a header": (GOOD[:9], "ends in its header of 3 sizes"),
    "half a gzip": (gzip.compress(GOOD)[:40], "cannot be read: Compressed file ended"),
    "no images": (idx(pixels(0, 4, 5)), "holds 0 images, and there are 12 labels"),
    "other rows": (idx(pixels(11, 4, 5)), "holds 11 images, and there are 12 labels"),
    "flat": (idx(pixels(12, 4)), "holds images of shape (12, 4) with labels of shape (12,)\n  = (N, H, W) or"),
    "channels": (idx(pixels(12, 4, 5, 2)), "images of shape (4, 5, 2) have 2 channels"),
    "empty": (b"", "is neither a folder, nor a CSV, nor an IDX file"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_idx(tmp_path, case):
    name = mnist(tmp_path, pixels(12, 4, 5), Y)
    (tmp_path / name).write_bytes(BROKEN[case][0])
    assert BROKEN[case][1] in refused(tmp_path, name)


def test_labels_of_idx_that_are_not_there(tmp_path):
    (tmp_path / "x-images-idx3-ubyte").write_bytes(GOOD)
    said = "error: x-images-idx3-ubyte has no file of labels beside it\n  = dataset.labels: x-labels-idx1-ubyte, say"
    assert refused(tmp_path, "x-images-idx3-ubyte") == said
    assert "no such file" in refused(tmp_path, "x-images-idx3-ubyte", labels="none")


def flowers(folder, mode="RGB", size=(5, 4)):
    """Two classes of six images; returns them in the order in which they are to be read."""
    shape = (*size, 3) if mode == "RGB" else size
    names = [f"{name}/{i}.png" for name in ("rose", "tulip") for i in ("1", "2", "a/3", "b/1", "x", "y")]
    (folder / "flowers").mkdir()
    (folder / "flowers" / ".hidden.png").write_text("no image")
    return {name: save(folder / "flowers" / name, pixels(*shape)) for name in names}


def test_a_folder_per_class(tmp_path):
    arrays = flowers(tmp_path)
    (tmp_path / "flowers" / "rose" / "notes.txt").write_text("nice")
    dataset = load(tmp_path, "flowers")
    order = ["rose/1", "rose/2", "rose/x", "rose/y", "rose/a/3", "rose/b/1"]
    order += [name.replace("rose", "tulip") for name in order]
    expected = np.stack([np.moveaxis(arrays[f"{name}.png"], -1, 0) for name in order]) / np.float32(255)
    np.testing.assert_array_equal(dataset.features, expected)
    assert dataset.classes == ("rose", "tulip") and dataset.targets.tolist() == [0] * 6 + [1] * 6
    assert dataset.inputs.names == ("red", "green", "blue")
    assert dataset.notes == ("ignored 1 file without an image (notes.txt)",)


def test_the_same_image_under_two_labels_is_told(tmp_path):
    arrays = flowers(tmp_path)
    save(tmp_path / "flowers" / "tulip" / "1.png", arrays["rose/2.png"])
    hint = "rows 2 and 7 are the same image with the labels 'rose' and 'tulip'"
    assert load(tmp_path, "flowers").notes == (hint,)


@pytest.mark.parametrize("size", [3, 9])
def test_resizing_is_pillows(tmp_path, size):
    arrays = flowers(tmp_path, mode="L")
    save(tmp_path / "flowers" / "tulip" / "y.png", pixels(8, 2))
    dataset = load(tmp_path, "flowers", size=size)
    expected = Image.fromarray(arrays["rose/1.png"]).resize((size, size), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(dataset.features[0, 0], np.asarray(expected) / np.float32(255))
    assert dataset.features.shape == (12, 1, size, size)


def one_image(folder, image, colour="auto", **how):
    """The channels of one image beside a white one."""
    for name, each in (("a", image), ("b", Image.new("L", image.size, 255))):
        (folder / "c" / name).mkdir(parents=True, exist_ok=True)
        each.save(folder / "c" / name / "1.png", **(how if name == "a" else {}))
    return load(folder, "c", colour=colour).features[0]


MODES = {
    "1": (Image.new("1", (2, 2), 1), [1.0]),
    "L": (Image.new("L", (2, 2), 51), [0.2]),
    "I;16": (Image.fromarray(np.full((2, 2), 13107, np.uint16)), [0.2]),
    "LA": (Image.new("LA", (2, 2), (0, 51)), [0.8]),
    "RGB": (Image.new("RGB", (2, 2), (0, 51, 255)), [0, 0.2, 1]),
    "RGBA, on white": (Image.new("RGBA", (2, 2), (0, 255, 0, 0)), [1, 1, 1]),
    "P": (Image.new("RGB", (2, 2), (255, 51, 0)).quantize(4), [1, 0.2, 0]),
}


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_is_from_0_to_1(tmp_path, mode):
    image, expected = MODES[mode]
    found = one_image(tmp_path, image)
    np.testing.assert_allclose(found, np.array(expected)[:, None, None] * np.ones((1, 2, 2)), atol=1 / 255)


def test_colour_can_be_told(tmp_path):
    assert one_image(tmp_path, MODES["L"][0], colour="rgb").shape == (3, 2, 2)
    grey = one_image(tmp_path, MODES["RGB"][0], colour="grey")
    np.testing.assert_allclose(grey, np.full((1, 2, 2), (0.587 * 51 + 0.114 * 255) / 255), atol=1 / 255)


def test_an_image_is_turned_as_its_camera_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned clockwise
    array = pixels(2, 3)
    for name in "ab":
        save(tmp_path / "c" / name / "1.png", array, exif=exif)
    np.testing.assert_array_equal(load(tmp_path, "c").features[0, 0], np.rot90(array, -1) / np.float32(255))


def test_folders_that_are_no_classes(tmp_path):
    flowers(tmp_path)
    (tmp_path / "flowers" / "ivy").mkdir()
    assert "the class folder flowers/ivy has no images" in refused(tmp_path, "flowers")
    save(tmp_path / "flowers" / "lonely.png", pixels(2, 2))
    assert "flowers holds images (lonely.png) outside of a folder per class" in refused(tmp_path, "flowers")
    for name in ("data/train/a", "data/test/a"):
        (tmp_path / name).mkdir(parents=True)
    assert refused(tmp_path, "data") == (
        "error: data has the folders test and train, which are not classes\n"
        "  = dataset.path: data/train, as tuner cuts folds itself"
    )
    assert "flowers/lonely.png is one image" in refused(tmp_path, "flowers/lonely.png")
    (tmp_path / "empty").mkdir()
    assert "empty holds no folder per class" in refused(tmp_path, "empty")


def test_images_of_two_sizes(tmp_path):
    flowers(tmp_path)
    save(tmp_path / "flowers" / "tulip" / "2.png", pixels(7, 4))
    assert refused(tmp_path, "flowers") == (
        "error: the images differ in size: flowers/rose/1.png has 5×4 pixels, flowers/tulip/2.png 7×4\n"
        "  = bring all to one with dataset.size: 64, say"
    )


def test_images_that_cannot_be_read_are_named(tmp_path, monkeypatch):
    flowers(tmp_path)
    place = tmp_path / "flowers" / "rose" / "2.png"
    good = place.read_bytes()
    for content, reason in (
        (good[:60], "cannot be read as an image: "),
        (b"", "it is empty"),
        (b"<html>", "identify"),
    ):
        place.write_bytes(content)
        said = refused(tmp_path, "flowers")
        assert "flowers/rose/2.png cannot be read as an image: " in said and reason in said
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 8)
    for content in ((5, 3), (5, 4)):  # a warning, and an error, of Pillow's
        save(place, pixels(*content))
        assert "1.png is too large an image: Image size (20 pixels) exceeds limit" in refused(tmp_path, "flowers")
    frames = [Image.new("L", (4, 5), i) for i in (1, 200)]
    monkeypatch.undo()
    place.unlink()
    frames[0].save(place.with_suffix(".gif"), save_all=True, append_images=frames[1:])
    assert "rose/2.gif holds 2 images, and one is wanted" in refused(tmp_path, "flowers")
