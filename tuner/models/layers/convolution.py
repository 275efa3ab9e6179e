"""Convolution of K lanes in one or two dimensions (LeCun et al. 1998)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from tuner.errors import UsageError
from tuner.models.layers.lanes import Lanes
from tuner.models.layers.readout import Lengths, steps_of

BLOCK = 8  # channels that oneDNN handles together


def halved(places: Sequence[int], times: int, *, most: str) -> list[int]:
    """Height and width, or time, after some strides of 2.

    Raises `UsageError` if a size of 1 would be halved; `most` is its hint, with {} for the number that is possible."""
    shape = "×".join(map(str, places))
    for done in range(times):
        if max(places) == 1:
            raise UsageError(f"{shape} cannot be halved {times} times", most.format(done))
        places = [half(size) for size in places]
    return list(places)


def half(size: Any) -> Any:
    """A size after a stride of 2."""
    return (size + 1) // 2


class Conv(nn.Module):
    """(K, B, C, …) → (K, B, out, …), padded so that a stride of 1 keeps the size; odd kernels only.

    `groups` splits the channels of each lane as torch's does: as many as channels is depthwise (Howard et al. 2017).
    One grouped convolution moves all lanes: on a CPU 0.9 to 3.7 times as fast as one after another, at images of 8×8,
    more so the fewer the channels (`benchmarks/layers.py`). Weights begin as those of `nn.Conv1d` and `nn.Conv2d`.
    """

    # parameters: those of a layer, as in torch
    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, lanes: Lanes, *, dimensions: int = 2,
        stride: int = 1, groups: int = 1,
    ) -> None:  # fmt: skip
        super().__init__()
        self.stride, self.padding, self.groups = stride, kernel_size // 2, groups
        self.lengths: Lengths | None = None  # set by whoever pads sequences: what is after the end is read as 0
        self._convolve = {1: F.conv1d, 2: F.conv2d}[dimensions]
        kernel = (in_channels // groups, *[kernel_size] * dimensions)
        bound = 1 / math.sqrt(math.prod(kernel))
        self.weight = nn.Parameter(lanes.matrix(out_channels, *kernel, bound=bound))
        self.bias = nn.Parameter(lanes.bias(out_channels, bound=bound))

    def forward(self, x: Tensor) -> Tensor:
        lanes, batch = x.shape[:2]
        if self.lengths is not None:
            x = x * steps_of(x, self.lengths)
        weight: Tensor = self.weight
        bias: Tensor = self.bias
        outputs = weight.shape[1]
        if self.groups == 1:
            x, weight, bias = _padded(x, weight, bias)
        side = x.transpose(0, 1).flatten(1, 2)  # (B, K · C, …)
        out = self._convolve(side, weight.flatten(0, 1), bias.flatten(), self.stride, self.padding, 1,
                             len(weight) * self.groups)  # fmt: skip
        return out.view(batch, len(weight), -1, *out.shape[2:]).transpose(0, 1)[:lanes, :, :outputs]


def _padded(x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Input, weight and bias with lanes and outputs of zeros, so that the sums of a lane are the same to the bit in any
    stack: oneDNN adds in another order where a stack has fewer than 8 input channels, or outputs that 8 does not
    divide. Free at 16 channels, 1.5 times the time at 5."""
    lanes, outputs, inputs = weight.shape[:3]
    more, rest = max(0, math.ceil(BLOCK / inputs) - lanes), -outputs % BLOCK
    if more:
        x = F.pad(x, [0, 0] * (x.dim() - 1) + [0, more])
    if more or rest:
        weight = F.pad(weight, [0, 0] * (weight.dim() - 2) + [0, rest, 0, more])
        bias = F.pad(bias, [0, rest, 0, more])
    return x, weight, bias
