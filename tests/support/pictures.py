"""Image files, written and read."""

import struct

import numpy as np
import pytest
from PIL import Image

from tuner.cli.console import error_text
from tuner.data.check import check
from tuner.errors import DataError
from tuner.sources import images

RANDOM = np.random.default_rng(0)


CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx(array):
    """The bytes of an IDX file."""
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, CODES[array.dtype.str[1:]], array.ndim, *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def pixels(*shape):
    return RANDOM.integers(0, 256, shape, dtype=np.uint8)


def save(path, array, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **how)
    return array


def load(folder, path, **wish):
    return check(images.load(images.Settings(path=path, **wish), folder))


def refused(folder, path, **wish):
    with pytest.raises(DataError) as caught:
        load(folder, path, **wish)
    return error_text(caught.value).replace(f"{folder}/", "")


Y = np.arange(12, dtype=np.uint8) % 3


GOOD = idx(pixels(12, 4, 5))
