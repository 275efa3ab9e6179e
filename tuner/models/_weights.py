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


class OtherShape(DataError):
    """A tensor has another shape than its place in the model, as other settings may give it."""


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


def _placed(tensors: Mapping[str, Tensor], model: nn.Module) -> tuple[Mapping[str, Tensor], str]:
    """The tensors and the part of the model, "" or such as "backbone.", that has a place for most of them. A beginning
    that all names share (`model.`, `module.`), as trainers add it, is left out if they have no place with it."""
    places, parts = model.state_dict(), ["", *(f"{part}." for part, _ in model.named_modules() if part)]

    def count(short: Mapping[str, Tensor], prefix: str) -> int:
        return sum(prefix + key in places for key in short)

    def fits(short: Mapping[str, Tensor], prefix: str) -> bool:
        return all(places[prefix + key].shape == tensor.shape for key, tensor in short.items())

    short = dict(tensors)
    while True:
        prefix = max(parts, key=lambda each: count(short, each))
        heads = {name.partition(".")[0] for name in short}
        if count(short, prefix) == len(short) and (short.keys() == tensors.keys() or fits(short, prefix)):
            return short, prefix
        if len(heads) != 1 or not all("." in name for name in short):
            return tensors, max(parts, key=lambda each: count(tensors, each))
        short = {name.partition(".")[2]: tensor for name, tensor in short.items()}


def start_from(model: nn.Module, tensors: Mapping[str, Tensor], file: str, name: str) -> list[str]:
    """Copy every tensor of a file to its place in the model `name`, or in one part of it, such as its backbone.

    Returns:
        The names of the model's parameters and buffers that the file does not have.

    Raises:
        DataError: the model has no place for a tensor, or one of another shape.
    """
    places, trained = model.state_dict(), {name for name, _ in model.named_parameters(remove_duplicate=False)}
    tensors, prefix = _placed(tensors, model)
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
            raise OtherShape(text, hint, "weights")
        if tensor.is_floating_point() != place.is_floating_point() or tensor.is_complex():
            text = f"{file}: {key} holds values of type {str(tensor.dtype).removeprefix('torch.')}"
            raise DataError(text, f"save them as {str(place.dtype).removeprefix('torch.')}", "weights")
        if prefix + key in trained and not tensor.float().isfinite().all():  # a mask may well hold -inf
            text = f"{file}: {key} holds values that are not finite"
            raise DataError(text, "save the weights of an earlier epoch", "weights")
        place.copy_(tensor)
    placed = {prefix + key for key in tensors}
    memory = {places[key].data_ptr() for key in placed}  # tied weights stand under one of their names
    return [key for key, place in places.items() if key not in placed and place.data_ptr() not in memory]
