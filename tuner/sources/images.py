"""Images: an IDX file such as MNIST's, a folder per class, a CSV of paths, or images with masks beside them."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from tuner.data.dataset import Dataset
from tuner.data.inputs import Numbers
from tuner.data.precision import as_numbers, narrow
from tuner.data.settings import NumberSettings
from tuner.data.target import Classes, PerPosition, Target
from tuner.errors import DataError
from tuner.experiment.settings import used_when
from tuner.sources.columns.roles import ROLES, RoleSettings, read_roles, unassigned_roles
from tuner.sources.columns.target import TaskChoice, as_target
from tuner.sources.loading.head import CERTAIN, Head, Sniffed
from tuner.sources.readers.files import IMAGES, inside, located
from tuner.sources.readers.frames import DELIMITED, TABLES, check_columns, check_complete, listed, read_frame
from tuner.sources.readers.idx import is_idx, read_idx
from tuner.sources.readers.image_files import CHANNELS, Colour, allocate, pictures, values
from tuner.sources.readers.image_folders import by_stem, image_files, left_out
from tuner.sources.readers.mask_files import masks, of_images
from tuner.sources.readers.settings import DelimitedSettings
from tuner.sources.table import Names, target_of

PARTS = frozenset({"train", "training", "test", "testing", "val", "valid", "validation", "dev"})  # are no classes
MASKS = frozenset({"mask", "masks", "annotations", "segmentation", "segmentations"})
COLUMNS = {
    "image": ("image", "path", "file", "filename", "file_name", "image_path"),
    "target": ("target", "label", "class"),
    "mask": ("mask", "mask_path"),
}
IDX, FOLDER, CSV, MASKED = "IDX files", "a folder of images", "a CSV", "masks"
OF_CSV = used_when(storage=(CSV,))


class Settings(NumberSettings, RoleSettings, DelimitedSettings):
    reads: ClassVar = ("path", "labels", "masks")
    inherited: ClassVar = dict.fromkeys((*ROLES, "weights_for", *DELIMITED), OF_CSV)
    name: Literal["images"] = "images"
    path: str = Field(description="an IDX file; a folder with one folder per class, or with masks; or a CSV of paths")
    labels: str | None = Field(
        None,
        description="the IDX file of labels; default: as path, labels for images",
        json_schema_extra=used_when(storage=(IDX,)),
    )
    masks: str | None = Field(
        None,
        description="folder of masks with the same file names as the images: a class per pixel",
        json_schema_extra=used_when(storage=(FOLDER,)),
    )
    classes: tuple[str, ...] = Field(
        (),
        description="what the values of masks are called, in their order",
        json_schema_extra=used_when(storage=(MASKED,)),
    )
    ignore: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="mask value to ignore, such as 255",
        json_schema_extra=used_when(storage=(MASKED,)),
    )
    image: str | None = Field(None, description="column of a CSV: the files, relative to it", json_schema_extra=OF_CSV)
    target: Names | None = Field(
        None, description="column of a CSV to predict, or several of numbers", json_schema_extra=OF_CSV
    )
    mask: str | None = Field(None, description="column of a CSV: the files of masks", json_schema_extra=OF_CSV)
    task: TaskChoice = Field(
        "auto",
        description="of a CSV; auto: text, true/false or few whole numbers are classes",
        json_schema_extra=OF_CSV,
    )
    layout: Literal["image", "rows"] = Field(
        "image", description="rows: each row of pixels is a step of a sequence, for rnn and transformer"
    )
    size: int | None = Field(None, ge=1, le=4096, description="resize all images to this height and width, in pixels")
    colour: Colour = Field("auto", description="auto: rgb, unless all are grey; transparent pixels become white")


class Loaded(NamedTuple):
    """What is read from images, however they are stored."""

    inputs: Numbers
    target: Target
    frame: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()


def load(settings: Settings, folder: Path) -> Dataset:
    """Read all images into one array (N, C, H, W), in the order of their names, or of the rows."""
    path = located(folder, settings.path)
    stored = storage(settings, folder)
    way = _listed if CSV in stored else _idx if IDX in stored else _masked if settings.masks else _by_class
    found = way(settings, path, folder)
    frame = pd.DataFrame() if found.frame is None else found.frame
    read = read_roles(frame, settings.roles, path.name, settings.weights_for)
    default_roles = found.frame is not None and not settings.cut
    return Dataset(
        name=path.name,
        inputs=_as_rows(found) if settings.layout == "rows" else found.inputs,
        target=found.target,
        roles=read.roles,
        hints=unassigned_roles(frame, (*found.target.names, settings.image or "")) if default_roles else (),
        notes=(*found.notes, *read.notes, *_twins(found)),
    )


def sniff(head: Head) -> Sniffed | None:
    """Certain for folders with images and for MNIST's files; likely for tables whose last row names an image."""
    if head.folder:
        return Sniffed(CERTAIN) if head.has_images else None
    if "ubyte" in head.name or "idx3" in head.name:
        return Sniffed(CERTAIN)
    named = head.table and any(Path(str(cell)).suffix.lower() in IMAGES for cell in head.frame.iloc[-1])
    return Sniffed(4, head.delimited) if named else None


