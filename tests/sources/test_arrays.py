"""Arrays of every format and layout are what numpy wrote; what does not fit names the array, its shape and the cure."""

import json

import numpy as np
import pytest
import safetensors.numpy
from helpers import inside, slow, write_space

from tuner.cli.console import error_text
from tuner.data.check import check
from tuner.data.inputs import PADDING, UNKNOWN
from tuner.errors import DataError
from tuner.metrics.parts.sums import IGNORED
from tuner.sources import arrays
from tuner.sources.readers import stored_arrays

ROWS = 9
Y = np.arange(ROWS) % 3


def numbers(*shape, dtype=np.float64):
    return np.random.default_rng(0).normal(0, 30, (ROWS, *shape)).astype(dtype)


def written(folder, kind, **named):
    """Settings of the files that hold these arrays."""
    if kind == "npy":
        for name, array in named.items():
            np.save(folder / f"{name}.npy", array)
        return {"path": "X.npy", **{key: f"{name}.npy" for key, name in KEYS.items() if name in named}}
    save = {"npz": np.savez, "packed": np.savez_compressed}.get(kind)
    save(folder / "a.npz", **named) if save else safetensors.numpy.save_file(named, folder / "a.safetensors")
    return {"path": "a.npz" if save else "a.safetensors", **{k: n for k, n in KEYS.items() if n in named}}


KEYS = {"target": "y", "lengths": "n", "weights": "w", "groups": "g", "time": "when", "split": "part"}


def load(folder, kind="npz", wish=None, **named):
    return arrays.load(arrays.Settings(**{**written(folder, kind, **named), **(wish or {})}), folder)


def refused(folder, wish=None, kind="npz", **named):
    with pytest.raises(DataError) as caught:
        load(folder, kind, wish, **named)
    return error_text(caught.value).replace(f"{folder}/", "")


DTYPES = [np.float64, np.float32, np.float16, np.int64, np.int8, np.uint8, np.uint32, np.bool_]
KINDS = pytest.mark.parametrize("kind", ["npz", "packed", "npy", "safetensors"])


@KINDS
@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_of_any_type_are_float32_in_any_file(tmp_path, kind, dtype, monkeypatch):
    monkeypatch.setattr(stored_arrays, "BLOCK", 7)
    x = np.abs(numbers(4, dtype=np.int64)).astype(dtype)
    dataset = check(load(tmp_path, kind, X=x, y=Y))
    assert dataset.features.dtype == np.float32 and dataset.features.flags.c_contiguous
    np.testing.assert_array_equal(dataset.features, x.astype(np.float32))
    assert dataset.targets.tolist() == Y.tolist()


@pytest.mark.parametrize("kind", ["npz", "npy"])
@pytest.mark.parametrize("change", [np.asfortranarray, lambda x: x.astype(">f8"), lambda x: x.astype(">f4")])
def test_the_order_of_axes_and_bytes_does_not_matter(tmp_path, kind, change):
    x = numbers(4, 3)
    dataset = load(tmp_path, kind, X=change(x), y=Y.astype(">i8"), g=Y.astype(">i4"))
    assert dataset.features.flags.c_contiguous
    np.testing.assert_array_equal(dataset.features, x.astype(np.float32))
    np.testing.assert_array_equal(dataset.roles.groups, Y)


def test_what_becomes_of_a_file_after_it_was_read_does_not_matter(tmp_path, monkeypatch):
    monkeypatch.setattr(stored_arrays, "BLOCK", 7)
    x = numbers(5, 2, dtype=np.float32)
    dataset = load(tmp_path, "npy", X=x, y=Y)
    for array in (dataset.features, dataset.targets):
        while array.base is not None:
            array = array.base
        assert not isinstance(array, np.memmap)
    (tmp_path / "X.npy").write_bytes(b"")
    np.testing.assert_array_equal(dataset.features, x)


