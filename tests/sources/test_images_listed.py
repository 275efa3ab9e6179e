"""Images that a CSV lists, and masks beside images: paths, targets, roles, class codes; mistakes name file and row."""

import numpy as np
import pytest
from pictures import load, pixels, refused, save
from PIL import Image


def listed(folder, text=None):
    """A CSV of nine images in another folder."""
    arrays = [save(folder / "data" / "img" / f"{i}.png", pixels(4, 4)) for i in range(9)]
    rows = [f"img/{i}.png,{'xyz'[i % 3]},{i / 7:.3f},{i // 3}" for i in reversed(range(9))]
    (folder / "data" / "labels.csv").write_text(text or "\n".join(["file,label,score,patient", *rows]))
    return arrays


def test_a_csv_of_paths(tmp_path):
    arrays = listed(tmp_path)
    dataset = load(tmp_path, "data/labels.csv", groups="patient")
    np.testing.assert_array_equal(dataset.features[:, 0] * 255, arrays[::-1])
    assert [dataset.classes[code] for code in dataset.targets] == ["xyz"[i % 3] for i in reversed(range(9))]
    assert dataset.roles.groups.tolist() == [i // 3 for i in reversed(range(9))]
    numbers = load(tmp_path, "data/labels.csv", target="score")
    assert (numbers.task, numbers.target.names) == ("regression", ("score",))
    assert numbers.targets[0, 0] == pytest.approx(8 / 7, abs=1e-3)
    both = load(tmp_path, "data/labels.csv", target=("score", "patient"), image="file")
    assert both.targets.shape == (9, 2)
    assert "'patient' has 3 values in 9 rows" in load(tmp_path, "data/labels.csv").hints[0]


CSVS = {
    "another name": ("picture,label\nimg/1.png,a\n", {}, "no column is called like the image\n  = dataset.image: one"),
    "two names": ("file,path,label\nimg/1.png,b,a\n", {}, "file and path may each be the image"),
    "no target": ("file,kind\nimg/1.png,a\n", {}, "no column is called like the target\n  = dataset.target: one of"),
    "no such column": ("file,kind\nimg/1.png,a\n", {"target": "kinds"}, "no column 'kinds'\n  = did you mean 'kind'?"),
    "no such file": ("file,label\nimg/1.png,a\nimg/10.png,b\n", {}, "labels.csv, row 2: data/img/10.png: no such file"),
    "a folder": ("file,label\nimg,a\n", {}, "labels.csv, row 1: data/img: no such file"),
    "no name": ("file,label\nimg/1.png,a\n,b\n", {}, "'file' of data row 2 is missing"),
    "numbers": ("file,label\n1,a\n2,b\n", {}, "column 'file' holds numbers, not paths"),
    "classes": ("file,label\nimg/1.png,a\n", {"classes": ("a",)}, "either masks or a target can be predicted"),
}


@pytest.mark.parametrize("case", CSVS)
def test_bad_csvs(tmp_path, case):
    text, wish, said = CSVS[case]
    listed(tmp_path, text)
    assert said in refused(tmp_path, "data/labels.csv", **wish)


def test_images_that_no_memory_holds(tmp_path):
    listed(tmp_path, "\n".join(["file,label", *["img/1.png,a", "img/2.png,b"] * 1000]))
    said = refused(tmp_path, "data/labels.csv", size=4096)
    assert "2,000 images of 4096×4096 pixels take 134.2 GB, and " in said and "= a smaller dataset.size" in said


def masked(folder, values=(0, 7, 255), suffix=".png", shape=(4, 6)):
    """Six images with masks of these values; returns the masks."""
    found = []
    for i in range(6):
        save(folder / "images" / f"{i}.jpg", pixels(*shape))
        mask = np.random.default_rng(i).choice(np.array(values, dtype=np.uint8), shape)
        found.append(save(folder / "masks" / f"{i}{suffix}", mask))
    return np.stack(found)


def test_masks_beside_images(tmp_path):
    found = masked(tmp_path)
    dataset = load(tmp_path, "images", masks="masks")
    np.testing.assert_array_equal(np.array([0, 7, 255])[dataset.targets], found)
    assert (dataset.task, dataset.classes, dataset.positions) == ("segmentation", ("0", "7", "255"), (4, 6))
    some = load(tmp_path, "images", masks="masks", ignore=255, classes=("ground", "stroke"))
    np.testing.assert_array_equal(np.where(found == 255, -1, found == 7), some.targets)
    assert some.classes == ("ground", "stroke")


def test_masks_of_a_csv_and_a_class_that_no_mask_shows(tmp_path):
    found = masked(tmp_path, values=(0, 2))
    rows = [f"images/{i}.jpg,masks/{i}.png,{i // 2}" for i in range(6)]
    (tmp_path / "all.csv").write_text("\n".join(["image,mask,person", *rows]))
    dataset = load(tmp_path, "all.csv", classes=("a", "b", "c"), groups="person")
    np.testing.assert_array_equal(dataset.targets, found)
    assert dataset.classes == ("a", "b", "c") and dataset.roles.groups.tolist() == [0, 0, 1, 1, 2, 2]


def test_masks_are_resized_by_the_nearest_pixel(tmp_path):
    found = masked(tmp_path)
    dataset = load(tmp_path, "images", masks="masks", size=3)
    expected = Image.fromarray(found[2]).resize((3, 3), Image.Resampling.NEAREST)
    np.testing.assert_array_equal(np.array([0, 7, 255])[dataset.targets[2]], np.asarray(expected))


@pytest.mark.parametrize("mode", ["P", "1", "RGB", "RGBA", "I;16", "LA"])
def test_masks_of_every_mode(tmp_path, mode):
    found = masked(tmp_path, values=(0, 1))
    for i, mask in enumerate(found):
        image = Image.fromarray(mask)
        if mode == "P":
            image.putpalette([0, 0, 0, 200, 10, 20])
        elif mode == "I;16":
            image = Image.fromarray(mask.astype(np.uint16) * 300)
        else:
            image = Image.fromarray(mask * 255).convert(mode)
        image.save(tmp_path / "masks" / f"{i}.png")
    np.testing.assert_array_equal(load(tmp_path, "images", masks="masks").targets, found)


def test_each_colour_of_a_mask_is_a_class(tmp_path):
    found = masked(tmp_path, values=(0, 1, 2))
    colours = np.array([[0, 0, 0], [200, 10, 20], [10, 200, 20]], dtype=np.uint8)
    for i, mask in enumerate(found):
        save(tmp_path / "masks" / f"{i}.png", colours[mask])
    dataset = load(tmp_path, "images", masks="masks")
    assert dataset.classes == ("#000000", "#0ac814", "#c80a14")
    np.testing.assert_array_equal(np.array([0, 2, 1])[dataset.targets], found)
    named = load(tmp_path, "images", masks="masks", classes=("ground", "grass", "car"))
    assert named.classes == ("ground", "grass", "car")
    np.testing.assert_array_equal(named.targets, dataset.targets)


def test_grey_masks_with_one_and_three_channels_go_together(tmp_path):
    found = masked(tmp_path, values=(0, 7))
    save(tmp_path / "masks" / "2.png", np.repeat(found[2][..., None], 3, axis=2))
    np.testing.assert_array_equal(load(tmp_path, "images", masks="masks").targets, found == 7)


def test_masks_in_black_and_white_that_jpeg_has_blurred_are_read_and_others_refused(tmp_path):
    for i in range(6):
        save(tmp_path / "images" / f"{i}.png", pixels(24, 32))
        mask = np.zeros((24, 32), np.uint8)
        mask[8:16, 3 + i : 20] = 255
        save(tmp_path / "masks" / f"{i}.jpg", mask)
    dataset = load(tmp_path, "images", masks="masks")
    assert dataset.classes == ("0", "255") and dataset.targets[2].sum() == 8 * 15
    assert "the masks are JPEG files, which blur them" in dataset.notes[0]
    save(tmp_path / "masks" / "0.jpg", np.full((24, 32), 100, np.uint8))
    assert "save masks as PNG" in refused(tmp_path, "images", masks="masks")


def test_masks_may_have_an_end_that_all_have(tmp_path):
    found = masked(tmp_path, suffix="_mask.png")
    np.testing.assert_array_equal(np.array([0, 7, 255])[load(tmp_path, "images", masks="masks").targets], found)


def test_masks_that_do_not_fit(tmp_path):
    masked(tmp_path)
    wish = {"masks": "masks"}
    place = tmp_path / "masks" / "3.png"
    save(place, pixels(6, 4))
    said = "error: the mask masks/3.png has 6×4 pixels, its image images/3.jpg 4×6"
    assert refused(tmp_path, "images", **wish) == said
    save(place, pixels(4, 6, 3))
    assert refused(tmp_path, "images", **wish) == (
        "error: the mask masks/3.png is coloured, and masks/0.png has one value per pixel\n"
        "  = save all of them in one way"
    )
    place.unlink()
    assert "images/3.jpg has no mask in masks (1 of 6 images)\n  = it is called 3.png, say" in refused(
        tmp_path, "images", **wish
    )
    save(place, np.arange(24, dtype=np.uint8).reshape(4, 6) * 10)
    said = refused(tmp_path, "images", classes=("a", "b"), **wish)
    assert "dataset.classes names 2, and the masks hold the values 0, 7, 10, 20" in said
    masked(tmp_path, values=range(256), shape=(20, 20))
    assert "different values; at most 64 are accepted as classes\n  = save masks with one value per class" in refused(
        tmp_path, "images", **wish
    )
    masked(tmp_path, values=(255,))
    assert "the masks hold nothing but the value 255" in refused(tmp_path, "images", ignore=255, **wish)
    save(tmp_path / "images" / "3.png", pixels(20, 20))
    assert "images/3.jpg and images/3.png are called the same" in refused(tmp_path, "images", **wish)
    assert "no such file" in refused(tmp_path, "images", masks="mask")


def test_images_as_rows_are_the_same_pixels(tmp_path):
    for i in range(4):
        save(tmp_path / "d" / "ab"[i % 2] / f"{i}.png", pixels(5, 3, 3))
    images, rows = load(tmp_path, "d"), load(tmp_path, "d", layout="rows")
    assert rows.layout == "sequence" and rows.features.shape == (4, 5, 9)
    for column, name in enumerate(rows.inputs.names):
        channel, pixel = name.split()
        expected = images.features[:, images.inputs.names.index(channel), :, int(pixel)]
        np.testing.assert_array_equal(rows.features[:, :, column], expected)
    masked(tmp_path)
    assert "masks need images, and layout is rows" in refused(tmp_path, "images", masks="masks", layout="rows")