def files(settings: Settings, folder: Path) -> list[Path]:
    """Every file that is read, and whatever else is in the folders."""
    path = located(folder, settings.path)
    if path.is_dir():
        folders = [path, *([located(folder, settings.masks, "masks")] if settings.masks else [])]
        return [found for each in folders for found in inside(each)]
    if not _is_list(path):
        return [path, _labels(settings, path, folder)] if is_idx(path) else [path]
    frame = read_frame(path, settings)
    columns = [column for column in frame.columns if column in (settings.image, settings.mask) or _of_files(column)]
    return [path, *(path.parent / str(name) for column in columns for name in frame[column])]


def _is_list(path: Path) -> bool:
    return path.suffix.lower() in (*TABLES, ".txt")


def _of_files(column: str) -> bool:
    return column.lower() in (*COLUMNS["image"], *COLUMNS["mask"])


def storage(settings: Settings, folder: Path) -> tuple[str, ...]:
    """How the images are stored. Raises `DataError`."""
    path = located(folder, settings.path)
    if path.is_dir():
        return (FOLDER, MASKED) if settings.masks else (FOLDER,)
    if _is_list(path):
        return CSV, MASKED
    if path.suffix.lower() in IMAGES:
        raise DataError(f"{path} is one image", "dataset.path: the folder of all, or a CSV of paths", "path")
    if not is_idx(path):
        text = f"{path} is neither a folder, nor a CSV, nor an IDX file such as MNIST's"
        raise DataError(text, "a CSV of paths is called .csv", "path")
    return (IDX,)


def _idx(settings: Settings, path: Path, folder: Path) -> Loaded:
    """IDX files, as of MNIST: unsigned bytes are scaled to 0 … 1, other types are not scaled."""
    images = read_idx(path)
    labels = read_idx(_labels(settings, path, folder), "labels")
    if labels.ndim != 1 or images.ndim not in (3, 4):
        text = f"{path.name} holds images of shape {images.shape} with labels of shape {labels.shape}"
        raise DataError(text, "(N, H, W) or (N, H, W, C), and (N,)", "path")
    if len(images) != len(labels):
        raise DataError(f"{path.name} holds {len(images):,} images, and there are {len(labels):,} labels", key="labels")
    if len(images) == 0:
        raise DataError(f"{path.name} holds no images", key="path")
    if images.ndim == 4 and images.shape[-1] not in (1, 3):
        text = f"{path.name}: images of shape {images.shape[1:]} have {images.shape[-1]} channels"
        raise DataError(text, "1 or 3, as the last of the sizes", "path")
    told = labels.astype(labels.dtype.newbyteorder("="))
    return Loaded(_arrays(images, settings), as_target(told, "classification", path.name, "label"))


