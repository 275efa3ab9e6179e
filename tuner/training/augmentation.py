"""Augmentation of training batches: flips, shifts and noise, drawn by each lane from streams of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from tuner.metrics.parts.sums import IGNORED
from tuner.models.layers import Lanes
from tuner.models.layers.lanes import chosen
from tuner.training.lane_data import Inputs, zero_padded_steps
from tuner.training.settings import TrainingSettings

AXES = {"none": (), "horizontal": (-1,), "vertical": (-2,), "both": (-1, -2)}


class Augmentation:
    """Augments training batches. A target with a class per pixel is flipped and shifted with its image. Evaluated rows
    are not changed."""

    def __init__(self, settings: TrainingSettings, lanes: Lanes) -> None:
        self._axes, self._shift, self._noise = AXES[settings.flip], settings.shift, settings.input_noise
        wanted = {"flip": bool(self._axes), "shift": self._shift > 0, "noise": self._noise > 0}
        self._streams = {purpose: lanes.generators(purpose) for purpose, used in wanted.items() if used}

    def select(self, lanes: Sequence[int]) -> None:
        """Go on with these lanes only."""
        self._streams = {purpose: chosen(streams, lanes) for purpose, streams in self._streams.items()}

    def __call__(self, inputs: Inputs, y: Tensor) -> tuple[Inputs, Tensor]:
        """Augment one batch: flip each image with probability ½ along each axis, shift it by up to `shift` pixels
        (uncovered pixels become 0, the mean), and add Gaussian noise to every value."""
        x, *extra_inputs = inputs
        at_pixels = y.ndim == x.ndim - 1 and x.ndim == 5
        if self._axes:
            chance = self._drawn("flip", torch.rand, (x.shape[1], 2))  # (K, B, 2)
            for axis in self._axes:
                flipped = chance[..., axis] < 0.5
                x, y = _flipped(x, flipped, axis), _flipped(y, flipped, axis) if at_pixels else y
        if self._shift:
            chance = self._drawn("shift", torch.rand, (x.shape[1], 2))
            steps = (chance * (2 * self._shift + 1)).long() - self._shift
            for axis in (-2, -1):
                x = _moved(x, steps[..., axis], axis, 0)
                y = _moved(y, steps[..., axis], axis, IGNORED) if at_pixels else y
        if self._noise:
            x = zero_padded_steps(
                torch.add(x, self._drawn("noise", torch.randn, x.shape[1:]), alpha=self._noise), *extra_inputs
            )
        return (x, *extra_inputs), y

    def _drawn(self, purpose: str, draw: Callable[..., Tensor], shape: Sequence[int]) -> Tensor:
        """Random numbers (K, *shape), drawn from each lane's own generator."""
        streams = self._streams[purpose]
        return torch.stack([draw(shape, generator=stream, device=stream.device) for stream in streams])


def _flipped(x: Tensor, which: Tensor, axis: int) -> Tensor:
    """Flip the images (K, B, …, H, W) selected by the mask `which` (K, B) along `axis`."""
    return torch.where(which.view(*which.shape, *[1] * (x.ndim - 2)), x.flip(axis), x)


def _moved(x: Tensor, steps: Tensor, axis: int, fill: int) -> Tensor:
    """Shift each image (K, B, …, H, W) by its own number of pixels `steps` (K, B) along `axis`; uncovered pixels become
    `fill`."""
    size, shape = x.shape[axis], [*steps.shape, *[1] * (x.ndim - 2)]
    shape[axis] = size
    source = (torch.arange(size, device=x.device) - steps[..., None]).view(shape)
    inside = (source >= 0) & (source < size)
    return x.gather(x.ndim + axis, source.clamp(0, size - 1).expand_as(x)).masked_fill(~inside, fill)