def test_steps_after_the_end_are_0_and_the_file_stays_as_it_was(tmp_path):
    x = numbers(5, 2, dtype=np.float32)
    dataset = load(tmp_path, "npy", X=x, y=Y, n=np.arange(ROWS) % 5 + 1)
    assert dataset.features[0, 1:].tolist() == [[0, 0]] * 4
    np.testing.assert_array_equal(np.load(tmp_path / "X.npy"), x)


@KINDS
def test_roles_lengths_and_weights_are_arrays_of_one_value_per_row(tmp_path, kind):
    given = {"n": np.arange(ROWS) % 5 + 1, "w": np.linspace(0, 1, ROWS), "g": Y * 7, "when": np.arange(ROWS), "part": Y}
    dataset = check(load(tmp_path, kind, X=numbers(5, 2), y=Y, **given))
    np.testing.assert_array_equal(dataset.lengths, given["n"])
    np.testing.assert_array_equal(dataset.roles.weights, given["w"])
    np.testing.assert_array_equal(dataset.roles.groups, Y)
    np.testing.assert_array_equal(dataset.roles.order, given["when"])
    np.testing.assert_array_equal(dataset.roles.split, Y)


LAYOUTS = {  # said: the shape of a row, and what it becomes
    "flat": ((2, 3), (6,), "flat"),
    "sequence": ((4,), (4, 1), "sequence"),
    "image": ((4, 5), (1, 4, 5), "image"),
}


@pytest.mark.parametrize("said", LAYOUTS)
def test_a_layout_that_is_said_decides(tmp_path, said):
    shape, becomes, layout = LAYOUTS[said]
    x = numbers(*shape)
    dataset = load(tmp_path, wish={"layout": said}, X=x, y=Y)
    assert dataset.layout == layout
    np.testing.assert_array_equal(dataset.features, x.astype(np.float32).reshape(ROWS, *becomes))


TOKENS = np.array([[7, 3, 900, 0], [3, 0, 7, 7], [900, 0, 0, 0]])


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.uint64, np.float32])
def test_tokens_are_looked_up_and_zero_is_padding(tmp_path, dtype):
    tokens = np.where(TOKENS == 900, 90, TOKENS).astype(dtype)
    dataset = check(load(tmp_path, wish={"layout": "tokens"}, X=tokens, y=np.arange(3)))
    assert dataset.layout == "tokens" and dataset.features.dtype == np.int64
    assert dataset.vocabularies == ((PADDING, UNKNOWN, "3", "7", "90"),)
    assert dataset.features.tolist() == [[3, 2, 4, 0], [2, 0, 3, 3], [4, 0, 0, 0]]
    assert dataset.lengths.tolist() == [3, 4, 1]


def test_tokens_after_their_length_are_padding(tmp_path):
    dataset = load(tmp_path, wish={"layout": "tokens"}, X=TOKENS, y=np.arange(3), n=np.array([2, 1, 1]))
    assert dataset.features.tolist() == [[3, 2, 0, 0], [2, 0, 0, 0], [4, 0, 0, 0]]
    whole = load(tmp_path, wish={"layout": "tokens"}, X=TOKENS[:, :1], y=np.arange(3))
    assert whole.layout == "tokens" and whole.lengths is None


def test_padding_in_front_is_told(tmp_path):
    (hint,) = load(tmp_path, wish={"layout": "tokens"}, X=TOKENS[:, ::-1], y=np.arange(3)).notes
    assert hint == "2 rows of 'X' begin with padding (0), which is read; at the end it is not"


@pytest.mark.parametrize("columns", [1, 3])
def test_ids_have_a_vocabulary_per_column_where_zero_is_an_id(tmp_path, columns):
    ids = np.array([[0, 5, 2], [4, 5, 1], [0, 9, 2]])[:, :columns]
    dataset = check(load(tmp_path, wish={"layout": "ids"}, X=ids, y=np.arange(3)))
    assert dataset.layout == "ids"
    for column, words in enumerate(dataset.vocabularies):
        assert [int(words[code]) for code in dataset.features[:, column]] == ids[:, column].tolist()
        assert words[:2] == (PADDING, UNKNOWN) and len(words) == 2 + len(set(ids[:, column].tolist()))


