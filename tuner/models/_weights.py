"""Initial weights of the user's own model from a safetensors file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from tuner.errors import DataError, did_you_mean
from tuner.files import file_kind

SHOWN = 3  # names in a message


def digest_of(path: Path) -> str:
    """The hash of a file, computed once for each state of the file. Raises `DataError` if it cannot be read."""
    try:
        about = path.stat()
        if kind := file_kind(about.st_mode):
            raise DataError(f"{path} is {kind}, not a file", "name a safetensors file", "weights")
        return _digest(path, about.st_size, about.st_mtime_ns)
    except OSError as error:
        raise _unreadable(path, error) from error


@cache
def _digest(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_weights(path: Path) -> Mapping[str, Tensor]:
    """The tensors of a file, by name. Raises `DataError`."""
    return _read(path, digest_of(path))


@lru_cache(maxsize=1)
def _read(path: Path, digest: str) -> Mapping[str, Tensor]:
    try:
        with torch.device("cpu"):
            return load_file(path)
    except OSError as error:
        raise _unreadable(path, error) from error
    except SafetensorError as error:
        hint = "write it by safetensors.torch.save_file(model.state_dict(), PATH)"
        raise DataError(f"{path.name} is not a safetensors file", hint, "weights") from error


def _unreadable(path: Path, error: OSError) -> DataError:
    if isinstance(error, FileNotFoundError):
        near = did_you_mean(path.name, [each.name for each in path.parent.glob("*.safetensors")])
        return DataError(f"{path.name}: no such file in {path.parent}", near, "weights")
    return DataError(f"{path} cannot be read: {error.strerror}", "name a safetensors file", "weights")


def _shortened(tensors: Mapping[str, Tensor], model: nn.Module) -> Mapping[str, Tensor]:
    """The tensors without the beginning that all their names share (`model.`, `module.`), as trainers add it, if the
    model has a place for them then."""
    places, short = model.state_dict(), dict(tensors)
    while short and not short.keys() & places.keys():
        heads = {name.partition(".")[0] for name in short}
        if len(heads) > 1 or not all("." in name for name in short):
            return tensors
        short = {name.partition(".")[2]: tensor for name, tensor in short.items()}
    return short


def start_from(model: nn.Module, tensors: Mapping[str, Tensor], file: str, name: str) -> list[str]:
    """Copy every tensor of a file to its place in the model `name`, or in one part of it, such as its backbone.

    Returns:
        The names of the model's parameters and buffers that the file does not have.

    Raises:
        DataError: the model has no place for a tensor, or one of another shape.
    """
    places, tensors = model.state_dict(), _shortened(tensors, model)
    prefixes = ["", *(f"{part}." for part, _ in model.named_modules() if part)]
    prefix = max(prefixes, key=lambda each: sum(each + key in places for key in tensors))
    if unplaced := [key for key in tensors if prefix + key not in places]:
        more = f" and {len(unplaced) - SHOWN} more" if len(unplaced) > SHOWN else ""
        text = f"{file} has {', '.join(unplaced[:SHOWN])}{more}, which {name} does not have"
        hint = f"the model has {', '.join(list(places)[:SHOWN])}, …: save the state_dict of the part that it shares"
        raise DataError(text, hint, "weights")
    for key, tensor in tensors.items():
        place = places[prefix + key]
        if place.shape != tensor.shape:
            there, here = ("×".join(map(str, each.shape)) or "a number" for each in (tensor, place))
            text = f"{file}: {key} is {there}, and {prefix}{key} of {name} is {here}"
            hint = f"choose settings with which {prefix}{key} is {there}, for trial 0 in search.default; "
            hint += f"or leave {key} out of the file, then it starts at random"
            raise DataError(text, hint, "weights")
        if tensor.is_floating_point() != place.is_floating_point() or tensor.is_complex():
            text = f"{file}: {key} holds values of type {str(tensor.dtype).removeprefix('torch.')}"
            raise DataError(text, f"save them as {str(place.dtype).removeprefix('torch.')}", "weights")
        if not tensor.isfinite().all():
            raise DataError(
                f"{file}: {key} holds values that are not finite", "save the weights of an earlier epoch", "weights"
            )
        place.copy_(tensor)
    placed = {prefix + key for key in tensors}
    memory = {places[key].data_ptr() for key in placed}  # tied weights stand under one of their names
    return [key for key, place in places.items() if key not in placed and place.data_ptr() not in memory]
