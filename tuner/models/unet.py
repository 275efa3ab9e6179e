"""U-Net: an encoder and a decoder with skip connections at each resolution (Ronneberger et al. 2015).

A class for every pixel. Convolutions are padded, so nothing is cropped. Upsampling is nearest-neighbour followed by a
convolution, which avoids checkerboard artefacts (Odena et al. 2016).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from tuner.experiment.settings import Settings as BaseSettings
from tuner.models.layers import (
    Activation,
    Conv,
    Default,
    Dropout,
    Initialization,
    Lanes,
    Normalization,
    Shapes,
    activation,
    halved,
)
from tuner.models.layers import normalization as normalized

LAYOUTS = ("image",)
TASKS = ("segmentation",)


class Settings(BaseSettings):
    name: Literal["unet"] = "unet"
    channels: int = Field(8, ge=1, le=1024, description="of the finest level; every coarser one has twice as many")
    depth: int = Field(2, ge=1, le=6, description="times that the image is halved")
    kernel_size: Literal[1, 3, 5, 7] = Field(3, description="width of a convolution")
    activation: Activation = Field("relu", description="after each convolution")
    normalization: Normalization = Field("none", description="of each convolution's channels")
    initialization: Initialization = Field(Default(), discriminator="name", description="how weights begin")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of the coarsest level that is dropped")


class UNet(nn.Module):
    """(K, B, C, H, W) → (K, B, H, W, classes)."""

    def __init__(self, settings: Settings, shapes: Shapes, lanes: Lanes) -> None:
        super().__init__()

        def level(inputs: int, outputs: int) -> nn.Sequential:
            """Two convolutions."""
            layers: list[nn.Module] = []
            for size in (inputs, outputs):
                layers += [
                    Conv(size, outputs, settings.kernel_size, lanes),
                    *normalized(settings.normalization, outputs, lanes, channels=True),
                    activation(settings.activation, channels=True),
                ]
            return nn.Sequential(*layers)

        halved(shapes.inputs[1:], settings.depth, most="a depth of at most {}")
        sizes = [settings.channels * 2**depth for depth in range(settings.depth + 1)]
        self.down = nn.ModuleList(level(a, b) for a, b in zip([shapes.inputs[0], *sizes], sizes, strict=False))
        self.dropout = Dropout(settings.dropout, lanes)
        coarser = list(pairwise(sizes))[::-1]
        self.narrow = nn.ModuleList(Conv(many, few, settings.kernel_size, lanes) for few, many in coarser)
        self.up = nn.ModuleList(level(2 * few, few) for few, _ in coarser)
        self.head = Conv(sizes[0], shapes.outputs, 1, lanes)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for number, level in enumerate(self.down):
            x = level(x if not number else _resized(F.max_pool2d, x, 2, ceil_mode=True))
            skips.append(x)
        x = self.dropout(skips.pop())
        for narrow, level, fine in zip(self.narrow, self.up, reversed(skips), strict=True):
            x = narrow(_resized(F.interpolate, x, fine.shape[-2:]))
            x = level(torch.cat([fine, x], dim=2))
        out: Tensor = self.head(x)
        return out.movedim(2, -1)


def _resized(how, x: Tensor, *size, **more) -> Tensor:  # type: ignore[no-untyped-def]
    """torch's function on images (K · B, C, H, W)."""
    out: Tensor = how(x.flatten(0, 1), *size, **more)
    return out.view(*x.shape[:2], *out.shape[1:])


def build(settings: Settings, shapes: Shapes, lanes: Lanes) -> nn.Module:
    """The network of all lanes."""
    return UNet(settings, shapes, lanes)