def _arrays(images: NDArray[np.generic], settings: Settings) -> Numbers:
    """Images (N, H, W) or (N, H, W, C) as inputs."""
    colour: Colour = "rgb" if images.shape[3:] == (3,) else "grey"
    images = images[..., 0] if images.shape[3:] == (1,) else images
    if settings.size is None and settings.colour in ("auto", colour):
        found = narrow(images if images.ndim == 4 else images[..., None])
        if images.dtype == np.uint8:
            np.divide(found.values, np.float32(255), out=found.values)
        return as_numbers(replace(found, values=np.moveaxis(found.values, -1, 1)), settings, CHANNELS[colour])
    if images.dtype != np.uint8:
        raise DataError(f"{settings.path}: images of {images.dtype} keep size and colour", "leave both out", "size")
    colour = colour if settings.colour == "auto" else settings.colour
    shape = (settings.size, settings.size) if settings.size else images.shape[1:3]
    features = allocate((len(images), len(CHANNELS[colour]), *shape), np.dtype(np.float32))
    for pixels, image in zip(features, images, strict=True):
        pixels[:] = values(Image.fromarray(np.ascontiguousarray(image)), colour, settings.size)
    return _pixels(features, CHANNELS[colour], settings)


def _pixels(features: NDArray[np.float32], channels: tuple[str, ...], settings: Settings) -> Numbers:
    """Pixels (N, C, H, W) from 0 to 1 as inputs."""
    return Numbers(features, channels, scale=settings.scale, impute=settings.impute)


def _labels(settings: Settings, path: Path, folder: Path) -> Path:
    """The file of labels: as told, or as MNIST's are called."""
    if settings.labels is not None:
        return located(folder, settings.labels, "labels")
    name = path.name.replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1")
    for called in (name, f"{name}.gz", name.removesuffix(".gz")):
        if called != path.name and (path.parent / called).is_file():
            return path.parent / called
    raise DataError(f"{path} has no file of labels beside it", f"dataset.labels: {name}, say", "labels")