@pytest.mark.parametrize("layout", ["sequence", "tokens"])
def test_tags_are_codes_at_every_step_that_counts(tmp_path, layout):
    tags = np.array([[10, 30, 10, 99], [-1, 20, 20, 20], [30, 77, 77, 77]])
    x = np.random.default_rng(0).normal(size=(3, 4, 2)) if layout == "sequence" else np.full((3, 4), 5)
    wish = {"layout": layout, "task": "tagging"}
    expected = [[0, 2, 0, -1], [-1, 1, 1, 1], [2, -1, -1, -1]]
    for given in (tags, tags.astype(float), tags[:, :, None]):
        dataset = check(load(tmp_path, wish=wish, X=x, y=given, n=np.array([3, 4, 1])))
        assert (dataset.task, dataset.classes, dataset.positions) == ("tagging", ("10", "20", "30"), (4,))
        assert dataset.targets.tolist() == expected and IGNORED == -1


@pytest.mark.parametrize("shape", [(ROWS, 4, 5), (ROWS, 1, 4, 5), (ROWS, 4, 5, 1)])
@pytest.mark.parametrize("grey", [False, True])
def test_masks_are_codes_at_every_pixel(tmp_path, shape, grey):
    mask = np.random.default_rng(1).choice([0, 255], (ROWS, 4, 5)).astype(np.uint8)
    wish = {"task": "segmentation", **({"layout": "image"} if grey else {})}
    dataset = check(load(tmp_path, wish=wish, X=numbers(*(() if grey else (3,)), 4, 5), y=mask.reshape(shape)))
    assert (dataset.task, dataset.classes, dataset.positions) == ("segmentation", ("0", "255"), (4, 5))
    np.testing.assert_array_equal(dataset.targets, mask // 255)


SEQUENCE, IMAGE, FLAT = numbers(4, 2), numbers(3, 4, 5), numbers(4)
TAGS = np.arange(ROWS * 4).reshape(ROWS, 4) % 3
WRONG = {
    "ambiguous tags": (
        {}, {"X": SEQUENCE, "y": TAGS},
        "a.npz: 'y' of shape (9, 4) has a whole number at every step\n"
        "  = task: tagging if they are classes, task: regression if amounts"),
    "ambiguous masks": (
        {}, {"X": IMAGE, "y": np.zeros((ROWS, 4, 5), bool)},
        "a.npz: 'y' of shape (9, 4, 5) has a whole number at every pixel\n"
        "  = task: segmentation if they are classes, task: regression if amounts"),
    "tags of another length": (
        {"task": "tagging"}, {"X": SEQUENCE, "y": TAGS[:, :3]},
        "a.npz: 'y' of shape (9, 3) has no class at every step of 'X', which is read as sequence of shape (9, 4, 2)\n"
        "  = targets (N, T); layout: sequence or tokens"),
    "masks of another size": (
        {"task": "segmentation"}, {"X": IMAGE, "y": np.zeros((ROWS, 5, 4), int)},
        "a.npz: 'y' of shape (9, 5, 4) has no class at every pixel of 'X', which is read as image of shape "
        "(9, 3, 4, 5)\n  = targets (N, H, W); layout: image"),
    "tags of flat rows": (
        {"task": "tagging"}, {"X": FLAT, "y": TAGS},
        "a.npz: 'y' of shape (9, 4) has no class at every step of 'X', which is read as flat of shape (9, 4)\n"
        "  = targets (N, T); layout: sequence or tokens"),
    "a tag of -2": (
        {"task": "tagging"}, {"X": SEQUENCE, "y": TAGS - 2},
        "a.npz: 'y' holds -2, which is not a class\n  = whole numbers from 0 up, or -1 where nothing is asked"),
    "half a tag": (
        {"task": "tagging"}, {"X": SEQUENCE, "y": TAGS + 0.5},
        "a.npz: 'y' holds 0.5, which is not a class\n  = whole numbers from 0 up, or -1 where nothing is asked"),
    "an infinite tag": (
        {"task": "tagging"}, {"X": SEQUENCE, "y": np.where(TAGS, TAGS, np.inf)},
        "a.npz: 'y' holds inf, which is not a class\n  = whole numbers from 0 up, or -1 where nothing is asked"),
    "tags of text": (
        {"task": "tagging"}, {"X": SEQUENCE, "y": TAGS.astype(str)},
        "a.npz: 'y' holds <U21, which is not a class\n  = whole numbers from 0 up, or -1 where nothing is asked"),
    "a negative token": (
        {"layout": "tokens"}, {"X": TAGS - 1, "y": Y},
        "a.npz: 'X' is -1 at row 1, column 1\n  = tokens are whole numbers from 0 up"),
    "half an id": (
        {"layout": "ids"}, {"X": TAGS / 2, "y": Y},
        "a.npz: 'X' is 0.5 at row 1, column 2\n  = ids are whole numbers from 0 up"),
    "a token that is missing": (
        {"layout": "tokens"}, {"X": np.where(TAGS, TAGS, np.nan), "y": Y},
        "a.npz: 'X' is nan at row 1, column 1\n  = tokens are whole numbers from 0 up"),
    "tokens of three dimensions": (
        {"layout": "tokens"}, {"X": SEQUENCE, "y": Y},
        "a.npz: 'X' is float64 of shape (9, 4, 2)\n  = whole numbers of shape (N, T)"),
    "an image of two": (
        {"layout": "image"}, {"X": FLAT, "y": Y},
        "a.npz: 'X' is float64 of shape (9, 4)\n  = numbers of shape (N, C, H, W) or (N, H, W)"),
    "lengths of flat rows": (
        {}, {"X": FLAT, "y": Y, "n": Y},
        "a.npz: lengths are of sequences and tokens, and 'X' has the shape (9, 4)\n"
        "  = leave lengths out, or say layout: sequence or tokens"),
    "a length that is too long": (
        {}, {"X": SEQUENCE, "y": Y, "n": np.arange(ROWS)},
        "a.npz: 'n' of data row 6 is 5, and a sequence has 4 steps\n  = whole numbers from 1 to 4"),
    "half a length": (
        {}, {"X": SEQUENCE, "y": Y, "n": np.full(ROWS, 1.5)},
        "a.npz: 'n' of data row 1 is 1.5, and a sequence has 4 steps\n  = whole numbers from 1 to 4"),
    "lengths of text": (
        {}, {"X": SEQUENCE, "y": Y, "n": np.full(ROWS, "a")},
        "a.npz: 'n' of data row 1 is a, and a sequence has 4 steps\n  = whole numbers from 1 to 4"),
    "lengths of too few rows": (
        {}, {"X": SEQUENCE, "y": Y, "n": np.ones(3)}, "a.npz: 9 rows of features but 3 of 'n'"),
    "lengths of two columns": (
        {}, {"X": SEQUENCE, "y": Y, "n": np.ones((ROWS, 2))}, "a.npz: 'n' has the shape (9, 2)\n  = one value per row"),
    "a negative weight": (
        {}, {"X": FLAT, "y": Y, "w": Y - 1.0},
        "a.npz: 'w' of data row 1 is '-1.0'\n  = a weight is a number from 0 up"),
    "no rows": ({}, {"X": FLAT[:0], "y": Y[:0]}, "a.npz: the target is empty"),
    "no columns": ({}, {"X": FLAT[:, :0], "y": Y}, "a.npz: 'X' is empty"),
    "a record": (
        {}, {"X": np.zeros(ROWS, [("a", "f4")]), "y": Y},
        "a.npz: 'X' is [('a', '<f4')] of shape (9,)\n  = numbers of shape (N, D), (N, T, D) or (N, C, H, W)"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_arrays_that_do_not_fit_are_told(tmp_path, case):
    wish, named, message = WRONG[case]
    assert refused(tmp_path, wish, **named) == f"error: {message}"


def test_a_text_of_padding_alone_has_no_steps(tmp_path):
    with pytest.raises(DataError, match="the sequence of data row 2 has no steps"):
        check(load(tmp_path, wish={"layout": "tokens"}, X=np.array([[1, 2], [0, 0]]), y=np.arange(2)))


def test_what_stands_beside_a_single_array_is_a_file(tmp_path):
    assert refused(tmp_path, kind="npy", X=FLAT) == (
        "error: X.npy holds one array, so dataset.target is a file too, and y is not there\n  = target: y.npy"
    )
    message = refused(tmp_path, {"features": "Z"}, "npy", X=FLAT, y=Y)
    assert message == "error: X.npy holds one array, which are the features\n  = leave features out"
    np.savez(tmp_path / "z.npz", y=Y)
    assert "z.npz is not an NPY file, as X.npy is" in refused(tmp_path, {"target": "z.npz"}, "npy", X=FLAT)


def test_a_safetensors_file_without_the_array_or_of_another_type_is_told(tmp_path):
    assert "has no array 'X'\n  = one of: y" in refused(tmp_path, kind="safetensors", y=Y)
    head = json.dumps({"X": {"dtype": "BF16", "shape": [2, 1], "data_offsets": [0, 4]}}).encode()
    (tmp_path / "b.safetensors").write_bytes(len(head).to_bytes(8, "little") + head + bytes(4))
    with pytest.raises(DataError, match="'X' is BF16, which numpy does not know"):
        arrays.load(arrays.Settings(path="b.safetensors"), tmp_path)


def test_images_whose_channels_come_last_are_doubted(tmp_path):
    (hint,) = load(tmp_path, X=numbers(28, 28, 3), y=Y).notes
    assert hint.startswith("'X' is read as 28 channels of 28 × 3 pixels")
    assert load(tmp_path, X=numbers(3, 28, 28), y=Y).notes == ()


def test_an_array_that_nobody_asks_for_does_not_matter(tmp_path):
    dataset = load(tmp_path, X=FLAT, y=Y, other=np.array([{}] * ROWS), patient=Y)
    assert len(dataset.hints) == 1 and "dataset.groups: patient" in dataset.hints[0]


def test_the_old_name_of_the_source_is_told(tmp_path):
    path = write_space(tmp_path, dataset={"name": "npz", "path": "a.npz"})
    assert "did you mean 'arrays'?" in inside("check", path)[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "wish", "named"),
    [("rnn", {"task": "tagging"}, {"X": SEQUENCE, "y": TAGS}),
     slow("rnn", {"layout": "tokens"}, {"X": TAGS + 1, "y": Y}),
     slow("unet", {"task": "segmentation"}, {"X": IMAGE, "y": IMAGE[:, 0] > 0}),
     slow("mlp", {"layout": "ids"}, {"X": TAGS[:, :1], "y": Y}),
     ("recommender", {"layout": "ids"}, {"X": TAGS[:, :1], "y": Y / 3})],
)  # fmt: skip
def test_what_is_loaded_can_be_learned_from(tmp_path, model, wish, named):
    named = {name: np.concatenate([array] * 4) for name, array in named.items()}
    path = write_space(tmp_path, dataset={"name": "arrays", **written(tmp_path, "npz", **named), **wish},
                       model={"name": model, "hidden_size": None, "activation": None}, training={"epochs": 1},
                       search={"trials": 1})  # fmt: skip
    code, _, err = inside("search", path, "--study", tmp_path / "s.db", "--workers", 0)
    assert code == 0, err
