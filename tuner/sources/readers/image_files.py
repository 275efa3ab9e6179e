"""Image files as arrays, for all sources of images."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psutil
from numpy.typing import NDArray
from PIL import Image, ImageOps
from rich.filesize import decimal

from tuner.errors import DataError

Colour = Literal["auto", "grey", "rgb"]
GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N", "F"})
DEEP = 65535  # white in images of 16 bits
TURNED = (5, 6, 7, 8)  # orientations of EXIF that swap height and width
CHANNELS = {"grey": ("grey",), "rgb": ("red", "green", "blue")}


def pictures(paths: Sequence[Path], colour: Colour, size: int | None) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """The files as float32 (N, C, H, W) from 0 to 1, and the names of the channels. Raises `DataError`."""
    heads = [head_of(path) for path in paths]
    if colour == "auto":
        colour = "grey" if all(mode in GREY_MODES for mode, _ in heads) else "rgb"
    shape = (size, size) if size else heads[0][1]
    for path, (_, other) in zip(paths, heads, strict=True):
        if not size and other != shape:
            text = f"the images differ in size: {paths[0]} has {by(shape)} pixels, {path} {by(other)}"
            raise DataError(text, "bring all to one with dataset.size: 64, say", "size")
    images = allocate((len(paths), len(CHANNELS[colour]), *shape), np.dtype(np.float32))
    for pixels, path in zip(images, paths, strict=True):
        pixels[:] = values(opened(path), colour, size)
    return images, CHANNELS[colour]


def values(image: Image.Image, colour: Colour, size: int | None) -> NDArray[np.float32]:
    """One image as (C, H, W), or (1, H, W) of grey where three are wanted; bilinear where its size changes."""
    if image.mode.startswith("I") or image.mode == "F":
        deep = np.asarray(image, dtype=np.float32)
        image = Image.fromarray(deep if image.mode == "F" else deep / np.float32(DEEP))
    else:
        image = _over_white(image).convert("L" if colour == "grey" else "RGB")
    if size:
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    array = np.asarray(image, dtype=np.float32)
    if image.mode != "F":
        array = array / np.float32(255)
    return np.moveaxis(array, -1, 0) if array.ndim == 3 else array[None]


def opened(path: Path) -> Image.Image:
    """The image, decoded and turned as its EXIF data says. Raises `DataError`."""
    with _reading(path), Image.open(path) as image:
        if image.format != "MPO" and (frames := getattr(image, "n_frames", 1)) > 1:  # MPO: a camera's, and a preview
            raise DataError(f"{path} holds {frames} images, and one is wanted", "save each as a file", "path")
        image.load()
        return ImageOps.exif_transpose(image)


def allocate(shape: tuple[int, ...], kind: np.dtype[Any]) -> NDArray[Any]:
    """An empty array of this shape. Raises `DataError` if there is no memory for it."""
    needed, free = int(np.prod(shape, dtype=object)) * kind.itemsize, psutil.virtual_memory().available
    if needed > free:
        text = f"{shape[0]:,} images of {by(shape[-2:])} pixels take {decimal(needed)}, and {decimal(free)} are free"
        raise DataError(text, "a smaller dataset.size", "size")
    return np.empty(shape, dtype=kind)


def head_of(path: Path) -> tuple[str, tuple[int, int]]:
    """Mode, height and width of a file, without decoding its pixels."""
    with _reading(path), Image.open(path) as image:
        turned = image.getexif().get(0x0112) in TURNED
        return image.mode, (image.width, image.height) if turned else (image.height, image.width)


def _over_white(image: Image.Image) -> Image.Image:
    """The image on white, where it is transparent."""
    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn Pillow's errors about a broken file into a `DataError`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ignore warnings about unusual metadata
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except DataError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DataError(f"{path} is too large an image: {error}", "make it smaller", "path") from error
    except Exception as error:  # its decoders raise whatever goes wrong inside
        reason = "it is empty" if path.is_file() and path.stat().st_size == 0 else " ".join(str(error).split())
        raise DataError(f"{path} cannot be read as an image: {reason}", "fix it, or take it out", "path") from error


def by(shape: Sequence[int]) -> str:
    """A shape in words, such as 24×32."""
    return "×".join(map(str, shape))