def _by_class(settings: Settings, path: Path, folder: Path) -> Loaded:
    """One folder per class, whatever folders are inside."""
    names = sorted(entry.name for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    own, others = image_files(path, deep=False)
    if own or not names:
        text = f"{path} holds {f'images ({own[0].name}) outside of a' if own else 'no'} folder per class"
        hint = "dataset.masks: FOLDER for masks, or dataset.path: a CSV of paths with labels"
        raise DataError(text, f"{path.name}/CLASS/image.png; or {hint}", "path")
    if {name.lower() for name in names} <= PARTS:
        text = f"{path} has the folders {' and '.join(names)}, which are not classes"
        first = next((name for name in names if name.lower().startswith("train")), names[0])
        raise DataError(text, f"dataset.path: {settings.path.rstrip('/')}/{first}, as tuner cuts folds itself", "path")
    if masks := [name for name in names if name.lower() in MASKS]:
        image_folder = next((name for name in names if name not in masks), "images")
        where = settings.path.rstrip("/")
        text = f"{path} has a folder {masks[0]}, which looks like masks rather than a class"
        raise DataError(text, f"dataset.path: {where}/{image_folder}, and dataset.masks: {where}/{masks[0]}", "path")
    files: list[Path] = []
    codes: list[int] = []
    for code, name in enumerate(names):
        images, rest = image_files(path / name)
        if not images:
            raise DataError(f"the class folder {path / name} has no images", "fill it, or take it out", "path")
        files += images
        others += rest
        codes += [code] * len(images)
    pixels = _pixels(*pictures(files, settings.colour, settings.size), settings)
    target = Classes(np.array(codes, dtype=np.int64), tuple(names), ("class",))
    return Loaded(pixels, target, notes=left_out(others))


def _masked(settings: Settings, path: Path, folder: Path) -> Loaded:
    """Images, and in another folder a mask for each."""
    assert settings.masks is not None
    mask_folder = located(folder, settings.masks, "masks")
    if not mask_folder.is_dir():
        raise DataError(f"{mask_folder} is not a folder", "name the folder of the masks", "masks")
    images, others = by_stem(path)
    called, rest = by_stem(mask_folder)
    if not images:
        raise DataError(f"{path} has no images", key="path")
    of = of_images(called, images)
    if bare := [stem for stem in images if stem not in of]:
        text = f"{images[bare[0]]} has no mask in {mask_folder} ({len(bare)} of {len(images)} images)"
        raise DataError(text, f"it is called {bare[0]}.png, say", "masks")
    notes = left_out([*others, *rest, *(mask for stem, mask in of.items() if stem not in images)])
    return _with_masks(list(images.values()), [of[stem] for stem in images], settings, notes=notes)


def _with_masks(
    images: list[Path], of: list[Path], settings: Settings, frame: pd.DataFrame | None = None,
    notes: tuple[str, ...] = (),
) -> Loaded:  # fmt: skip
    pixels = _pixels(*pictures(images, settings.colour, settings.size), settings)
    read = masks(of, images, settings.size, settings.classes, settings.ignore)
    return Loaded(
        pixels, PerPosition(read.codes, read.classes, ("pixel",), "segmentation"), frame, (*notes, *read.notes)
    )


def _listed(settings: Settings, path: Path, folder: Path) -> Loaded:
    """A CSV (or another table) with a column of paths."""
    frame = read_frame(path, settings, labels=(settings.groups, settings.split))
    wanted = listed(settings.target)
    named = [(key, getattr(settings, key)) for key in ("image", "mask", *ROLES)]
    check_columns(frame, [*(pair for pair in named if pair[1]), *(("target", each) for each in wanted)], path.name)
    images = _paths(frame, settings.image or _column(frame, "image", path), path, "image")
    mask = settings.mask or (None if wanted else _column(frame, "mask", path, needed=False))
    if mask is not None and not wanted:
        return _with_masks(images, _paths(frame, mask, path, "mask"), settings, frame)
    if settings.mask or settings.classes or settings.ignore is not None:
        raise DataError("either masks or a target can be predicted, not both", "leave the other out", "target")
    wanted = wanted or [str(_column(frame, "target", path))]
    target = as_target(target_of(frame, wanted, path.name), settings.task, path.name, wanted)
    return Loaded(_pixels(*pictures(images, settings.colour, settings.size), settings), target, frame)


def _column(frame: pd.DataFrame, key: str, path: Path, *, needed: bool = True) -> str | None:
    """The one column whose name says what it is."""
    found = [str(column) for column in frame.columns if str(column).lower() in COLUMNS[key]]
    if len(found) == 1:
        return found[0]
    if not found and not needed:
        return None
    what = f"{' and '.join(found)} may each be" if found else "no column is called like"
    columns = ", ".join(map(str, frame.columns[:12]))
    raise DataError(f"{path.name}: {what} the {key}", f"dataset.{key}: one of {columns}", key)


def _paths(frame: pd.DataFrame, column: str | None, path: Path, key: str) -> list[Path]:
    """The files that a column names."""
    assert column is not None
    check_complete(frame[column], path.name, key)
    if pd.api.types.is_numeric_dtype(frame[column]):
        raise DataError(f"{path.name}: column '{column}' holds numbers, not paths", f"dataset.{key}: COLUMN", key)
    files = [path.parent / str(name) for name in frame[column]]
    for row, file in enumerate(files, start=1):
        if not file.is_file():
            text = f"{path.name}, row {row}: {file}: no such file"
            raise DataError(text, f"the paths of column '{column}' are relative to {path.name}", key)
    return files


def _as_rows(found: Loaded) -> Numbers:
    """Images (N, C, H, W) as sequences (N, H, W · C)."""
    if isinstance(found.target, PerPosition):
        raise DataError("masks need images, and layout is rows", "leave layout out", "layout")
    images = found.inputs
    channels, _, width = images.values.shape[1:]
    names = tuple(f"{images.name(channel)} {column}" for column in range(width) for channel in range(channels))
    offsets = None if images.offsets is None else np.tile(images.offsets, width)
    coarse = None if images.coarse is None else np.tile(images.coarse, width)
    values = images.values.transpose(0, 2, 3, 1).reshape(len(images.values), -1, width * channels)
    return replace(images, values=values, names=names, offsets=offsets, coarse=coarse)


def _twins(found: Loaded) -> tuple[str, ...]:
    """Whether the same image has two labels."""
    target = found.target
    if not isinstance(target, Classes):
        return ()
    first: dict[bytes, int] = {}
    for row, image in enumerate(found.inputs.values):
        other = first.setdefault(hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest(), row)
        if target.values[other] != target.values[row]:
            labels = " and ".join(f"'{target.classes[target.values[each]]}'" for each in (other, row))
            return (f"rows {other + 1} and {row + 1} are the same image with the labels {labels}",)
    return ()
