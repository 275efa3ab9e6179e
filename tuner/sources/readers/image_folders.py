"""Lists the images in a folder, and the other files in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tuner.errors import DataError
from tuner.sources.readers.files import IMAGES, inside


def image_files(path: Path, *, deep: bool = True) -> tuple[list[Path], list[Path]]:
    """The images in a folder, sorted, and its other files; hidden ones are neither."""
    found = [each for each in inside(path, deep=deep) if not each.is_dir()]
    images = [file for file in found if file.suffix.lower() in IMAGES]
    return images, [file for file in found if file.suffix.lower() not in IMAGES]


def by_stem(path: Path) -> tuple[dict[str, Path], list[Path]]:
    """Images by their path in the folder, less suffix; and its other files. Raises `DataError`."""
    found: dict[str, Path] = {}
    images, others = image_files(path)
    for image in images:
        stem = image.relative_to(path).with_suffix("").as_posix()
        if stem in found:
            raise DataError(f"{found[stem]} and {image} are called the same", "rename one of them", "path")
        found[stem] = image
    return found, others


def left_out(others: Sequence[Path]) -> tuple[str, ...]:
    """A note about files that are no images."""
    if not others:
        return ()
    shown = ", ".join(path.name for path in others[:3]) + (", …" if len(others) > 3 else "")
    return (f"ignored {len(others)} {'files' if len(others) > 1 else 'file'} without an image ({shown})",)
