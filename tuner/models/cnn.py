"""Convolutional network: blocks of convolutions, then pooling and a linear layer (LeCun et al. 1998).

Plain blocks, residual ones (He et al. 2016) or depthwise separable ones (Howard et al. 2017), over images (C, H, W) in
two dimensions and over sequences (T, D) or tokens (T,) in one, along time.
"""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from tuner.experiment.settings import Settings as BaseSettings
from tuner.experiment.settings import used_when
from tuner.models.layers import (
    Activation,
    Conv,
    Default,
    Dropout,
    Initialization,
    Lanes,
    Lengths,
    Linear,
    Normalization,
    Pool,
    ReadsSteps,
    Shapes,
    activation,
    half,
    halved,
    normalization,
    steps,
    steps_of,
)

LAYOUTS = ("sequence", "tokens", "image")
TASKS = ("classification", "multilabel", "regression")


class Settings(BaseSettings):
    name: Literal["cnn"] = "cnn"
    channels: int = Field(16, ge=1, le=4096, description="channels of the first stage; each further stage doubles them")
    stages: int = Field(2, ge=1, le=8, description="each after the first halves height, width or time")
    blocks: int = Field(1, ge=1, le=32, description="blocks of a stage")
    block: Literal["plain", "residual", "separable"] = Field(
        "plain", description="residual: He et al. 2016; separable: depthwise, then pointwise, Howard et al. 2017"
    )
    embedding_size: int = Field(
        32, ge=1, le=4096, description="numbers for each token", json_schema_extra=used_when(layout=("tokens",))
    )
    kernel_size: Literal[1, 3, 5, 7, 9, 11] = Field(3, description="width of a convolution")
    activation: Activation = Field("relu", description="after each convolution")
    normalization: Normalization = Field("none", description="of each convolution's channels")
    initialization: Initialization = Field(Default(), discriminator="name", description="how weights begin")
    pooling: Literal["mean", "max", "attention", "flatten"] = Field(
        "mean", description="how the positions are pooled before the linear layer"
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="share of what the linear layer sees that is dropped")


class ConvolutionBuilder:
    """Makes the convolutions of one network, which agree in dimensions, kernel, normalisation and activation."""

    def __init__(self, settings: Settings, dimensions: int, lanes: Lanes) -> None:
        self.settings, self.dimensions, self.lanes = settings, dimensions, lanes

    # parameters: those of a convolution, as in torch
    def unit(
        self,
        inputs: int,
        outputs: int,
        *,
        stride: int = 1,
        groups: int = 1,
        width: int | None = None,
        last: bool = False,
    ) -> list[nn.Module]:
        """Convolution, normalisation and, unless `last`, activation."""
        how, size = self.settings, self.settings.kernel_size if width is None else width
        convolution = Conv(
            inputs, outputs, size, self.lanes, dimensions=self.dimensions, stride=stride, groups=groups
        )  # fmt: skip
        layers = [convolution, *normalization(how.normalization, outputs, self.lanes, channels=True)]
        return layers if last else [*layers, self.activation()]

    def activation(self) -> nn.Module:
        """A new activation module."""
        return activation(self.settings.activation, channels=True)

    def block(self, inputs: int, outputs: int, stride: int, *, first: bool) -> nn.Module:
        """One block of a stage. With `block: separable` the `first` of all is plain: a depthwise convolution of the few
        input channels would learn too few filters."""
        if self.settings.block == "residual":
            return Residual(self, inputs, outputs, stride)
        if self.settings.block == "plain" or first:
            return nn.Sequential(*self.unit(inputs, outputs, stride=stride))
        depthwise = self.unit(inputs, inputs, stride=stride, groups=inputs)
        return nn.Sequential(*depthwise, *self.unit(inputs, outputs, width=1))


class Residual(nn.Module):
    """activation(x + f(x)) with f of two convolutions; x through a convolution of width 1 where shapes differ."""

    def __init__(self, builder: ConvolutionBuilder, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            *builder.unit(inputs, outputs, stride=stride),
            *builder.unit(outputs, outputs, last=True),
        )
        same = inputs == outputs and stride == 1
        shortcut = [] if same else builder.unit(inputs, outputs, stride=stride, width=1, last=True)
        self.shortcut = nn.Sequential(*shortcut)
        self.activation = builder.activation()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.activation(self.shortcut(x) + self.inner(x))
        return out


class CNN(nn.Module):
    """Images (K, B, C, H, W), sequences (K, B, T, D) or tokens (K, B, T) → (K, B, outputs)."""

    def __init__(self, settings: Settings, shapes: Shapes, lanes: Lanes) -> None:
        super().__init__()
        self.image = len(shapes.inputs) == 3
        entry: nn.Module
        if self.image:
            (inputs, *places), entry = shapes.inputs, nn.Identity()
        else:
            places = [shapes.inputs[0]]
            entry, inputs = steps(shapes, settings.embedding_size, lanes)
        self.entry = entry
        builder = ConvolutionBuilder(settings, len(places), lanes)
        layers: list[nn.Module] = []
        for stage in range(settings.stages):
            outputs = settings.channels * 2**stage
            for number in range(settings.blocks):
                stride = 2 if stage and not number else 1
                layers.append(builder.block(inputs, outputs, stride, first=not layers))
                inputs = outputs
        self.body, self.halvings = nn.Sequential(*layers), settings.stages - 1
        places = halved(places, self.halvings, most="at most {} more stages than the first")
        flat = settings.pooling == "flatten"
        self.pool = None if settings.pooling == "flatten" else Pool(settings.pooling, inputs, lanes)
        self.dropout = Dropout(settings.dropout, lanes)
        self.head = Linear(inputs * math.prod(places) if flat else inputs, shapes.outputs, lanes)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        x = x if self.image else self.entry(x).transpose(2, 3)
        at = None if lengths is None else self._by_resolution(x.shape[3], lengths)
        for layer in self.body.modules():
            if isinstance(layer, ReadsSteps):
                layer.lengths = at
        x = self.body(x)
        if at is not None:
            x, lengths = x * steps_of(x, at), at[x.shape[3]]
        x = x.flatten(3)  # (K, B, C, places)
        seen = x.flatten(2) if self.pool is None else self.pool(x.transpose(2, 3), lengths)
        out: Tensor = self.head(self.dropout(seen))
        return out

    def _by_resolution(self, time: int, lengths: Tensor) -> Lengths:
        """The lengths at each time resolution; padding is neither convolved nor normalised over."""
        found = {time: lengths}
        for _ in range(self.halvings):
            time, lengths = half(time), half(lengths)
            found[time] = lengths
        return found


def build(settings: Settings, shapes: Shapes, lanes: Lanes) -> nn.Module:
    """The network of all lanes."""
    return CNN(settings, shapes, lanes)
