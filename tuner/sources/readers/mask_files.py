"""Segmentation masks: image files whose pixels name classes, by grey values, palette indexes or colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tuner.errors import DataError
from tuner.metrics.parts.sums import IGNORED
from tuner.sources.readers.image_files import allocate, by, head_of, opened

MOST_CODES = 64  # more different values than this are no classes
COLOURS = ("RGB", "RGBA")
BLURRED = (".jpg", ".jpeg", ".jpe", ".jfif")
DARK, BRIGHT = 64, 191  # values that blurred masks take for black and for white
SHARP = 0.9  # share of these, if black and white are meant
ENDS = ("_mask", "-mask", "_masks", "_label", "_labels", "_seg", "_segmentation", "_gt")  # of the names of masks


class Masks(NamedTuple):
    """Codes int64 (N, H, W), `IGNORED` without a label; the names of the C classes; and what to know of them."""

    codes: NDArray[np.int64]
    classes: tuple[str, ...]
    notes: tuple[str, ...]


def of_images(masks: Mapping[str, Path], images: Mapping[str, Path]) -> dict[str, Path]:
    """The masks by the names of their images: the same, or with an end such as `_mask` that all have."""
    for end in ENDS:
        if masks and not masks.keys() & images.keys() and all(name.endswith(end) for name in masks):
            return {name.removesuffix(end): path for name, path in masks.items()}
    return dict(masks)


def masks(
    paths: Sequence[Path], images: Sequence[Path], size: int | None, names: Sequence[str], ignore: int | None
) -> Masks:
    """Read segmentation masks.

    Args:
        paths, images: N masks and their images.
        size: resize to size × size pixels (nearest neighbour); None: keep.
        names: class names by value or in order of the values; empty: the values.
        ignore: value without a label; None: none.

    Raises:
        DataError: sizes differ, or names and values do not match.
    """
    values: NDArray[np.int64] = np.empty(0, dtype=np.int64)
    plain: Path | None = None  # a mask with one value per pixel, and one whose channels differ
    coloured: Path | None = None
    three: list[int] = []  # the rows of masks with three channels
    for row, (path, image) in enumerate(zip(paths, images, strict=True)):
        mask = _mask(path)
        shape, other = (mask.height, mask.width), head_of(image)[1]
        if shape != other:
            raise DataError(f"the mask {path} has {by(shape)} pixels, its image {image} {by(other)}", key="masks")
        if size:
            mask = mask.resize((size, size), Image.Resampling.NEAREST)
        array = np.asarray(mask, dtype=np.int64)
        if mask.mode in COLOURS:
            array = (array[..., 0] << 16) + (array[..., 1] << 8) + array[..., 2]
            three.append(row)
            coloured = coloured or (path if (array != (array & 255) * 0x010101).any() else None)
        else:
            plain = plain or path
        if row == 0:
            values = allocate((len(paths), *array.shape), np.dtype(np.int64))
        values[row] = array
    if coloured and plain:
        text = f"the mask {coloured} is coloured, and {plain} has one value per pixel"
        raise DataError(text, "save all of them in one way", "masks")
    if not coloured:
        values[three] &= 0xFF  # equal channels are a grey value
    found = sorted(set(np.unique(values).tolist()) - {ignore})
    notes: tuple[str, ...] = ()
    if any(path.suffix.lower() in BLURRED for path in paths) and len(found) > 2:
        values, notes = _sharpened(values, len(found), coloured is not None or ignore is not None)
        found = [0, 255]
    shown = [f"#{value:06x}" if coloured else str(value) for value in found]
    return Masks(*_coded(values, found, shown, names, ignore), notes)


def _sharpened(values: NDArray[np.int64], count: int, several: bool) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Masks in black and white that JPEG has blurred. Raises `DataError` for others."""
    text = f"the masks are JPEG files, which blur them: they have {count} different values"
    dark, bright = values <= DARK, values >= BRIGHT
    if several or not dark.any() or not bright.any() or (dark | bright).mean() < SHARP:
        raise DataError(text, "save masks as PNG", "masks")
    return np.where(values > 127, 255, 0), (f"{text}, which are taken as 0 and 255; save masks as PNG",)


# parameters: the values of all pixels, and how classes are found and called
def _coded(
    values: NDArray[np.int64], found: Sequence[int], shown: Sequence[str], names: Sequence[str], ignore: int | None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The class code of every pixel, and the names of the classes.

    Args:
        values: of the masks' pixels.
        found: the different values except `ignore`, sorted; `shown` is how each is written.
        names: of the classes; if every value is below their number, a value is its code, else its rank in `found` is.
        ignore: the value of pixels without a label, which become `IGNORED`.

    Raises:
        DataError: there are too many values, or not one name for each.
    """
    if not names and len(found) > MOST_CODES:
        text = f"the masks have {len(found)} different values; at most {MOST_CODES} are accepted as classes"
        raise DataError(text, "save masks with one value per class; or name the classes", "masks")
    if not found:
        raise DataError(f"the masks hold nothing but the value {ignore}, which is ignored", key="ignore")
    if names and max(found) < len(names):
        found = range(len(names))
    elif names and len(names) != len(found):
        text = f"dataset.classes names {len(names)}, and the masks hold the values {', '.join(shown[:12])}"
        raise DataError(text, "one name per value, in their order", "classes")
    labelled = values != ignore if ignore is not None else True
    return np.where(labelled, np.searchsorted(found, values), IGNORED), tuple(names or shown)


def _mask(path: Path) -> Image.Image:
    """A mask as an image with one value per pixel, or a colour."""
    mask = opened(path)
    if mask.mode in ("L", "P", *COLOURS) or mask.mode.startswith("I"):
        return mask
    if mask.mode in ("1", "LA", "PA"):
        return Image.fromarray(np.asarray(mask, dtype=np.uint8)) if mask.mode == "1" else mask.getchannel(0)
    text = f"the mask {path} is {mask.mode}" if mask.mode != "F" else f"the mask {path} holds fractions"
    raise DataError(text, "a mask is a grey, palette or RGB image: one value or colour per class", "masks")
