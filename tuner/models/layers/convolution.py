"""Convolution of K lanes in one or two dimensions (LeCun et al. 1998)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuner.errors import UsageError
from tuner.models.layers.lanes import Lanes
from tuner.models.layers.readout import Lengths, steps_of

MULTIPLE = 8  # numbers of a vector, at least
FEW = 4  # input channels of a lane: below, sums would depend on the number of lanes


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
    more so the fewer the channels (`benchmarks/layers.py`). What a lane gives is the same to the bit in any stack of
    two lanes or more. Weights begin as those of `nn.Conv1d` and `nn.Conv2d`.
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
        if self.lengths is not None:
            x = x * steps_of(x, self.lengths)
        if self.padding == 0 and 1 < self.groups == x.shape[2] == self.weight.shape[1]:
            return self._scaled(x)
        few = self.groups == 1 and x.shape[2] < FEW and x.device.type in ("cpu", "meta")
        return self._unfolded(x) if few else self._grouped(x)

    def _grouped(self, x: Tensor) -> Tensor:
        """One grouped convolution of all lanes. oneDNN adds in another order where outputs are not a multiple of 8, so
        these are filled up with zeros."""
        lanes, batch = x.shape[:2]
        weight: Tensor = self.weight
        bias: Tensor = self.bias
        outputs = weight.shape[1]
        if self.groups == 1 and (rest := -outputs % MULTIPLE):
            weight = F.pad(weight, [0, 0] * (weight.dim() - 2) + [0, rest])
            bias = F.pad(bias, [0, rest])
        side = x.transpose(0, 1).flatten(1, 2)  # (B, K · C, …)
        out = self._convolve(side, weight.flatten(0, 1), bias.flatten(), self.stride, self.padding, 1,
                             lanes * self.groups)  # fmt: skip
        return out.view(batch, lanes, -1, *out.shape[2:]).transpose(0, 1)[:, :, :outputs]

    def _unfolded(self, x: Tensor) -> Tensor:
        """A product of matrices: oneDNN adds in another order where all lanes together have few input channels. Columns
        are filled up with zeros, so that BLAS reads the matrix of every lane alike."""
        lanes, batch = x.shape[:2]
        sizes = [(size - 1) // self.stride + 1 for size in x.shape[3:]]
        flat = x.dim() == 4  # (K, B, C, T): one row of pixels
        kernel = (1, *self.weight.shape[3:])[-2:]
        images = (x[..., None, :] if flat else x).flatten(0, 1)
        padding, stride = (kernel[0] // 2, kernel[1] // 2), (1 if flat else self.stride, self.stride)
        columns = F.unfold(images, kernel, padding=padding, stride=stride)  # (K · B, C · kernel, positions)
        columns = columns.view(lanes, batch, *columns.shape[1:]).transpose(1, 2).flatten(2)
        used = columns.shape[2]
        columns = F.pad(columns, [0, -used % (2 * MULTIPLE)])
        out = torch.baddbmm(self.bias[:, :, None], self.weight.flatten(2), columns)[..., :used]
        return out.reshape(lanes, -1, batch, *sizes).transpose(1, 2)

    def _scaled(self, x: Tensor) -> Tensor:
        """Depthwise and one wide: a factor for each channel."""
        x = x[..., :: self.stride] if x.dim() == 4 else x[..., :: self.stride, :: self.stride]
        weight, bias = (each.view(len(each), 1, -1, *[1] * (x.dim() - 3)) for each in (self.weight, self.bias))
        return x * weight + bias
